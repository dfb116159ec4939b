"""A TabPy for tests of the client: its management methods over real HTTP, in this process.

By default it is an old one, which takes no uploads and answers /status at once; `takes_uploads` and `waits` make it
a newer one.
"""

import http.server
import json
import os
import pickle
import tempfile
import threading
import urllib.parse

NO_DOCSTRING = "-- no docstring found in query function --"


class OldTabPy:
    """Use it with `with`.

    Attributes
    ----------
    url : str
    folder : str
        Its upload destination.
    requests : list
        What it was asked: (method, path, headers, body as bytes).
    loading : int
        How many times /status returns LoadInProgress before the real status.
    behind : int
        How many times /status still shows the version before, which is loaded.
    failure : str or None
        The `last_error` of what is deployed from now on.
    answers_early : bool
        Whether it refuses an upload that is too large without reading it, and hangs up.
    """

    def __init__(self, takes_uploads=False, waits=False, max_upload=1 << 20):
        self.takes_uploads = takes_uploads
        self.waits = waits
        self.max_upload = max_upload
        self.requests = []
        self.endpoints = {}
        self.objects = {}
        self.loading = 0
        self.behind = 0
        self.failure = None
        self.answers_early = False
        self._failed = {}
        self._state = tempfile.TemporaryDirectory()
        self.folder = os.path.join(self._state.name, "staging")
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.tabpy = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = "http://127.0.0.1:%d/" % self._server.server_port

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._state.cleanup()

    def asked(self):
        """Methods and paths, in order."""
        return ["%s %s" % request[:2] for request in self.requests]

    def body_of(self, method):
        """The JSON of the last request of that method."""
        return json.loads([request[3] for request in self.requests if request[0] == method][-1])

    def answer(self, method, path, headers, body):
        """(status, headers, value) of the answer to a request."""
        first, _, rest = path.strip("/").partition("/")
        name = urllib.parse.unquote(rest)
        if path == "/configurations/endpoint_upload_destination":
            return 200, {"TabPy-Upload": "1"} if self.takes_uploads else {}, {"path": self.folder}
        if method == "PUT" and first == "configurations" and self.takes_uploads:
            return self._upload(name.partition("/")[2], headers, body)
        if path == "/status":
            return self._status(headers)
        if first == "endpoints" and method == "GET":
            if not rest:
                return 200, {}, self.endpoints
            if name in self.endpoints:
                return 200, {}, self.endpoints[name]
            return _error(404, "Unknown endpoint", "Endpoint %s is not found" % name)
        if first == "endpoints" and method in ("POST", "PUT"):
            return self._deploy(json.loads(body), name if method == "PUT" else None)
        if first == "endpoints" and method == "DELETE":
            if self.endpoints.pop(name, None) is None:
                return _error(404, "endpoint %s does not exist." % name, {})
            return 204, {}, None
        if first == "query":
            return self._query(name, json.loads(body)["data"])
        return _error(404, "Not found", {})

    def _upload(self, name, headers, body):
        if int(headers["Content-Length"]) > self.max_upload:
            return _error(413, "too large", "limit of %d" % self.max_upload)
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(body)
        return 201, {}, {"path": os.path.dirname(path)}

    def _deploy(self, given, name):
        kept = self.endpoints.get(name, {"version": 0})
        name = name or given["name"]
        grows = given.get("should_update_version", True)
        told = {member: given[member] for member in ("description", "schema", "is_public", "docstring", "type",
                                                     "target", "dependencies") if member in given}
        endpoint = {"description": "", "schema": None, "is_public": False, "docstring": NO_DOCSTRING, **kept, **told,
                    "version": kept["version"] + 1 if grows else kept["version"]}
        if given["type"] == "model":
            with open(os.path.join(given["src_path"], "pickle_archive"), "rb") as file:
                self.objects[name] = pickle.load(file)
        self.endpoints[name] = endpoint
        self._failed[name] = self.failure
        return 200 if kept["version"] else 201, {}, {name: endpoint}

    def _status(self, headers):
        state = "LoadInProgress" if self.loading > 0 and not self.waits else "LoadSuccessful"
        self.loading -= 1
        self.behind -= 1
        status = {}
        for name, endpoint in self.endpoints.items():
            failed = self._failed[name]
            version = endpoint["version"] - 1 if self.behind >= 0 else endpoint["version"]
            status[name] = {"version": version, "type": endpoint["type"],
                            "status": "LoadFailed" if failed else state, "last_error": failed}
        applied = {"Preference-Applied": "wait"} if self.waits and "Prefer" in headers else {}
        return 200, applied, status

    def _query(self, name, data):
        endpoint = self.endpoints.get(name)
        if endpoint is None:
            return _error(404, "UnknownURI", "Endpoint '%s' does not exist" % name)
        target = endpoint.get("target") or name
        query_object = self.objects[target]
        response = query_object.query(**data) if isinstance(data, dict) else query_object.query(*data)
        return 200, {}, {"response": response, "version": endpoint["version"], "model": target, "uuid": "u"}


def _error(status, message, info):
    return status, {}, {"message": message, "info": info}


class _Handler(http.server.BaseHTTPRequestHandler):
    def handle_any(self):
        tabpy = self.server.tabpy
        size = int(self.headers.get("Content-Length") or 0)
        self.close_connection = tabpy.answers_early and size > tabpy.max_upload
        body = b"" if self.close_connection else self.rfile.read(size)
        tabpy.requests.append((self.command, self.path, self.headers, body))
        status, headers, value = tabpy.answer(self.command, self.path, self.headers, body)
        answer = b"" if value is None else json.dumps(value).encode("ascii")
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    def log_message(self, *_):
        pass

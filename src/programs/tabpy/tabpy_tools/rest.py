"""HTTP to a TabPy server: URLs, credentials, certificates, and errors with the server's message.

client.py makes the requests.
"""

import base64
import http.client
import ipaddress
import json
import os
import socket
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

from tabpy.tabpy_tools.arguments import quoted
from tabpy.tabpy_tools.values import to_json


# OpenSSL's codes for a certificate of another host name or address; a CA file doesn't help there.
_OTHER_NAMES = (62, 64)


class ResponseError(Exception):
    """The server answered with an error.

    Attributes: `status_code` (HTTP status), `message` and `info` (members of the error body).
    """

    def __init__(self, status_code, message, info):
        super().__init__("HTTP %d: %s (%s)" % (status_code, message, info))
        self.status_code = status_code
        self.message = message
        self.info = info


class Service:
    """The HTTP interface of one server.

    Parameters
    ----------
    endpoint : str
        URL of the server.
    verify : bool, str, os.PathLike or ssl.SSLContext
        See `tabpy.tabpy_tools.client.Client`.
    """

    def __init__(self, endpoint, verify=True):
        self._url = _checked_url(endpoint)
        self._verify = os.fspath(verify) if isinstance(verify, os.PathLike) else verify
        self._authorization = None
        self._opener = self._new_opener()

    @property
    def url(self):
        """The server's URL, with a trailing slash."""
        return self._url

    def __getstate__(self):
        # A deployed function may refer to its client: a password must never get into an archive.
        verify = self._verify if isinstance(self._verify, (bool, str)) else True
        return {"_url": self._url, "_verify": verify, "_authorization": None, "_opener": None}

    def set_credentials(self, username, password):
        """Send these with every request from now on."""
        for name, value in (("username", username), ("password", password)):
            if not isinstance(value, str):
                raise TypeError("%s: expected a str" % name)
        if ":" in username:
            raise ValueError("username: expected one without a colon")
        pair = ("%s:%s" % (username, password)).encode("utf-8")
        self._authorization = "Basic " + base64.b64encode(pair).decode("ascii")

    def request(self, method, path, timeout, body=None, headers=None):
        """Send a request; a `body` that isn't None is sent as JSON.

        Returns
        -------
        tuple
            The decoded JSON of the answer, None for an empty one; and the headers of the answer.

        Raises
        ------
        ResponseError
            The server answered with an error.
        OSError
            The server can't be reached, or doesn't answer in `timeout` seconds.
        """
        data = None if body is None else to_json(body)
        sent = {"Content-Type": "application/json"} if data is not None else {}
        return self._send(method, path, data, {**sent, **(headers or {})}, timeout)

    def query(self, name, args, kwargs, timeout):
        """The answer to a query. A worker of that server needs no HTTP. Raises as `request`."""
        own_server = sys.modules.get("_tabpy_worker.own_server")
        tabpy = own_server and own_server.find(self._url)
        if not tabpy:
            return self.request("POST", "query/" + quoted(name), timeout, {"data": kwargs or args})[0]
        answer = tabpy.query(name, *args, **kwargs)
        if "response" not in answer:
            raise ResponseError(404 if answer["message"] == "UnknownURI" else 500, answer["message"], answer["info"])
        return answer

    def upload(self, path, file, size, timeout):
        """Send the `size` bytes of an open file, a piece at a time; returns and raises as `request`."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        return self._send("PUT", path, file, headers, timeout)

    def _send(self, method, path, data, headers, timeout):
        request = urllib.request.Request(self._url + path, data=data, headers=headers, method=method)
        if self._authorization is not None:
            # Never sent to the target of a redirect or to a proxy.
            request.add_unredirected_header("Authorization", self._authorization)
        if self._opener is None:
            self._opener = self._new_opener()
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                return _parse(answer.status, answer.read()), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                raise _response_error(error, self._url) from None
        except urllib.error.URLError as error:
            raise self._unreachable(error.reason, timeout) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error, timeout) from error

    def _new_opener(self):
        return _new_opener(self._url, _new_context(self._verify) if self._url.startswith("https:") else None)

    def _unreachable(self, reason, timeout):
        if isinstance(reason, (TimeoutError, socket.timeout)):
            return TimeoutError("%s doesn't answer in %g s" % (self._url, timeout))
        if isinstance(reason, ssl.SSLCertVerificationError):
            remedy = "" if reason.verify_code in _OTHER_NAMES else "; set verify to the path of its CA's file"
            return ConnectionError("Cannot trust the certificate of %s: %s%s"
                                   % (self._url, reason.verify_message or reason, remedy))
        return ConnectionError("Cannot reach %s: %s" % (self._url, reason))


def _checked_url(endpoint):
    if not isinstance(endpoint, str) or not endpoint.lower().startswith(("http://", "https://")):
        raise ValueError("endpoint %r: expected a URL that begins with http:// or https://" % (endpoint,))
    try:
        parts = urllib.parse.urlsplit(endpoint)
        parts.port  # raises for an invalid port
    except ValueError as error:
        raise ValueError("endpoint: %s" % error) from None
    if "@" in parts.netloc:  # it may contain a password, so it is not repeated
        raise ValueError("endpoint: expected a URL without user name and password; use set_credentials for them")
    if not parts.hostname or parts.query or parts.fragment or any(sign <= " " for sign in endpoint):
        raise ValueError("endpoint %r: expected a URL like http://localhost:9004/" % (endpoint,))
    return "%s://%s%s/" % (parts.scheme, parts.netloc, parts.path.rstrip("/"))


def _new_context(verify):
    if isinstance(verify, ssl.SSLContext):
        return verify
    if verify is True:
        return ssl.create_default_context()
    if verify is False:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if not isinstance(verify, str):
        raise TypeError("verify %r: expected True, False or the path of a file with the CA's certificate" % (verify,))
    try:
        if os.path.isdir(verify):
            return ssl.create_default_context(capath=verify)
        return ssl.create_default_context(cafile=verify)
    except OSError as error:
        raise ValueError("verify %r: %s; expected a file with the CA's certificate (PEM)"
                         % (verify, error.strerror or error)) from None


def _new_opener(url, context):
    # Requests to this machine never go through a proxy.
    proxies = {} if _is_loopback(urllib.parse.urlsplit(url).hostname) else None
    # Without a handler for redirects they are errors: no archive and no password is sent to another server.
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler(proxies), _Http() if context is None else _Https(context),
                    urllib.request.HTTPDefaultErrorHandler(), urllib.request.HTTPErrorProcessor()):
        opener.add_handler(handler)
    return opener


def _is_loopback(host):
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _EarlyAnswer:
    """A connection that reads the answer even when the server closed it before it had received the whole body.

    The server does so when an upload is too large.
    """

    _broken = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **{**kwargs, "blocksize": 1 << 18})

    def request(self, *args, **kwargs):
        try:
            super().request(*args, **kwargs)
        except (BrokenPipeError, ConnectionResetError, ConnectionAbortedError) as error:
            self._broken = error

    def getresponse(self):
        try:
            return super().getresponse()
        except (OSError, http.client.HTTPException):
            if self._broken is not None:
                raise self._broken from None
            raise


class _Connection(_EarlyAnswer, http.client.HTTPConnection):
    pass


class _TlsConnection(_EarlyAnswer, http.client.HTTPSConnection):
    pass


class _Http(urllib.request.HTTPHandler):
    def http_open(self, request):
        return self.do_open(_Connection, request)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, context):
        super().__init__(context=context)
        self._tls_context = context

    def https_open(self, request):
        return self.do_open(_TlsConnection, request, context=self._tls_context)


def _parse(status, body):
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        raise ResponseError(status, "the answer is not JSON: expected a TabPy server at this URL", _text(body)) from None


def _response_error(error, url):
    status = error.code
    if 300 <= status < 400:
        target = error.headers.get("Location")
        return ResponseError(status, "%s redirects: give the client the URL that it redirects to" % url, target)
    body = error.read()
    try:
        answer = json.loads(body)
        return ResponseError(status, answer.get("message"), answer.get("info"))
    except (ValueError, AttributeError):
        return ResponseError(status, "the answer is not a TabPy error", _text(body))


def _text(body):
    return body[:200].decode("utf-8", "replace")

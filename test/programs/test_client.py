"""The client of the `tabpy` package, against a real HTTP server on this machine."""

import base64
import http.server
import json
import os
import pathlib
import pickle
import socket
import ssl
import threading
import unittest
from unittest import mock

from tabpy.tabpy_tools import client

ENDPOINTS = {
    "add": {"description": "é", "type": "model", "version": 1},
    "plus": {"description": "", "type": "alias", "version": 2, "target": "add"},
    "odd": {},
}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with what the test has put into the server, and records the requests."""

    def do_GET(self):
        self.server.requests.append((self.command, self.path, self.headers))
        status, body = self.server.answers[self.path.rpartition("/")[2]]
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if 300 <= status < 400:
            self.send_header("Location", "http://other.test/")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class ClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # A proxy that this machine has set must not be used.
        settings = mock.patch.dict(os.environ, {"no_proxy": "*"})
        settings.start()
        cls.addClassCleanup(settings.stop)
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        cls.addClassCleanup(cls.server.server_close)
        thread = threading.Thread(target=cls.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        cls.addClassCleanup(thread.join)
        cls.addClassCleanup(cls.server.shutdown)
        cls.url = "http://127.0.0.1:%d" % cls.server.server_port

    def setUp(self):
        self.server.requests = []
        self.server.answers = {"endpoints": (200, json.dumps(ENDPOINTS).encode("ascii")), "status": (200, b"{}")}

    def test_get_endpoints_returns_them_by_name(self):
        self.assertEqual(client.Client(self.url).get_endpoints(), ENDPOINTS)

    def test_get_endpoints_filters_by_type(self):
        for kind, names in (("model", ["add"]), ("alias", ["plus"]), ("other", []), ("", [])):
            with self.subTest(kind):
                self.assertEqual(list(client.Client(self.url).get_endpoints(kind)), names)
        self.assertEqual(list(client.Client(self.url).get_endpoints(type="alias")), ["plus"])

    def test_get_status_returns_it_by_name(self):
        status = {"add": {"version": 1, "type": "model", "status": "LoadSuccessful", "last_error": None}}
        self.server.answers["status"] = (200, json.dumps(status).encode("ascii"))
        self.assertEqual(client.Client(self.url).get_status(), status)

    def test_sends_requests_to_the_given_url(self):
        for end, expected in (("", "/endpoints"), ("/", "/endpoints"), ("//", "/endpoints"), ("/sub/path", "/sub/path/endpoints"),
                              ("/sub/", "/sub/endpoints")):
            with self.subTest(end):
                self.server.requests.clear()
                client.Client(self.url + end).get_endpoints()
                self.assertEqual([(method, path) for method, path, _ in self.server.requests], [("GET", expected)])

    def test_sends_credentials_once_they_are_set(self):
        connection = client.Client(self.url)
        connection.get_status()
        connection.set_credentials("user é", "pass:wörd")
        connection.get_status()
        connection.get_endpoints()
        connection.set_credentials("other", "")
        connection.get_status()
        sent = [headers["Authorization"] for _, _, headers in self.server.requests]
        both = "Basic " + base64.b64encode("user é:pass:wörd".encode("utf-8")).decode("ascii")
        self.assertEqual(sent, [None, both, both, "Basic b3RoZXI6"])

    def test_long_credentials_stay_on_one_line(self):
        connection = client.Client(self.url)
        connection.set_credentials("u" * 200, "p" * 200)
        connection.get_status()
        self.assertEqual(len(self.server.requests[0][2]["Authorization"]), 6 + 536)

    def test_raises_the_servers_error(self):
        for status, body, message, info in (
            (401, b'{"message": "Invalid credentials provided.", "info": "Unauthorized request."}',
             "Invalid credentials provided.", "Unauthorized request."),
            (404, b'{"message": "UnknownURI", "info": {"a": 1}}', "UnknownURI", {"a": 1}),
            (500, b'{"message": "m"}', "m", None),
            (500, b"{}", None, None),
            (502, b"<html>Bad Gateway \xff</html>", "the answer is not a TabPy error", "<html>Bad Gateway \ufffd</html>"),
            (503, b"", "the answer is not a TabPy error", ""),
            (500, b"[1]", "the answer is not a TabPy error", "[1]"),
            (500, b"null", "the answer is not a TabPy error", "null"),
            (500, b"x" * 1000, "the answer is not a TabPy error", "x" * 200),
        ):
            with self.subTest(body[:40]):
                self.server.answers["status"] = (status, body)
                with self.assertRaises(client.ResponseError) as caught:
                    client.Client(self.url).get_status()
                error = caught.exception
                self.assertEqual((error.status_code, error.message, error.info), (status, message, info))
                self.assertEqual(str(error), "HTTP %d: %s (%s)" % (status, message, info))

    def test_raises_an_os_error_when_nobody_listens(self):
        unused = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        port = unused.server_port
        unused.server_close()
        with self.assertRaises(OSError):
            client.Client("http://127.0.0.1:%d" % port).get_status()

    def test_refuses_an_invalid_url(self):
        for endpoint in ("localhost:9004", "", "ftp://localhost", "file:///etc/hosts", None, 9004, b"http://localhost"):
            with self.subTest(endpoint), self.assertRaises(ValueError) as caught:
                client.Client(endpoint)
            self.assertEqual(str(caught.exception),
                             "endpoint %r: expected a URL that begins with http:// or https://" % (endpoint,))

    def test_refuses_a_url_with_a_query_or_without_a_host(self):
        for endpoint in ("http://", "http:///path", "http://localhost:9004/?a=1", "http://localhost:9004/#top",
                         "http://local host:9004/", "http://localhost:9004/\r\nHost: x", "https://:9004/"):
            with self.subTest(endpoint), self.assertRaises(ValueError) as caught:
                client.Client(endpoint)
            self.assertEqual(str(caught.exception),
                             "endpoint %r: expected a URL like http://localhost:9004/" % (endpoint,))
        with self.assertRaises(ValueError):
            client.Client("http://localhost:port/")

    def test_refuses_credentials_in_a_url_and_does_not_repeat_them(self):
        with self.assertRaises(ValueError) as caught:
            client.Client("http://alice:secret@localhost:9004/")
        self.assertIn("set_credentials", str(caught.exception))
        self.assertNotIn("secret", str(caught.exception))

    def test_refuses_credentials_that_cannot_be_sent(self):
        connection = client.Client(self.url)
        for username, password, kind in ((None, "p", TypeError), ("u", 5, TypeError), ("a:b", "secret", ValueError)):
            with self.subTest(username), self.assertRaises(kind) as caught:
                connection.set_credentials(username, password)
            self.assertNotIn("secret", str(caught.exception))

    def test_a_pickle_of_a_client_does_not_contain_its_credentials(self):
        connection = client.Client(self.url, 7)
        connection.set_credentials("alice", "secret")
        copy = pickle.loads(pickle.dumps(connection))
        self.assertEqual((repr(copy), copy.query_timeout), (repr(connection), 7))
        copy.get_status()
        connection.get_status()
        sent = [headers["Authorization"] for _, _, headers in self.server.requests]
        self.assertEqual(sent, [None, "Basic " + base64.b64encode(b"alice:secret").decode("ascii")])

    def test_follows_no_redirect(self):
        for status in (301, 302, 303, 307, 308):
            with self.subTest(status):
                self.server.answers["status"] = (status, b"")
                with self.assertRaises(client.ResponseError) as caught:
                    client.Client(self.url).get_status()
                self.assertEqual((caught.exception.status_code, caught.exception.info), (status, "http://other.test/"))
                self.assertIn("redirects", caught.exception.message)
        self.assertEqual(len(self.server.requests), 5)

    def test_an_answer_that_is_not_json_is_quoted(self):
        self.server.answers["status"] = (200, b"<html>Welcome</html>")
        with self.assertRaises(client.ResponseError) as caught:
            client.Client(self.url).get_status()
        self.assertIn("not JSON", caught.exception.message)
        self.assertEqual(caught.exception.info, "<html>Welcome</html>")

    def test_refuses_an_invalid_timeout(self):
        for seconds in (0, -1, None, "5", True, float("nan"), float("inf")):
            for name in ("query_timeout", "load_timeout"):
                with self.subTest(name, seconds=seconds), self.assertRaises(ValueError) as caught:
                    client.Client(self.url, **{name: seconds})
                self.assertIn(name, str(caught.exception))

    def test_a_server_that_does_not_answer_is_a_timeout_error(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            connection = client.Client("http://127.0.0.1:%d" % silent.getsockname()[1], query_timeout=0.05)
            with self.assertRaises(TimeoutError) as caught:
                connection.get_status()
        self.assertIn("doesn't answer in 0.05 s", str(caught.exception))

    def test_a_server_on_this_machine_is_reached_without_a_proxy(self):
        unused = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        proxy = "http://127.0.0.1:%d" % unused.server_port
        unused.server_close()
        with mock.patch.dict(os.environ, {"http_proxy": proxy, "no_proxy": ""}):
            self.assertEqual(client.Client(self.url).get_status(), {})

    def test_accepts_a_url_in_any_case(self):
        connection = client.Client(self.url.replace("http", "HTTP"))
        self.assertEqual(connection.get_status(), {})

    def test_has_a_timeout_and_a_repr_without_credentials(self):
        connection = client.Client(self.url)
        self.assertEqual(connection.query_timeout, 1000)
        self.assertEqual(client.Client(self.url, 5).query_timeout, 5)
        connection.set_credentials("user", "secret")
        self.assertEqual(repr(connection), "<Client of %s/>" % self.url)


class CertificateTest(unittest.TestCase):
    """https with a certificate of its own, for localhost and 127.0.0.1."""

    FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "fixtures")
    CERTIFICATE = os.path.join(FOLDER, "server.crt")

    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        cls.addClassCleanup(cls.server.server_close)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cls.CERTIFICATE, os.path.join(cls.FOLDER, "server.key"))
        cls.server.socket = context.wrap_socket(cls.server.socket, server_side=True)
        cls.server.handle_error = lambda *_: None  # a client that hangs up is what is tested
        thread = threading.Thread(target=cls.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        cls.addClassCleanup(thread.join)
        cls.addClassCleanup(cls.server.shutdown)
        cls.server.requests = []
        cls.server.answers = {"status": (200, b"{}")}
        cls.url = "https://localhost:%d/" % cls.server.server_port

    def test_a_certificate_of_an_unknown_ca_is_refused(self):
        connection = client.Client(self.url)
        connection.set_credentials("alice", "secret")
        with self.assertRaises(ConnectionError) as caught:
            connection.get_status()
        self.assertIn("Cannot trust the certificate of %s" % self.url, str(caught.exception))
        self.assertIn("verify", str(caught.exception))
        self.assertEqual(self.server.requests, [])

    def test_a_certificate_is_trusted_by_the_file_of_its_ca(self):
        for verify in (self.CERTIFICATE, pathlib.Path(self.CERTIFICATE), ssl.create_default_context(cafile=self.CERTIFICATE)):
            with self.subTest(type(verify)):
                self.assertEqual(client.Client(self.url, verify=verify).get_status(), {})
        self.server.requests.clear()

    def test_verify_false_trusts_everyone(self):
        self.assertEqual(client.Client(self.url, verify=False).get_status(), {})
        self.server.requests.clear()

    def test_verify_reports_a_file_that_cannot_be_used(self):
        for verify in ("/no/such/ca.pem", os.path.join(self.FOLDER, "pwdfile.txt")):
            with self.subTest(verify), self.assertRaises(ValueError) as caught:
                client.Client(self.url, verify=verify)
            self.assertIn("verify %r" % verify, str(caught.exception))
        for verify in (None, 0, b"ca.pem"):
            with self.subTest(verify), self.assertRaises(TypeError):
                client.Client(self.url, verify=verify)

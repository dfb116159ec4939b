"""Client of a TabPy server, standard library only."""

import base64
import json
import ssl
import urllib.error
import urllib.request


class ResponseError(Exception):
    """The server answered with an error.

    Attributes: `status_code` (HTTP status), `message` and `info` (members of the error body).
    """

    def __init__(self, status_code, message, info):
        super().__init__("HTTP %d: %s (%s)" % (status_code, message, info))
        self.status_code = status_code
        self.message = message
        self.info = info


class Client:
    """A connection to a TabPy server.

    Parameters
    ----------
    endpoint : str
        URL of the server, `http://localhost:9004/` for example.
    query_timeout : float
        Seconds to wait for an answer.
    """

    def __init__(self, endpoint, query_timeout=1000):
        if not isinstance(endpoint, str) or not endpoint.lower().startswith(("http://", "https://")):
            raise ValueError("endpoint %r: expected a URL that begins with http:// or https://" % (endpoint,))
        self._endpoint = endpoint.rstrip("/") + "/"
        self._authorization = None
        self.query_timeout = query_timeout

    def __repr__(self):
        return "<Client of %s>" % self._endpoint

    def set_credentials(self, username, password):
        """Send these with every call from now on.

        Parameters
        ----------
        username : str
        password : str
        """
        pair = ("%s:%s" % (username, password)).encode("utf-8")
        self._authorization = "Basic " + base64.b64encode(pair).decode("ascii")

    def get_endpoints(self, type=None):
        """The functions deployed on the server.

        Parameters
        ----------
        type : str, optional
            Only those of this type, `model` or `alias`.

        Returns
        -------
        dict
            Name of each endpoint, and the endpoint as a dict.

        Raises
        ------
        ResponseError
            The server answered with an error.
        OSError
            The server can't be reached.
        """
        endpoints = self._request("GET", "endpoints")
        if type is None:
            return endpoints
        return {name: endpoint for name, endpoint in endpoints.items() if endpoint.get("type") == type}

    def get_status(self):
        """The load status of each function, as a dict by name.

        Raises
        ------
        ResponseError
            The server answered with an error.
        OSError
            The server can't be reached.
        """
        return self._request("GET", "status")

    def _request(self, method, path):
        request = urllib.request.Request(self._endpoint + path, method=method)
        if self._authorization is not None:
            request.add_header("Authorization", self._authorization)
        try:
            context = ssl.create_default_context() if self._endpoint.startswith("https") else None
            with urllib.request.urlopen(request, timeout=self.query_timeout, context=context) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise _response_error(error.code, error.read()) from None


def _response_error(status, body):
    try:
        answer = json.loads(body)
        return ResponseError(status, answer.get("message"), answer.get("info"))
    except (ValueError, AttributeError):
        return ResponseError(status, "the answer is not a TabPy error", body[:200].decode("utf-8", "replace"))

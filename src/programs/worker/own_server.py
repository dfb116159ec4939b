"""Calls that a script makes to its own server with the client library: they are answered inside the worker.

Over HTTP, such a call would need another worker while this one waits: with as many of them as workers, all would wait for
one another. The client library (tabpy_tools/client.py) looks for `find` here when it runs inside a worker.
"""

import ipaddress
import os
import socket
import urllib.parse

_own = None


def serve_inside(url, tabpy):
    """From now on answer queries to `url` with `tabpy.query`. `url` is the server's own, without a trailing slash."""
    global _own
    _own = (os.getpid(), urllib.parse.urlsplit(url), tabpy)


def find(url):
    """The `tabpy` that answers queries to the server at `url`; None when that is not this server.

    Processes that a script starts have no channel to the server: their queries go over HTTP.
    """
    if _own is None or _own[0] != os.getpid():
        return None
    _, own, tabpy = _own
    parts = urllib.parse.urlsplit(url)
    if (parts.scheme, _port(parts), parts.path.rstrip("/")) != (own.scheme, _port(own), own.path):
        return None
    return tabpy if parts.hostname == own.hostname or _is_this_machine(parts.hostname) else None


def _port(parts):
    return parts.port or (443 if parts.scheme == "https" else 80)


def _is_this_machine(name):
    """Whether a host name or address is this machine's, as far as it can be told without asking a name server."""
    if name in ("localhost", socket.gethostname().lower()):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified

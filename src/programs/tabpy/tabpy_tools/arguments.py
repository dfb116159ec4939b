"""Checks of the arguments of Client's methods (client.py), and their form in a request."""

import re
import urllib.parse


def check_name(name):
    """Raises TypeError or ValueError for what can't name an endpoint."""
    if not isinstance(name, str):
        raise TypeError("Endpoint name %r: expected a str" % (name,))
    if re.fullmatch(r"[a-zA-Z0-9_\- ]+", name) is None:
        raise ValueError(
            "Endpoint name %r: expected only a-z, A-Z, 0-9, underscores, hyphens and spaces" % name)


def checked_seconds(name, seconds):
    """`seconds`, if it is a number greater than 0. Otherwise raises ValueError that names the argument."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < 1e9:
        raise ValueError("%s %r: expected a number of seconds greater than 0" % (name, seconds))
    return seconds


def given(**members):
    """The members that are not None."""
    return {name: value for name, value in members.items() if value is not None}


def quoted(name):
    """The name of an endpoint as part of a URL's path. Raises TypeError."""
    if not isinstance(name, str) or not name:
        raise TypeError("Endpoint name %r: expected a str" % (name,))
    return urllib.parse.quote(name, safe="")


def taken_name(keywords):
    """Takes the name of an endpoint out of keyword arguments. Raises TypeError when it is not among them."""
    if "name" not in keywords:
        raise TypeError("query() missing 1 required positional argument: 'name'")
    return keywords.pop("name")

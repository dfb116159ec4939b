"""Values for JSON: types of numpy, pandas and the standard library become lists, numbers and text."""

import datetime
import decimal
import json


def to_json(value):
    """The JSON of a value, as bytes. NaN and infinities are written as Python writes them, as TabPy's client does.

    Raises
    ------
    TypeError
        JSON can't represent the value, or something in it.
    """
    return json.dumps(value, default=plain).encode("ascii")


def plain(value):
    """Convert a value that `json` can't encode to one that it can.

    Raises
    ------
    TypeError
        The value's type is unknown.
    """
    if callable(getattr(value, "tolist", None)):  # arrays and numbers of numpy, Series and Index of pandas
        return value.tolist()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, (set, frozenset, range)):
        return list(value)
    raise TypeError("Cannot send an object of type %s: expected a type that JSON has" % type(value).__name__)

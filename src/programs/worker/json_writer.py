"""What a script returned, as JSON bytes, in TabPy's spacing (`", "`, `": "`, ASCII with escapes).

The fast ways come first: the C encoder of `json`, or `orjson` for large results, whenever the value consists only of
plain types. Everything else goes through `_Writer`, which knows the types that the contract converts.
"""

import collections.abc
import datetime
import decimal
import enum
import json
import sys
import uuid
from itertools import chain

# `orjson`, which writes no spaces, may write larger answers than this: they need not have TabPy's spacing.
LARGE_ANSWER_BYTES = 64 * 1024
# A list of this length makes an answer that is certainly large enough to try `orjson`.
LARGE_LIST = 16384

_iterate_plain = json.encoder.c_make_encoder and json.encoder.c_make_encoder(
    None, None, json.encoder.encode_basestring_ascii, None, ": ", ", ", False, False, True)
_encode_text = json.encoder.encode_basestring_ascii
_SCALARS = frozenset((int, str, bool, type(None)))
_FLAT = _SCALARS | {float}
_CONTAINERS = frozenset((list, tuple, dict))
_TEXT = frozenset((str,))
# Deeper values, including circular ones, are left to `_Writer`, which detects circles.
DEEPEST_PLAIN = 64


def encode(value, orjson=None, keep_nan=False):
    """JSON bytes of `value`.

    Parameters: `orjson` is that module, or None; `keep_nan` writes NaN and infinities as Python's own `json` does,
    not as null. Raises TypeError for what JSON can't represent ("Object of type X is not JSON serializable"),
    ValueError for circular references, and what a lazy iterable or `__str__` raises.
    """
    if orjson is not None and not keep_nan and _has_large_list(value):
        options = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
        try:
            encoded = orjson.dumps(value, option=options)  # NaN and infinities become null
        except (TypeError, ValueError, RecursionError):
            pass  # big integers, NumPy values, subclasses, lone surrogates: the writers below handle them
        else:
            if len(encoded) > LARGE_ANSWER_BYTES:
                return encoded
    if _is_plain(value):
        text = _encode_plain(value)
        if keep_nan or "NaN" not in text and "Infinity" not in text:
            return text.encode("ascii")
    return _Writer(keep_nan).text(value).encode("ascii")


def _encode_plain(value):
    """Writes the same as `json.dumps`, with one C encoder for all calls; `json.dumps` makes one for each."""
    if _iterate_plain is None or type(value) is float or type(value) is str:
        return json.dumps(value)
    return "".join(_iterate_plain(value, 0))


def _has_large_list(value):
    if type(value) is list:
        return len(value) >= LARGE_LIST or any(type(part) is list and len(part) >= LARGE_LIST for part in value[:8])
    if type(value) is dict:
        return any(type(part) is list and len(part) >= LARGE_LIST for part in value.values())
    return False


def _is_plain(value):
    """Whether the C encoder writes `value` correctly, except for NaN and infinities.

    Checks one level of nesting after the other, each in C: large tables are lists of lists.
    """
    if type(value) in _FLAT or type(value) is list and _FLAT.issuperset(map(type, value)):
        return True
    level = [value]
    for depth in range(DEEPEST_PLAIN):
        kinds = set(map(type, level)) - _FLAT
        if not kinds:
            return True
        if not kinds <= _CONTAINERS:
            return False
        objects = [part for part in level if type(part) is dict] if dict in kinds else []
        if not all(_TEXT.issuperset(map(type, part)) for part in objects):
            return False
        lists = [part for part in level if type(part) is list or type(part) is tuple]
        if depth > 1:  # a circle leads to the same few containers on twice as many paths at each level
            lists = dict(zip(map(id, lists), lists)).values()
            objects = dict(zip(map(id, objects), objects)).values()
        level = list(chain.from_iterable(chain(lists, map(dict.values, objects))))
    return False


class _Writer:
    """Writes any value that the contract names, one piece of text at a time."""

    def __init__(self, keep_nan=False):
        self._float_text = json.dumps if keep_nan else _float_text
        self._open = set()  # ids of the containers being written, to detect a circle

    def text(self, value):
        kind = type(value)
        if kind is str:
            return _encode_text(value)
        if value is None:
            return "null"
        if kind is bool:
            return "true" if value else "false"
        if kind is int:
            return int.__repr__(value)
        if kind is float:
            return self._float_text(value)
        if kind is list or kind is tuple:
            return self._list(value)
        if kind is dict:
            return self._object(value.items(), value)
        return self._other(value)

    def _other(self, value):
        if isinstance(value, str):
            return _encode_text(value)
        if isinstance(value, int):
            return int.__repr__(value)
        if isinstance(value, float):
            return self._float_text(value)
        if isinstance(value, (tuple, list)) or hasattr(type(value), "_asdict"):
            if hasattr(type(value), "_asdict"):  # a named tuple
                return self._object(value._asdict().items(), value)
            return self._list(value)
        if isinstance(value, collections.abc.Mapping):
            return self._object(value.items(), value)
        if isinstance(value, decimal.Decimal):
            return str(value) if value.is_finite() else "null"
        if isinstance(value, (bytes, bytearray)):
            return _encode_text(value.decode("utf-8"))
        if isinstance(value, enum.Enum):
            return self._inside(value, value.value)
        if isinstance(value, uuid.UUID):
            return _encode_text(str(value))
        found, converted = _converted(value)
        if found:
            return self._inside(value, converted)
        if isinstance(value, (collections.abc.Set, collections.abc.Iterator, range, collections.deque,
                              collections.abc.MappingView)):
            return self._inside(value, list(value))
        raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)

    def _inside(self, value, converted):
        self._enter(value)
        text = self.text(converted)
        self._open.discard(id(value))
        return text

    def _enter(self, value):
        if id(value) in self._open:
            raise ValueError("Circular reference detected")
        self._open.add(id(value))

    def _list(self, value):
        if not value:
            return "[]"
        if type(value) is list and _SCALARS.issuperset(map(type, value)):
            return _encode_plain(value)
        self._enter(value)
        text = "[" + ", ".join(map(self.text, value)) + "]"
        self._open.discard(id(value))
        return text

    def _object(self, items, value):
        self._enter(value)
        text = "{" + ", ".join([self._key(key) + ": " + self.text(part) for key, part in items]) + "}"
        self._open.discard(id(value))
        return text

    def _key(self, key):
        if isinstance(key, str):
            return _encode_text(key)
        if isinstance(key, bytes):
            return _encode_text(key.decode("utf-8"))
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(key, (numpy.integer, numpy.floating, numpy.bool_)):
            key = key.item()
        if isinstance(key, bool):
            return '"true"' if key else '"false"'
        if isinstance(key, int):
            return '"%s"' % int.__repr__(key)
        if isinstance(key, float):
            return '"%s"' % (float.__repr__(key) if _is_finite(key) else "null")
        if key is None:
            return '"null"'
        if isinstance(key, (datetime.date, datetime.time)):
            return _encode_text(key.isoformat())
        raise TypeError("keys must be str, int, float, bool or None, not %s" % type(key).__name__)


def _is_finite(number):
    return number == number and number not in (float("inf"), float("-inf"))


def _float_text(number):
    return float.__repr__(number) if _is_finite(number) else "null"


def _converted(value):
    """(True, simpler value) for dates and for the types of NumPy and pandas, else (False, None).

    Those libraries are looked up, never imported: a value of theirs means that the script has imported them.
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and hasattr(pandas, "DataFrame"):
        if isinstance(value, pandas.DataFrame):
            return True, {_label(name): value.iloc[:, at].tolist() for at, name in enumerate(value.columns)}
        if isinstance(value, (pandas.Series, pandas.Index)):
            return True, value.tolist()
        if value is pandas.NaT or value is pandas.NA:
            return True, None
        if isinstance(value, pandas.api.extensions.ExtensionArray):
            return True, list(value)
        if isinstance(value, (pandas.Period, pandas.Interval)):
            return True, str(value)
    if isinstance(value, (datetime.date, datetime.time)):  # datetime and pandas.Timestamp are dates
        return True, value.isoformat()
    if isinstance(value, datetime.timedelta):
        return True, _duration_text(value)
    numpy = sys.modules.get("numpy")
    if numpy is not None and hasattr(numpy, "generic") and isinstance(value, (numpy.generic, numpy.ndarray)):
        if value.dtype.kind in "Mm":  # to microseconds: otherwise tolist() and item() return integers of nanoseconds
            value = value.astype("%s8[us]" % value.dtype.kind)
        simpler = value.item() if isinstance(value, numpy.generic) else value.tolist()
        if type(simpler) is type(value):  # a type that Python has no number for, longdouble for example
            simpler = complex(simpler) if value.dtype.kind == "c" else float(simpler)
        return True, simpler
    return False, None


def _label(name):
    """A column's name as a key: unchanged if JSON can have it as a key, otherwise its text."""
    if name is None or isinstance(name, (str, int, float)):
        return name
    return str(name)


def _duration_text(duration):
    """ISO 8601, as pandas writes it: P1DT2H3M4.5S."""
    sign = "-" if duration.days < 0 else ""
    duration = abs(duration)
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = (".%06d" % duration.microseconds).rstrip("0").rstrip(".")
    return "%sP%dDT%dH%dM%d%sS" % (sign, duration.days, hours, minutes, seconds, fraction)

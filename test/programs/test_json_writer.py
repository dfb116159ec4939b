"""What scripts return, as JSON: json_writer.py. The tests of NumPy, pandas and orjson run where Python has them."""

import collections
import datetime
import decimal
import enum
import json
import math
import random
import sys
import types
import typing
import unittest
import uuid

from _tabpy_worker import json_writer

try:
    import numpy
except ImportError:
    numpy = None
try:
    import pandas
except ImportError:
    pandas = None
try:
    import orjson
except ImportError:
    orjson = None

needs_numpy = unittest.skipIf(numpy is None, "no NumPy")
needs_pandas = unittest.skipIf(pandas is None, "no pandas")
needs_orjson = unittest.skipIf(orjson is None, "no orjson")

INFINITY = float("inf")
NAN = float("nan")

Point = collections.namedtuple("Point", "x y")


class Typed(typing.NamedTuple):
    name: str
    at: Point


class Colour(enum.Enum):
    RED = "red"
    BOTH = (1, 2)
    WHEN = datetime.date(2024, 2, 29)
    POINT = Point(3, 4)


class Level(enum.IntEnum):
    LOW = 1


class Mode(enum.Flag):
    A = 1
    B = 2


class Word(str, enum.Enum):
    YES = "yes"


class Text(str):
    def __str__(self):
        return "not this"


class Number(int):
    def __repr__(self):
        return "not this"

    __str__ = __repr__


class Real(float):
    def __repr__(self):
        return "not this"

    __str__ = __repr__


class Items(list):
    pass


class Pair(tuple):
    pass


class Record(dict):
    pass


class Plain:
    pass


def generate():
    yield 1
    yield [NAN]


# The values that the contract names, and their JSON in TabPy's spacing.
VALUES = [
    (None, "null"),
    (True, "true"),
    (False, "false"),
    (0, "0"),
    (-7, "-7"),
    (2**63, "9223372036854775808"),
    (2**64, "18446744073709551616"),
    (-2**63 - 1, "-9223372036854775809"),
    (10**40, "1" + "0" * 40),
    (1.0, "1.0"),
    (-0.0, "-0.0"),
    (0.1, "0.1"),
    (1e22, "1e+22"),
    (5e-324, "5e-324"),
    (1.7976931348623157e308, "1.7976931348623157e+308"),
    (NAN, "null"),
    (INFINITY, "null"),
    (-INFINITY, "null"),
    ("", '""'),
    ("a\"b\\c/d\b\f\n\r\t", r'"a\"b\\c/d\b\f\n\r\t"'),
    ("\x00\x1f\x7f", r'"\u0000\u001f\u007f"'),
    ("é€\u2028", '"\\u00e9\\u20ac\\u2028"'),
    ("😀", '"\\ud83d\\ude00"'),
    ("\ud800", '"\\ud800"'),
    ("x\udfff\ud800y", '"x\\udfff\\ud800y"'),
    ("NaN", '"NaN"'),
    ("Infinity", '"Infinity"'),
    ("[NaN, -Infinity]", '"[NaN, -Infinity]"'),
    ([], "[]"),
    ({}, "{}"),
    ((), "[]"),
    ([1, 2.5, "x", None, True], '[1, 2.5, "x", null, true]'),
    ((1, (2,)), "[1, [2]]"),
    ([[], {}, ()], "[[], {}, []]"),
    ({"a": 1, "b": [1, 2], "é": {"c": None}}, '{"a": 1, "b": [1, 2], "\\u00e9": {"c": null}}'),
    ({"b": 1, "a": 2}, '{"b": 1, "a": 2}'),
    ([1.5, NAN, "NaN", INFINITY], '[1.5, null, "NaN", null]'),
    ({"a": {"b": [NAN, (-INFINITY,)]}, "NaN": "Infinity"}, '{"a": {"b": [null, [null]]}, "NaN": "Infinity"}'),
    (["\ud800", NAN], '["\\ud800", null]'),
    ([[1, 2, "NaN"], NAN, [2**70]], '[[1, 2, "NaN"], null, [1180591620717411303424]]'),
    # tuples with names
    (Point(1, NAN), '{"x": 1, "y": null}'),
    ([Point(1, 2)], '[{"x": 1, "y": 2}]'),
    (Typed("é", Point([1], (2,))), '{"name": "\\u00e9", "at": {"x": [1], "y": [2]}}'),
    # numbers
    (decimal.Decimal("1.10"), "1.10"),
    (decimal.Decimal("123456789012345678901234567890.5"), "123456789012345678901234567890.5"),
    (decimal.Decimal("1E+5"), "1E+5"),
    (decimal.Decimal("-0"), "-0"),
    ([decimal.Decimal("NaN"), decimal.Decimal("sNaN"), decimal.Decimal("-Infinity")], "[null, null, null]"),
    # bytes
    (b"a\xc3\xa9", '"a\\u00e9"'),
    (bytearray(b"x"), '"x"'),
    ([b"", b'"'], '["", "\\""]'),
    # iterables
    ({3}, "[3]"),
    (frozenset(("x",)), '["x"]'),
    (set(), "[]"),
    (range(3), "[0, 1, 2]"),
    (range(0), "[]"),
    ({"a": 1}.keys(), '["a"]'),
    ({"a": NAN}.values(), "[null]"),
    ({"a": 1}.items(), '[["a", 1]]'),
    (collections.OrderedDict(a=1).values(), "[1]"),
    (collections.deque([1, 2], 5), "[1, 2]"),
    # mappings
    (collections.OrderedDict([("b", 1), ("a", 2)]), '{"b": 1, "a": 2}'),
    (collections.defaultdict(list, {"a": [1]}), '{"a": [1]}'),
    (collections.Counter("aab"), '{"a": 2, "b": 1}'),
    (collections.ChainMap({"a": 1}), '{"a": 1}'),
    (types.MappingProxyType({"a": (1,)}), '{"a": [1]}'),
    # dates and times
    (datetime.date(2024, 2, 29), '"2024-02-29"'),
    (datetime.datetime(2024, 2, 29, 1, 2, 3), '"2024-02-29T01:02:03"'),
    (datetime.datetime(2024, 2, 29, 1, 2, 3, 400), '"2024-02-29T01:02:03.000400"'),
    (datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc), '"2024-01-01T00:00:00+00:00"'),
    (datetime.time(1, 2), '"01:02:00"'),
    ([datetime.date(1, 1, 1)], '["0001-01-01"]'),
    (datetime.timedelta(), '"P0DT0H0M0S"'),
    (datetime.timedelta(days=1, hours=2, minutes=3, seconds=4.5), '"P1DT2H3M4.5S"'),
    (datetime.timedelta(microseconds=10), '"P0DT0H0M0.00001S"'),
    (-datetime.timedelta(hours=36), '"-P1DT12H0M0S"'),
    (datetime.timedelta.max, '"P999999999DT23H59M59.999999S"'),
    (datetime.timedelta.min, '"-P999999999DT0H0M0S"'),
    # enumerations, identifiers
    (Colour.RED, '"red"'),
    (Colour.BOTH, "[1, 2]"),
    (Colour.WHEN, '"2024-02-29"'),
    (Colour.POINT, '{"x": 3, "y": 4}'),
    ([Colour.RED, Colour.RED], '["red", "red"]'),
    (Level.LOW, "1"),
    ([Level.LOW], "[1]"),
    (Mode.A | Mode.B, "3"),
    (Word.YES, '"yes"'),
    (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
    # subclasses are written as their base
    (Text("é"), '"\\u00e9"'),
    (Number(5), "5"),
    (Real(1.5), "1.5"),
    (Real("nan"), "null"),
    ([Text("a"), Number(1), Real(0.5)], '["a", 1, 0.5]'),
    (Items([1, NAN]), "[1, null]"),
    (Items(), "[]"),
    (Pair((1, 2)), "[1, 2]"),
    (Record(a=Items([1])), '{"a": [1]}'),
]

# Iterables that can be read only once.
LAZY = [
    (lambda: iter([1, 2]), "[1, 2]"),
    (lambda: map(float, [1, "nan"]), "[1.0, null]"),
    (lambda: zip("ab", (1, 2)), '[["a", 1], ["b", 2]]'),
    (lambda: filter(None, [0, 1]), "[1]"),
    (lambda: reversed([1, 2]), "[2, 1]"),
    (lambda: generate(), "[1, [null]]"),
    (lambda: enumerate("a"), '[[0, "a"]]'),
    (lambda: {"k": range(2), "l": iter("x")}, '{"k": [0, 1], "l": ["x"]}'),
]

# Objects with other keys than text.
KEYS = [
    (1, "1"),
    (-(2**70), "-1180591620717411303424"),
    (1.5, "1.5"),
    (1e22, "1e+22"),
    (True, "true"),
    (False, "false"),
    (None, "null"),
    (NAN, "null"),
    (b"\xc3\xa9", "é"),
    (Text("t"), "t"),
    (Number(5), "5"),
    (Real(2.5), "2.5"),
    (Level.LOW, "1"),
    (Word.YES, "yes"),
    ("\ud800", "\ud800"),
    ("NaN", "NaN"),
    (datetime.date(2024, 2, 29), "2024-02-29"),
    (datetime.datetime(2024, 2, 29, 1), "2024-02-29T01:00:00"),
    (datetime.time(1, 2), "01:02:00"),
]

# Values without JSON, and the type that the error names.
NO_JSON = [
    (Plain(), "Plain"),
    (object(), "object"),
    (1j, "complex"),
    (Plain, "type"),
    (len, "builtin_function_or_method"),
    (json, "module"),
    (..., "ellipsis"),
    (NotImplemented, "NotImplementedType"),
    (memoryview(b"x"), "memoryview"),
    (ValueError("x"), "ValueError"),
    (slice(1), "slice"),
]

BAD_KEYS = [((1, 2), "tuple"), (frozenset(), "frozenset"), (1j, "complex"), (Plain(), "Plain"), (Colour.RED, "Colour"),
            (uuid.UUID(int=1), "UUID"), (decimal.Decimal(1), "Decimal")]


def nested(kind, depth):
    value = 1
    for _ in range(depth):
        value = kind(value)
    return value


NESTINGS = {"list": lambda part: [part], "tuple": lambda part: (part,), "dict": lambda part: {"a": part}}


class EncodeTest(unittest.TestCase):
    def assert_json(self, value, expected):
        encoded = json_writer.encode(value)
        self.assertIs(type(encoded), bytes)
        self.assertEqual(encoded.decode("ascii"), expected)

    def test_writes_every_value_that_the_contract_names(self):
        for value, expected in VALUES:
            with self.subTest(expected):
                self.assert_json(value, expected)

    def test_writes_them_inside_lists_and_objects(self):
        for value, expected in VALUES:
            for outer, text in (([value, "NaN"], '[%s, "NaN"]'), ({"a": {"b": (value,)}}, '{"a": {"b": [%s]}}'),
                                ((NAN, [Level.LOW, value]), "[null, [1, %s]]")):
                with self.subTest(expected, inside=text):
                    self.assert_json(outer, text % expected)

    def test_writes_iterables_that_can_be_read_once(self):
        for make, expected in LAZY:
            with self.subTest(expected):
                self.assert_json(make(), expected)
                self.assert_json([make(), {"a": make()}], '[%s, {"a": %s}]' % (expected, expected))

    def test_writes_keys_that_are_not_text(self):
        for key, expected in KEYS:
            with self.subTest(expected):
                self.assert_json({key: [1]}, "{%s: [1]}" % json.dumps(expected))
                self.assert_json([{"x": {key: NAN}}], '[{"x": {%s: null}}]' % json.dumps(expected))

    def test_raises_for_other_keys(self):
        for key, kind in BAD_KEYS:
            with self.subTest(kind), self.assertRaises(TypeError) as caught:
                json_writer.encode([{key: 1}])
            self.assertEqual(str(caught.exception), "keys must be str, int, float, bool or None, not " + kind)

    def test_raises_for_what_json_cannot_represent(self):
        for value, kind in NO_JSON:
            for outer in (value, [value], {"a": (value,)}, {1: value}, [NAN, Point(1, value)], iter([value])):
                with self.subTest(kind, inside=type(outer)), self.assertRaises(TypeError) as caught:
                    json_writer.encode(outer)
                self.assertEqual(str(caught.exception), "Object of type %s is not JSON serializable" % kind)

    def test_raises_for_bytes_that_are_not_text(self):
        for value in (b"\xff", [bytearray(b"\x80")], {b"\xff": 1}):
            with self.subTest(value), self.assertRaises(UnicodeDecodeError):
                json_writer.encode(value)

    def test_propagates_what_an_iterable_raises(self):
        def stops():
            yield 1
            raise LookupError("half way")

        with self.assertRaisesRegex(LookupError, "half way"):
            json_writer.encode([stops()])

    def test_raises_for_circles(self):
        own_list, own_dict, own_tuple, own_deque = [], {}, ([],), collections.deque()
        own_list.append(own_list)
        own_dict["a"] = {"b": own_dict}
        own_tuple[0].append(own_tuple)
        own_deque.append({1: own_deque})
        items = Items()
        items.append(Point(items, 1))
        for value in (own_list, own_dict, own_tuple, own_deque, items, [1, {"x": own_list}], (NAN, own_dict)):
            with self.subTest(type(value)), self.assertRaisesRegex(ValueError, "^Circular reference detected$"):
                json_writer.encode(value)

    def test_raises_for_circles_with_many_paths(self):
        # Each level has twice as many paths as the one above, and the last two a hundred times as many.
        twice, chain, star = [], [{"at": at} for at in range(5)], {"name": "hub"}
        twice += [twice, twice]
        for at, part in enumerate(chain):
            part["next"], part["previous"] = chain[(at + 1) % 5], chain[at - 1]
        star["spokes"] = [{"hub": star, "also": star} for _ in range(100)]
        everyone = [{"at": at} for at in range(100)]
        for part in everyone:
            part["others"] = everyone
        for name, value in (("twice", twice), ("chain", chain), ("star", star), ("everyone", everyone)):
            with self.subTest(name), self.assertRaisesRegex(ValueError, "^Circular reference detected$"):
                json_writer.encode(value)

    def test_writes_a_value_that_occurs_twice_without_a_circle(self):
        part = [NAN, {"a": Level.LOW}]
        self.assert_json([part, part, {"x": part}], '[[null, {"a": 1}], [null, {"a": 1}], {"x": [null, {"a": 1}]}]')
        day = datetime.date(2024, 1, 1)
        self.assert_json([day, [day]], '["2024-01-01", ["2024-01-01"]]')
        shared = ["x"]
        for _ in range(6):
            shared = [shared, shared]
        self.assert_json(shared, json.dumps(shared))

    def test_writes_deep_values(self):
        for name, kind in NESTINGS.items():
            for depth in (1, 2, 3, json_writer.DEEPEST_PLAIN - 1, json_writer.DEEPEST_PLAIN, json_writer.DEEPEST_PLAIN + 1, 200):
                with self.subTest(name, depth=depth):
                    value = nested(kind, depth)
                    self.assert_json(value, json.dumps(value))

    def test_raises_for_values_deeper_than_the_recursion_limit(self):
        for name, kind in NESTINGS.items():
            for depth in (sys.getrecursionlimit() + 10, 100000):
                with self.subTest(name, depth=depth), self.assertRaises(RecursionError):
                    json_writer.encode(nested(kind, depth))
        self.assert_json([1], "[1]")

    @unittest.skipUnless(hasattr(sys, "get_int_max_str_digits"), "this Python writes integers of any length")
    def test_raises_for_integers_that_python_does_not_write(self):
        for value in (10**5000, [10**5000], [NAN, 10**5000]):
            with self.subTest(type(value)), self.assertRaisesRegex(ValueError, "integer string conversion"):
                json_writer.encode(value)

    def test_writes_what_json_dumps_writes(self):
        generator = random.Random(20240229)
        for at in range(400):
            value = plain_value(generator, finite=True)
            with self.subTest(at=at):
                self.assertEqual(json_writer.encode(value), json.dumps(value).encode("ascii"))

    def test_writes_null_for_nan_anywhere(self):
        generator = random.Random(7)
        for at in range(300):
            value = plain_value(generator, finite=False)
            with self.subTest(at=at):
                self.assertEqual(json_writer.encode(value), json.dumps(without_nan(value)).encode("ascii"))

    def test_writes_large_tables(self):
        rows = [[at, at / 7, "row %d" % at, None] for at in range(20000)]
        columns = {"a": list(range(20000)), "b": [NAN if at % 3 else 0.5 for at in range(20000)]}
        self.assertEqual(json_writer.encode(rows), json.dumps(rows).encode("ascii"))
        self.assertEqual(json_writer.encode(columns), json.dumps(without_nan(columns)).encode("ascii"))


def plain_value(generator, finite, depth=0):
    """A random value of the types that JSON has."""
    kind = generator.randrange(12 if depth < 5 else 8)
    if kind == 0:
        return generator.choice((None, True, False, 0, -1, "", 0.0, -0.0))
    if kind in (1, 2):
        return generator.randrange(-10 ** generator.randrange(1, 19), 10 ** generator.randrange(1, 19))
    if kind == 3:
        return generator.choice((generator.random(), generator.uniform(-1e6, 1e6),
                                 math.ldexp(generator.uniform(-1, 1), generator.randrange(-1000, 1000))))
    if kind == 4 and not finite:
        return generator.choice((NAN, INFINITY, -INFINITY))
    if kind in (5, 6):
        return "".join(generator.choices("ab\"\\\n\x00é\u2028😀", k=generator.randrange(8)))
    if kind < 8:
        return generator.choice(("NaN", "Infinity", "x, -Infinity", "null"))
    size = generator.randrange(5)
    if kind < 10:
        return [plain_value(generator, finite, depth + 1) for _ in range(size)]
    if kind == 10:
        return tuple(plain_value(generator, finite, depth + 1) for _ in range(size))
    return {"k%d" % generator.randrange(20): plain_value(generator, finite, depth + 1) for _ in range(size)}


def without_nan(value):
    """`value` with None for NaN and infinities, and lists for tuples."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [without_nan(part) for part in value]
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    return value


@needs_orjson
class EncodeWithOrjsonTest(unittest.TestCase):
    def assert_same(self, value):
        with_orjson = json_writer.encode(value, orjson)
        self.assertEqual(json.loads(with_orjson), json.loads(json_writer.encode(value)))
        return with_orjson

    def test_writes_the_same_bytes_for_small_answers(self):
        for value, expected in [*VALUES, *((make(), expected) for make, expected in LAZY)]:
            with self.subTest(expected):
                self.assertEqual(json_writer.encode(value, orjson), expected.encode("ascii"))

    def test_keeps_the_spacing_up_to_the_limit(self):
        for value in ([1] * 20000, {"a": [1] * 16384, "b": NAN}, [[2] * 16384]):
            self.assertEqual(json_writer.encode(value, orjson), json.dumps(without_nan(value)).encode("ascii"))

    def test_writes_large_answers_with_orjson(self):
        # Shows that orjson was used: no space after the comma.
        for value in (["text"] * 20000, {"a": ["text"] * 20000}, [["text"] * 20000]):
            self.assertIn(b'"text","text"', self.assert_same(value))

    def test_writes_large_answers_of_the_same_value(self):
        days = [datetime.date(2024, 1, 1)]
        for name, part in {
            "integers to 64 bits": [2**63 - 1, -2**63, 2**64 - 1], "larger integers": [2**64, -2**63 - 1, 10**30],
            "floats": [0.1, 1e22, 1e16, 1e15, 123456789012345680.0, 5e-324, -0.0, 1e-7, 1.7976931348623157e308],
            "no numbers": [NAN, INFINITY, -INFINITY], "surrogates": ["\ud800"], "text": ["é\u2028😀\x00\x7f\"\\", "NaN"],
            "dates": days + [datetime.datetime(2024, 1, 1, 0, 0, 0, 5), datetime.time(1), datetime.timedelta(1)],
            "aware times": [datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(seconds=at)))
                            for at in (0, 3600, -5400, 30)],
            "named tuples": [Point(1, 2), Typed("a", Point(3, 4))], "tuples": [(1, (2, 3))],
            "enumerations": [Colour.RED, Colour.BOTH, Level.LOW, Word.YES, Mode.B],
            "subclasses": [Text("é"), Number(5), Real(0.5), Items([1]), Pair((1,)), Record(a=1)],
            "mappings": [collections.OrderedDict(a=1), collections.Counter("ab")],
            "keys": [{1: 2, None: 3, True: 4, 1.5: 5}], "decimals": [decimal.Decimal("1.10")], "bytes": [b"x"],
            "identifiers": [uuid.UUID(int=1)], "sets": [{1}, frozenset((2,))], "ranges": [range(3)],
            "deep": [nested(NESTINGS["list"], 200), nested(NESTINGS["dict"], 300)],
        }.items():
            with self.subTest(name):
                self.assert_same(part + ["filler text"] * 20000)
                self.assert_same({"column": ["filler text"] * 20000, "other": part})

    def test_writes_random_values_the_same(self):
        generator = random.Random(42)
        for at in range(300):
            value = plain_value(generator, finite=False)
            with self.subTest(at=at):
                self.assert_same(value)

    def test_writes_large_random_values_the_same(self):
        generator = random.Random(43)
        for at in range(8):
            value = [plain_value(generator, finite=False, depth=3) for _ in range(20000)]
            value = generator.choice((value, {"a": 1, "b": value}, [1, value, 2]))
            with self.subTest(at=at):
                self.assertGreater(len(self.assert_same(value)), json_writer.LARGE_ANSWER_BYTES)
                self.assertEqual(json.loads(json_writer.encode(value, orjson)), without_nan(value))

    def test_raises_as_without_orjson(self):
        circle = ["filler text"] * 20000
        circle.append(circle)
        for error, value in ((ValueError, circle), (TypeError, ["filler"] * 20000 + [Plain()]),
                             (TypeError, [{(1,): 1}] + ["filler"] * 20000),
                             (RecursionError, [nested(NESTINGS["list"], 100000)] + ["filler"] * 20000)):
            messages = []
            for module in (None, orjson):
                with self.assertRaises(error) as caught:
                    json_writer.encode(value, module)
                messages.append(str(caught.exception))
            self.assertEqual(*messages)

    def test_refuses_a_dataclass(self):
        import dataclasses
        row = dataclasses.make_dataclass("Row", ["a"])(1)
        for value in (row, [row] + ["filler text"] * 20000):
            with self.assertRaisesRegex(TypeError, "^Object of type Row is not JSON serializable$"):
                json_writer.encode(value, orjson)


@needs_numpy
class EncodeNumpyTest(unittest.TestCase):
    def assert_table(self, table):
        for value, expected in table:
            with self.subTest(repr(value)):
                self.assertEqual(json_writer.encode(value).decode("ascii"), expected)
                self.assertEqual(json_writer.encode({"a": [value, NAN]}).decode("ascii"), '{"a": [%s, null]}' % expected)
                if orjson is not None:
                    large = json.loads(json_writer.encode([value] + ["filler text"] * 20000, orjson))
                    self.assertEqual(large[0], json.loads(expected))

    def test_writes_arrays_of_every_type(self):
        array = numpy.array
        self.assert_table([(array([1, -2], kind), "[1, -2]") for kind in ("i1", "i2", "i4", "i8", ">i4")])
        self.assert_table([(array([1, 200], kind), "[1, 200]") for kind in ("u1", "u2", "u4", "u8")])
        self.assert_table([(array([1.5, NAN, INFINITY], kind), "[1.5, null, null]") for kind in ("f2", "f4", "f8", "g")])
        self.assert_table([
            (array([2**64 - 1], "u8"), "[18446744073709551615]"),
            (array([0.1], "f4"), "[0.10000000149011612]"),
            (array([True, False]), "[true, false]"),
            (array(["a", "é"]), '["a", "\\u00e9"]'),
            (array([b"a"]), '["a"]'),
            (array([], "f8"), "[]"),
            (array(5), "5"),
            (array("x"), '"x"'),
            (array([1, None, "a", {"k": numpy.int64(3)}, NAN, numpy.float32(2)], dtype=object),
             '[1, null, "a", {"k": 3}, null, 2.0]'),
        ])

    def test_writes_arrays_of_every_shape(self):
        self.assert_table([
            (numpy.arange(4).reshape(2, 2), "[[0, 1], [2, 3]]"),
            (numpy.arange(4).reshape(2, 2).T, "[[0, 2], [1, 3]]"),
            (numpy.arange(6)[::2], "[0, 2, 4]"),
            (numpy.zeros((1, 2, 1)), "[[[0.0], [0.0]]]"),
            (numpy.zeros((2, 0)), "[[], []]"),
            (numpy.array([[1, "a"], [None, NAN]], dtype=object), '[[1, "a"], [null, null]]'),
            (numpy.array([(1, 2.5, "x")], dtype=[("a", "i4"), ("b", "f8"), ("c", "U3")]), '[[1, 2.5, "x"]]'),
            (numpy.array([(1, NAN)], dtype=[("a", "i4"), ("b", "f8")])[0], "[1, null]"),
            (numpy.array([(1,)], dtype=[("a", "i4")]).view(numpy.recarray), "[[1]]"),
            (numpy.ma.array([1, 2], mask=[False, True]), "[1, null]"),
            (numpy.ma.masked, "null"),
        ])

    def test_writes_dates_and_durations(self):
        self.assert_table([
            (numpy.array(["2024-02-29", "NaT"], "M8[D]"), '["2024-02-29T00:00:00", null]'),
            (numpy.array(["2024-02-29T01:02:03.5", "NaT"], "M8[ns]"), '["2024-02-29T01:02:03.500000", null]'),
            (numpy.array([["2024", "NaT"]], "M8[Y]"), '[["2024-01-01T00:00:00", null]]'),
            (numpy.array([90, "NaT"], "m8[s]"), '["P0DT0H1M30S", null]'),
            (numpy.datetime64("2024-02-29T01:02", "m"), '"2024-02-29T01:02:00"'),
            (numpy.datetime64("NaT"), "null"),
            (numpy.timedelta64(-1, "D"), '"-P1DT0H0M0S"'),
            (numpy.timedelta64("NaT"), "null"),
            (numpy.array([numpy.datetime64("2024-02-29", "ns")], dtype=object), '["2024-02-29T00:00:00"]'),
        ])

    def test_writes_scalars(self):
        self.assert_table([(getattr(numpy, name)(7), "7") for name in (
            "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "longlong", "intp")])
        self.assert_table([(getattr(numpy, name)(1.5), "1.5") for name in (
            "float16", "float32", "float64", "longdouble")])
        self.assert_table([(getattr(numpy, name)("nan"), "null") for name in (
            "float16", "float32", "float64", "longdouble")])
        self.assert_table([
            (numpy.uint64(2**64 - 1), "18446744073709551615"),
            (numpy.bool_(True), "true"),
            (numpy.str_("é"), '"\\u00e9"'),
            (numpy.bytes_(b"x"), '"x"'),
            (numpy.float32("inf"), "null"),
        ])

    def test_writes_keys(self):
        for key, expected in ((numpy.int64(1), "1"), (numpy.uint8(2), "2"), (numpy.float64(1.5), "1.5"),
                              (numpy.float32("nan"), "null"), (numpy.bool_(True), "true"), (numpy.str_("x"), "x")):
            with self.subTest(repr(key)):
                self.assertEqual(json_writer.encode({key: [1]}).decode("ascii"), '{"%s": [1]}' % expected)

    def test_raises_for_what_json_cannot_represent(self):
        for value, kind in ((numpy.complex64(1), "complex"), (numpy.array([1j]), "complex"),
                            (numpy.clongdouble(1 + 2j), "complex"), (numpy.array([Plain()]), "Plain"),
                            (numpy.int64, "type")):
            with self.subTest(repr(value)), self.assertRaises(TypeError) as caught:
                json_writer.encode([value])
            self.assertEqual(str(caught.exception), "Object of type %s is not JSON serializable" % kind)
        with self.assertRaisesRegex(TypeError, "^keys must be .* not datetime64$"):
            json_writer.encode({numpy.datetime64("2024-01-01"): 1})

    def test_raises_for_circles(self):
        array = numpy.array([None, 1], dtype=object)
        array[0] = [array]
        with self.assertRaisesRegex(ValueError, "^Circular reference detected$"):
            json_writer.encode(array)


@needs_pandas
class EncodePandasTest(unittest.TestCase):
    assert_table = EncodeNumpyTest.assert_table

    def test_writes_tables_as_columns(self):
        table = pandas.DataFrame
        self.assert_table([
            (table({"a": [1, 2], "b": ["x", None], "c": [1.5, NAN]}), '{"a": [1, 2], "b": ["x", null], "c": [1.5, null]}'),
            (table(), "{}"),
            (table(columns=["a"]), '{"a": []}'),
            (table({"a": [1]}, index=["row"]), '{"a": [1]}'),
            (table([[1, 2]]), '{"0": [1], "1": [2]}'),
            (table({1: [1], 2.5: [2], None: [3], (1, 2): [4]}, dtype=object),
             '{"1": [1], "2.5": [2], "null": [3], "(1, 2)": [4]}'),
            (table([[1]], columns=[pandas.Timestamp("2024-02-29")]), '{"2024-02-29 00:00:00": [1]}'),
            (table([[1, 2]], columns=pandas.MultiIndex.from_tuples([("a", "b"), ("a", "c")])),
             "{\"('a', 'b')\": [1], \"('a', 'c')\": [2]}"),
            (table({"a": [[1, NAN], {"k": pandas.NA}]}), '{"a": [[1, null], {"k": null}]}'),
        ])

    def test_writes_a_column_whose_name_occurs_twice(self):
        # As DataFrame.to_dict(orient="list"): the last one.
        self.assert_table([(pandas.DataFrame([[1, 2, 3]], columns=["a", "a", "b"]), '{"a": [2], "b": [3]}')])

    def test_writes_columns_of_every_type(self):
        array = pandas.array
        self.assert_table([(pandas.DataFrame({"c": column}), '{"c": %s}' % expected) for column, expected in (
            (pandas.to_datetime(["2024-02-29", None]), '["2024-02-29T00:00:00", null]'),
            (pandas.to_datetime(["2024-02-29", None], utc=True), '["2024-02-29T00:00:00+00:00", null]'),
            (pandas.to_timedelta(["1 days 02:00:00", None]), '["P1DT2H0M0S", null]'),
            (pandas.Categorical(["a", None, "a"]), '["a", null, "a"]'),
            (pandas.Categorical([1, 2]), "[1, 2]"),
            (array([1, None], dtype="Int64"), "[1, null]"),
            (array([2**63, None], dtype="UInt64"), "[9223372036854775808, null]"),
            (array([True, None], dtype="boolean"), "[true, null]"),
            (array(["x", None], dtype="string"), '["x", null]'),
            (array([1.5, None], dtype="Float64"), "[1.5, null]"),
            (pandas.period_range("2024-01", periods=2, freq="M"), '["2024-01", "2024-02"]'),
            (pandas.interval_range(0, 2), '["(0, 1]", "(1, 2]"]'),
            (pandas.arrays.SparseArray([0, 1]), "[0, 1]"),
            (numpy.array([1, 2], "i1"), "[1, 2]"),
            ([1, "a", None, 2.5], '[1, "a", null, 2.5]'),
        )])

    def test_writes_series_indexes_and_arrays(self):
        self.assert_table([
            (pandas.Series([1, 2]), "[1, 2]"),
            (pandas.Series({"a": 1.5, "b": NAN}), "[1.5, null]"),
            (pandas.Series([], dtype=float), "[]"),
            (pandas.Series([1, None], dtype="Int64"), "[1, null]"),
            (pandas.Series([numpy.int64(1), pandas.NaT], dtype=object), "[1, null]"),
            (pandas.Index(["a", "b"]), '["a", "b"]'),
            (pandas.RangeIndex(3), "[0, 1, 2]"),
            (pandas.MultiIndex.from_tuples([(1, "a")]), '[[1, "a"]]'),
            (pandas.date_range("2024-02-29", periods=2), '["2024-02-29T00:00:00", "2024-03-01T00:00:00"]'),
            (pandas.Categorical(["a", None]), '["a", null]'),
            (pandas.array([1, None], dtype="Int64"), "[1, null]"),
            (pandas.DataFrame({"a": [1], "b": ["x"]}).values, '[[1, "x"]]'),
            (pandas.DataFrame({"a": [1], "b": [NAN]}).to_dict("records"), '[{"a": 1, "b": null}]'),
        ])

    def test_writes_scalars(self):
        self.assert_table([
            (pandas.Timestamp("2024-02-29T01:02:03"), '"2024-02-29T01:02:03"'),
            (pandas.Timestamp("2024-02-29T01:02:03.123456789"), '"2024-02-29T01:02:03.123456789"'),
            (pandas.Timestamp("2024-02-29", tz="UTC"), '"2024-02-29T00:00:00+00:00"'),
            (pandas.Timestamp("2024-02-29").tz_localize("Etc/GMT-2"), '"2024-02-29T00:00:00+02:00"'),
            (pandas.Timedelta("1 days 02:00:00.5"), '"P1DT2H0M0.5S"'),
            (pandas.Timedelta("-1 days"), '"-P1DT0H0M0S"'),
            (pandas.NaT, "null"),
            (pandas.NA, "null"),
            (pandas.Period("2024-02"), '"2024-02"'),
            (pandas.Interval(0, 1), '"(0, 1]"'),
        ])

    def test_raises_for_what_json_cannot_represent(self):
        for value, kind in ((pandas.DataFrame({"a": [1]}).groupby("a"), "DataFrameGroupBy"),
                            (pandas.DataFrame({"a": [Plain()]}), "Plain"), (pandas.Series([1j]), "complex")):
            with self.subTest(kind), self.assertRaises(TypeError) as caught:
                json_writer.encode(value)
            self.assertEqual(str(caught.exception), "Object of type %s is not JSON serializable" % kind)

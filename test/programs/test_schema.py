"""generate_schema, and the values that JSON doesn't have."""

import datetime
import decimal
import json
import unittest

from tabpy.tabpy_tools.schema import generate_schema
from tabpy.tabpy_tools.values import to_json

try:
    import numpy
except ImportError:
    numpy = None


class SchemaTest(unittest.TestCase):
    def test_generate_schema_describes_parameters_and_result(self):
        self.assertEqual(
            generate_schema(input={"x": 3, "y": 2}, output=5, input_description={"x": "first value", "y": "second value"},
                            output_description="the sum of x and y"),
            {"input": {"type": "object",
                       "properties": {"x": {"type": "integer", "description": "first value"},
                                      "y": {"type": "integer", "description": "second value"}},
                       "required": ["x", "y"]},
             "sample": {"x": 3, "y": 2},
             "output": {"type": "integer", "description": "the sum of x and y"}})

    def test_generate_schema_needs_no_descriptions(self):
        self.assertEqual(generate_schema({}, None), {
            "input": {"type": "object", "properties": {}, "required": []}, "sample": {}, "output": {"type": "null"}})

    def test_generate_schema_knows_the_types_of_json(self):
        integer, number, string = {"type": "integer"}, {"type": "number"}, {"type": "string"}
        for sample, schema in (
            (1, integer), (True, {"type": "boolean"}), (1.0, number), ("é", string), (None, {"type": "null"}),
            ([], {"type": "array"}), ((1, 2), {"type": "array", "items": integer}),
            ([1, 2.5, 3], {"type": "array", "items": number}),
            ([1, "a", None], {"type": "array", "items": {"anyOf": [integer, string, {"type": "null"}]}}),
            ([[1], [2]], {"type": "array", "items": {"type": "array", "items": integer}}),
            ({"b": 1, "a": ""}, {"type": "object", "properties": {"b": integer, "a": string}, "required": ["a", "b"]}),
        ):
            with self.subTest(sample):
                self.assertEqual(generate_schema({}, sample)["output"], schema)

    def test_generate_schema_refuses_what_it_cannot_describe(self):
        for arguments, kind, named in (
            (([1], 1), TypeError, "input list"), ((3, 1), TypeError, "input int"),
            (({"x": 1}, 1, ["x"]), TypeError, "input_description list"),
            (({"x": 1}, 1, {"z": "?"}), ValueError, "input_description names 'z'"),
            (({"x": object()}, 1), TypeError, "object"),
        ):
            with self.subTest(named), self.assertRaises(kind) as caught:
                generate_schema(*arguments)
            self.assertIn(named, str(caught.exception))


class ValuesTest(unittest.TestCase):
    def test_to_json_writes_dates_decimals_and_sets(self):
        for value, expected in (
            (datetime.datetime(2020, 1, 2, 3, 4, 5), "2020-01-02T03:04:05"), (datetime.date(2020, 1, 2), "2020-01-02"),
            (decimal.Decimal("1.5"), 1.5), ({7}, [7]), (range(3), [0, 1, 2]), ([{"a": {1}}], [{"a": [1]}]), ("é", "é"),
        ):
            with self.subTest(value):
                self.assertEqual(json.loads(to_json(value)), expected)
        with self.assertRaises(TypeError) as caught:
            to_json([object()])
        self.assertIn("object", str(caught.exception))

    @unittest.skipIf(numpy is None, "numpy is not installed")
    def test_to_json_writes_arrays_and_their_numbers(self):
        value = {"a": numpy.arange(4).reshape(2, 2), "n": numpy.float32(0.5), "b": numpy.bool_(True)}
        self.assertEqual(json.loads(to_json(value)), {"a": [[0, 1], [2, 3]], "n": 0.5, "b": True})

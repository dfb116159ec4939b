"""Calls of deployed functions, from the bytes of a request to those of the answer: queries.py."""

import datetime
import hashlib
import json
import math
import types
import unittest

from _tabpy_worker import requests, queries

try:
    import orjson
except ImportError:
    orjson = None

MODULES = [None] if orjson is None else [None, orjson]


def query_object(function):
    return types.SimpleNamespace(query=function)


def everything(*args, **kwargs):
    return [args, kwargs]


class ParseQueryTest(unittest.TestCase):
    def test_returns_the_arguments(self):
        for request, expected in (
            ({"data": {}}, ((), {})),
            ({"data": {"x": 1, "not a name": [2], "": None}}, ((), {"x": 1, "not a name": [2], "": None})),
            ({"data": []}, ([], {})),
            ({"data": [1, [2], {"a": None}]}, ([1, [2], {"a": None}], {})),
            ({"data": [1], "other": 5}, ([1], {})),
            ({"data": [1], "method": "predict"}, ((), {"method": "predict", "data": [1]})),
            ({"data": {"x": 1}, "method": None}, ((), {"method": None, "data": {"x": 1}})),
        ):
            for module in MODULES:
                with self.subTest(request, orjson=module is not None):
                    found = queries.parse_query(json.dumps(request).encode("ascii"), module)
                    self.assertEqual((list(found[0]), found[1]), (list(expected[0]), expected[1]))

    def test_reads_nan_and_infinities(self):
        for module in MODULES:
            (nan, infinity), _ = queries.parse_query(b'{"data": [NaN, -Infinity]}', module)
            self.assertTrue(math.isnan(nan))
            self.assertEqual(infinity, -math.inf)

    def test_refuses_malformed_bodies(self):
        for body, message in (
            (b"", "Input body cannot be empty"),
            (b"{}", queries.NO_DATA),
            (b"[1]", queries.NO_OBJECT),
            (b"[]", queries.NO_OBJECT),
            (b"null", queries.NO_OBJECT),
            (b"5", queries.NO_OBJECT),
            (b'"data"', queries.NO_OBJECT),
            (b'["data"]', queries.NO_OBJECT),
            (b'{"Data": 1}', queries.NO_DATA),
            (b'{"method": 1}', queries.NO_DATA),
            (b"{", "JSONDecodeError : Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
            (b" ", "JSONDecodeError : Expecting value: line 1 column 2 (char 1)"),
            (b'{"data": "\xff"}', "UnicodeDecodeError : 'utf-8' codec can't decode byte 0xff in position 10"),
            (b"[" * 100000, "RecursionError : maximum recursion depth exceeded"),
        ):
            for module in MODULES:
                for kind in (bytes, memoryview):
                    with self.subTest(body[:20], orjson=module is not None, kind=kind):
                        with self.assertRaises(requests.Rejected) as caught:
                            queries.parse_query(kind(body), module)
                        self.assertTrue(caught.exception.message.startswith(message), caught.exception.message)
                        self.assertEqual(caught.exception.info, {})


    def test_refuses_data_that_is_no_dictionary_and_no_list(self):
        for data, kind in ((b'"ab"', "str"), (b'""', "str"), (b"1", "int"), (b"12345678901234567890", "int"),
                           (b"1.5", "float"), (b"NaN", "float"), (b"true", "bool"), (b"null", "NoneType")):
            for module in MODULES:
                with self.subTest(data, orjson=module is not None):
                    with self.assertRaises(requests.Rejected) as caught:
                        queries.parse_query(b'{"data": %b}' % data, module)
                    self.assertEqual(
                        (caught.exception.message, caught.exception.info),
                        ("Query parameter needs to be a dictionary or a list. Given value is of type <class '%s'>" % kind,
                         "QueryFailed"))


class CallTest(unittest.TestCase):
    def call(self, function, *arguments, **keywords):
        return queries.call(query_object(function), arguments, keywords)

    def test_returns_the_result_as_json(self):
        self.assertEqual(self.call(everything, 1, "é", x=[None]), b'[[1, "\\u00e9"], {"x": [null]}]')

    def test_writes_results_as_evaluate_does(self):
        for value, expected in (
            (None, b"null"), (math.nan, b"null"), ([1.0, math.inf], b"[1.0, null]"), ((1, 2), b"[1, 2]"), ({3}, b"[3]"),
            (datetime.date(2020, 1, 2), b'"2020-01-02"'), (range(2), b"[0, 1]"), ({1: True}, b'{"1": true}'),
        ):
            for module in MODULES:
                with self.subTest(value, orjson=module is not None):
                    self.assertEqual(queries.call(query_object(lambda: value), (), {}, module), expected)

    def test_propagates_what_the_function_raises(self):
        def fail():
            raise SystemExit("bye")
        with self.assertRaisesRegex(SystemExit, "bye"):
            self.call(fail)
        with self.assertRaisesRegex(TypeError, "positional argument"):
            self.call(lambda: 1, 2)
        with self.assertRaisesRegex(TypeError, "unexpected keyword argument 'y'"):
            self.call(lambda x: 1, y=2)

    def test_quotes_a_result_that_json_cannot_represent(self):
        class Mine:
            def __str__(self):
                return "mine"

        class Hostile:
            def __str__(self):
                raise SystemExit

        class NoText:
            def __str__(self):
                return 5
        for value, quoted in (
            (Mine(), "mine"), ([{1: 2 + 3j}], "[{1: (2+3j)}]"), (["x" * 300, 1j], "['" + "x" * 198 + "..."),
            (Hostile(), "<Hostile whose __str__ raised SystemExit>"),
            (NoText(), "<NoText whose __str__ raised TypeError>"),
        ):
            with self.subTest(quoted[:20]), self.assertRaises(TypeError) as caught:
                self.call(lambda: value)
            self.assertEqual(str(caught.exception), "Result from object query is not json serializable: " + quoted)

    def test_propagates_what_a_lazy_result_raises(self):
        with self.assertRaises(ZeroDivisionError):
            self.call(lambda: map(lambda x: 1 / x, [1, 0]))

    def test_refuses_a_result_that_contains_itself(self):
        circle = []
        circle.append(circle)
        with self.assertRaisesRegex(ValueError, "Circular reference"):
            self.call(lambda: circle)


class AnswerTest(unittest.TestCase):
    MODEL = {"name": "two words", "version": 12, "archive": "/a", "key": "k"}

    def test_answer_wraps_the_bytes_of_a_response(self):
        self.assertEqual(queries.answer(b'[1.50,  "\\u00e9"]', self.MODEL, "the-call"),
                         b'{"response": [1.50,  "\\u00e9"], "version": 12, "model": "two words", "uuid": "the-call"}')

    def test_reply_has_the_same_members_and_a_unique_id(self):
        first, second = queries.reply([1], self.MODEL), queries.reply([1], self.MODEL)
        self.assertNotEqual(first.pop("uuid"), second["uuid"])
        self.assertEqual(first, {"response": [1], "version": 12, "model": "two words"})
        self.assertRegex(second["uuid"], "^[0-9a-f-]{36}$")

    def test_etag_is_a_quoted_hash_of_the_response(self):
        self.assertEqual(queries.etag(b"[1]"), '"%s"' % hashlib.md5(b"[1]").hexdigest())
        self.assertNotEqual(queries.etag(b"[1]"), queries.etag(b"[2]"))

    def test_failure_has_tabpys_message(self):
        self.assertEqual(queries.failure("f", "ValueError : no"), {
            "message": "Error querying function 'f'",
            "info": {"uri": "f", "error": "ValueError : no", "type": "QueryFailed"}})


class AsJsonTest(unittest.TestCase):
    def test_returns_what_a_dashboard_would_send(self):
        for value, expected in (
            ((1, (2,)), [1, [2]]), ({1: {2}}, {"1": [2]}), (datetime.date(2020, 1, 2), "2020-01-02"), ("\ud800", "\ud800"),
            (True, True), (1.0, 1.0), (2 ** 70, 2 ** 70), ([math.inf, -math.inf], [math.inf, -math.inf]),
            ([0] * 20000, [0] * 20000),
        ):
            for module in MODULES:
                with self.subTest(str(value)[:20], orjson=module is not None):
                    self.assertEqual(repr(queries.as_json(value, module)), repr(expected))

    def test_keeps_nan_in_lists_of_any_length(self):
        for count in (1, 20000):
            for module in MODULES:
                found = queries.as_json([math.nan] * count, module)
                self.assertTrue(all(type(value) is float and math.isnan(value) for value in found))

    def test_shares_nothing_with_the_value(self):
        value = [{"a": [1]}]
        copy = queries.as_json(value)
        copy[0]["a"].append(2)
        self.assertEqual(value, [{"a": [1]}])

    def test_refuses_what_json_cannot_represent(self):
        with self.assertRaisesRegex(TypeError, "Object of type object is not JSON serializable"):
            queries.as_json([object()])

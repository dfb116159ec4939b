"""From the bytes of a request to a script that can run: requests.py."""

import json
import math
import unittest

from _tabpy_worker import requests, errors, scripts

try:
    import orjson
except ImportError:
    orjson = None

MODULES = [None] if orjson is None else [None, orjson]

# JSON and its value.
READABLE = [
    (b"null", None),
    (b"true", True),
    (b" [1, 2] ", [1, 2]),
    (b"\r\n\t1\n", 1),
    (b"{}", {}),
    (b'{"a": 1, "a": 2}', {"a": 2}),
    (b'{"": {"b": []}}', {"": {"b": []}}),
    (b"-0", 0),
    (b"-0.0", -0.0),
    (b"0e5", 0.0),
    (b"1E5", 100000.0),
    (b"1e+05", 100000.0),
    (b"1.0", 1.0),
    (b"0.1", 0.1),
    (b"0.30000000000000004", 0.30000000000000004),
    (b"9007199254740993", 9007199254740993),
    (b"9007199254740993.0", 9007199254740992.0),
    (b"12345678901234567.5", 12345678901234568.0),
    (b"123456789012345678", 123456789012345678),
    (b"1234567890123456789", 1234567890123456789),
    (b"9223372036854775808", 2**63),
    (b"18446744073709551615", 2**64 - 1),
    (b"18446744073709551616", 2**64),
    (b"-9223372036854775808", -2**63),
    (b"-9223372036854775809", -2**63 - 1),
    (b"123456789012345678901", 123456789012345678901),
    (b'{"a": [{"b": -123456789012345678901234567890}]}', {"a": [{"b": -123456789012345678901234567890}]}),
    (b"0.1000000000000000055511151231257827", 0.1),
    (b'"12345678901234567890123"', "12345678901234567890123"),
    (b"1e400", math.inf),
    (b"-1e400", -math.inf),
    (b"1e-400", 0.0),
    (b"5e-324", 5e-324),
    (b"2.2250738585072011e-308", 2.2250738585072011e-308),
    (b"1.7976931348623157e308", 1.7976931348623157e308),
    (b"[Infinity, -Infinity]", [math.inf, -math.inf]),
    (b'["NaN", "Infinity"]', ["NaN", "Infinity"]),
    (b'"\\ud83d\\ude00\\u00e9\\u0000\\/"', "\U0001f600é\0/"),
    ('"é😀\u2028\x7f"'.encode("utf-8"), "é😀\u2028\x7f"),
    (b'"\\ud800"', "\ud800"),
    (b'["\\ude00\\ud83d", 1]', ["\ude00\ud83d", 1]),
    (b'{"\\ud800": 1}', {"\ud800": 1}),
    (b"\xef\xbb\xbf[1]", [1]),
    (b'\xef\xbb\xbf{"a": "\\ud800"}', {"a": "\ud800"}),
]

# Invalid JSON, and the message of the answer.
UNREADABLE = [
    (b"", "JSONDecodeError : Expecting value: line 1 column 1 (char 0)"),
    (b"  ", "JSONDecodeError : Expecting value: line 1 column 3 (char 2)"),
    (b"[1, 2", "JSONDecodeError : Expecting ',' delimiter: line 1 column 6 (char 5)"),
    (b'{"a": 1', "JSONDecodeError : Expecting ',' delimiter: line 1 column 8 (char 7)"),
    (b'{"a"', "JSONDecodeError : Expecting ':' delimiter: line 1 column 5 (char 4)"),
    (b'"abc', "JSONDecodeError : Unterminated string starting at: line 1 column 1 (char 0)"),
    (b"1 2", "JSONDecodeError : Extra data: line 1 column 3 (char 2)"),
    (b"[1]\x00", "JSONDecodeError : Extra data: line 1 column 4 (char 3)"),
    (b"{}\n{}", "JSONDecodeError : Extra data: line 2 column 1 (char 3)"),
    (b"01", "JSONDecodeError : Extra data: line 1 column 2 (char 1)"),
    (b"1.", "JSONDecodeError : Extra data: line 1 column 2 (char 1)"),
    (b".5", "JSONDecodeError : Expecting value: line 1 column 1 (char 0)"),
    (b"+1", "JSONDecodeError : Expecting value: line 1 column 1 (char 0)"),
    (b"nan", "JSONDecodeError : Expecting value: line 1 column 1 (char 0)"),
    (b"tru", "JSONDecodeError : Expecting value: line 1 column 1 (char 0)"),
    (b"'a'", "JSONDecodeError : Expecting value: line 1 column 1 (char 0)"),
    (b'"\x01"', "JSONDecodeError : Invalid control character at: line 1 column 2 (char 1)"),
    (b"\xef\xbb\xbf\xef\xbb\xbf1", "JSONDecodeError : "),
    (b"[1,]", "JSONDecodeError : "),  # the message differs between versions
    (b'{"a": 1,}', "JSONDecodeError : "),
    (b"{1: 2}", "JSONDecodeError : Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    (b'"\\x"', "JSONDecodeError : "),
    (b"\xc2\xa01", "JSONDecodeError : Expecting value: line 1 column 1 (char 0)"),
    (b"\x0c1", "JSONDecodeError : Expecting value: line 1 column 1 (char 0)"),
    (b'"\xff"', "UnicodeDecodeError : 'utf-8' codec can't decode byte 0xff in position 1: invalid start byte"),
    (b'"\xed\xa0\x80"', "UnicodeDecodeError : 'utf-8' codec can't decode"),
    (b'"\xf4\x90\x80\x80"', "UnicodeDecodeError : 'utf-8' codec can't decode"),
    ('"a"'.encode("utf-16"), "UnicodeDecodeError : 'utf-8' codec can't decode"),
    (b"[" * 100000, "RecursionError : maximum recursion depth exceeded"),
    (b'{"a":' * 100000, "RecursionError : maximum recursion depth exceeded"),
]


class ReadJsonTest(unittest.TestCase):
    def test_reads_the_same_with_and_without_orjson(self):
        for body, expected in READABLE:
            for module in MODULES:
                for kind in (bytes, bytearray, memoryview):
                    with self.subTest(body, orjson=module is not None, kind=kind):
                        value = requests.read_json(kind(body), module)
                        # repr distinguishes 1 from 1.0 and from True, and 0.0 from -0.0
                        self.assertEqual(repr(value), repr(expected))

    def test_reads_nan(self):
        for module in MODULES:
            value = requests.read_json(b'{"a": [NaN, 1]}', module)
            self.assertTrue(math.isnan(value["a"][0]))

    def test_refuses_with_the_message_of_json(self):
        for body, expected in UNREADABLE:
            for module in MODULES:
                for kind in (bytes, memoryview):
                    with self.subTest(body[:40], orjson=module is not None, kind=kind):
                        with self.assertRaises(requests.MalformedJson) as caught:
                            requests.read_json(kind(body), module)
                        self.assertTrue(str(caught.exception).startswith(expected), str(caught.exception))

    def test_refuses_deep_values(self):
        # `json` alone: an old orjson has no limit and reads them.
        for body in (b"[" * 100000 + b"]" * 100000, b'{"a":' * 100000 + b"1" + b"}" * 100000):
            with self.assertRaisesRegex(requests.MalformedJson, "^RecursionError : maximum recursion depth exceeded"):
                requests.read_json(body)

    def test_uses_orjson_for_what_it_can_read(self):
        class Orjson:
            @staticmethod
            def loads(body):
                return "orjson's"

        self.assertEqual(requests.read_json(b"[123456789012345678]", Orjson), "orjson's")
        self.assertEqual(requests.read_json(b"[1234567890123456789]", Orjson), [1234567890123456789])


class ParseEvaluateTest(unittest.TestCase):
    def parse(self, request):
        body = request if type(request) is bytes else json.dumps(request).encode("ascii")
        return requests.parse_evaluate(body, scripts.ScriptCache())

    def run_request(self, request):
        script, arguments = self.parse(request)
        return script.bind()("tabpy", *arguments)

    def test_passes_arguments_to_the_script_in_order(self):
        data = {"_arg2": [2], "_arg1": {"a": 1}, "_arg3": None}
        self.assertEqual(self.run_request({"script": "return [_arg1, _arg2, _arg3]", "data": data}),
                         [{"a": 1}, [2], None])

    def test_accepts_any_number_of_arguments(self):
        for count in (0, 1, 16, 17, 100, 300):
            with self.subTest(count=count):
                data = {"_arg%d" % at: at for at in range(count, 0, -1)}
                text = "return [value for name, value in sorted(locals().items()) if name != 'tabpy']"
                self.assertEqual(sorted(self.run_request({"script": text, "data": data})), list(range(1, count + 1)))

    def test_runs_without_data(self):
        for request in ({"script": "return 5"}, {"script": "return 5", "data": None}, {"script": "return 5", "data": {}}):
            with self.subTest(request):
                self.assertEqual(self.run_request(request), 5)

    def test_ignores_other_members(self):
        self.assertEqual(self.run_request({"script": "return _arg1", "data": {"_arg1": 1}, "dataPath": "x"}), 1)

    def test_refuses_malformed_requests(self):
        empty = "Script is empty."
        names = "Variables names should follow the format _arg1, _arg2, _argN"
        data = "Script parameters need to be provided as a dictionary."
        for request, message in (
            ({}, empty), ({"data": {"_arg1": 1}}, empty), ({"script": None}, empty), ({"script": ""}, empty),
            ({"script": " \n# only this\n"}, empty), ([], empty), (b"null", empty), (b'"return 1"', empty), (b"1", empty),
            ({"script": 5}, "Script must be text."), ({"script": ["return 1"]}, "Script must be text."),
            ({"script": "return 1", "data": []}, data), ({"script": "return 1", "data": [1]}, data),
            ({"script": "return 1", "data": "x"}, data), ({"script": "return 1", "data": 0}, data),
            ({"script": "return 1", "data": False}, data),
            ({"script": "return 1", "data": {"_arg0": 1}}, names), ({"script": "return 1", "data": {"_arg2": 1}}, names),
            ({"script": "return 1", "data": {"_arg1": 1, "_arg3": 1}}, names),
            ({"script": "return 1", "data": {"_arg1": 1, "x": 1}}, names), ({"script": "return 1", "data": {"arg1": 1}}, names),
            ({"script": "return 1", "data": {"_ARG1": 1}}, names), ({"script": "return 1", "data": {"_arg01": 1}}, names),
            ({"script": "return 1", "data": {"": 1}}, names),
            ({"script": "return 1", "data": {"_arg%d" % at: 1 for at in range(18)}}, names),
        ):
            with self.subTest(request), self.assertRaises(requests.Rejected) as caught:
                self.parse(request)
            self.assertEqual((caught.exception.message, caught.exception.info), (message, {}))

    def test_refuses_invalid_json(self):
        with self.assertRaises(requests.Rejected) as caught:
            self.parse(b"{")
        self.assertEqual(caught.exception.message, "Error processing script")
        self.assertRegex(caught.exception.info, "^JSONDecodeError : ")

    def test_checks_the_data_before_the_script(self):
        with self.assertRaisesRegex(requests.Rejected, "dictionary"):
            self.parse({"script": "no python", "data": []})

    def test_propagates_what_compiling_raises(self):
        with self.assertRaises(SyntaxError):
            self.parse({"script": "return return"})

    def test_describe_rejection_is_the_answer(self):
        self.assertEqual(json.loads(errors.describe_rejection(requests.Rejected("a\ud800", "b"))),
                         {"message": "a\ud800", "info": "b"})
        self.assertEqual(json.loads(errors.describe_rejection(requests.Rejected("a"))), {"message": "a", "info": {}})

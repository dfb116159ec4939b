// What Tableau Desktop and Tableau Prep send, on the compiled server; each answer compared with that of the same
// computation in the same Python, run directly.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { request as httpRequest } from "node:http";
import { gunzipSync, gzipSync } from "node:zlib";
import { testPython } from "../support/interpreters.ts";
import { createRandom } from "../support/random.ts";
import { startServer, type TestServer } from "../support/server.ts";

const largeMs = 120_000;
const python = testPython().file;
let server: TestServer;
beforeAll(async () => {
  server = await startServer();
}, 60_000);
afterAll(() => server.stop());

type Data = Readonly<Record<string, unknown>>;

/** What the script returns for the data in plain Python: as a function of its arguments, and json.dumps. */
async function direct(script: string, data: Data): Promise<unknown> {
  const names = Object.keys(data);
  const body = script.split("\n").map((line) => `    ${line}`);
  const program = [
    "import json, sys",
    "__name__ = 'script'", // as on the server, where no script is the main program
    `def script(${names.join(", ")}):`,
    ...body,
    "print(json.dumps(script(**json.load(sys.stdin))))",
  ].join("\n");
  const run = Bun.spawn([python, "-c", program], {
    stdin: Buffer.from(JSON.stringify(data)),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors, code] = await Promise.all([run.stdout.text(), run.stderr.text(), run.exited]);
  if (code !== 0) throw new Error(errors);
  return JSON.parse(output);
}

/** The server's answer, which must be the value that plain Python computes. */
async function expectAsDirect(script: string, data: Data, init: RequestInit = {}): Promise<unknown> {
  const [answer, wanted] = await Promise.all([server.evaluate(script, data, init), direct(script, data)]);
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  expect(answer.json).toEqual(wanted);
  return answer.json;
}

/** Numbers from 0 to 1 that are the same in each run. */
function numbers(count: number, seed: number): number[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => random(2 ** 32) / 2 ** 32);
}

test("Test Connection: GET /info, then the script that returns 1", async () => {
  const info = await server.request("/info");
  expect(info.status).toBe(200);
  expect(info.json.versions.v1.features).toEqual({
    evaluate_enabled: true,
    gzip_enabled: true,
    arrow_enabled: false,
  });
  expect(typeof info.json.creation_time).toBe("string");
  const answer = await server.evaluate("return int(1)", { _arg1: [4] });
  expect([answer.status, answer.text]).toEqual([200, "1"]);
});

test("SCRIPT_REAL with the content type of a form", async () => {
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  const data = { _arg1: [1.5, 2, null, -3.25e10], _arg2: [10, 0.1, 1, 2] };
  const script = "return [None if a is None else a * b for a, b in zip(_arg1, _arg2)]";
  expect(await expectAsDirect(script, data, { headers })).toHaveLength(4);
});

test("SCRIPT_INT keeps integers exact", async () => {
  const data = { _arg1: [1, -2, 2 ** 40], _arg2: [3, 4, 2 ** 13] };
  await expectAsDirect("return [a * b + 1 for a, b in zip(_arg1, _arg2)]", data);
  const answer = await server.evaluate("return [_arg1[0] ** 5, -7 // 2]", { _arg1: [2 ** 40] });
  expect(answer.text).toBe(`[${2n ** 200n}, -4]`);
});

test("SCRIPT_STR with text in several alphabets", async () => {
  const data = { _arg1: ["Größe", "Ελλάδα", "Москва", "東京", "עברית", "😀", 'a "quoted"\\\n\tb', "", null] };
  await expectAsDirect("return [None if s is None else s[::-1] + '|' + s.upper() for s in _arg1]", data);
});

test("SCRIPT_BOOL", async () => {
  const data = { _arg1: [1, 5, 3, null], _arg2: [2, 4, 3, 1] };
  const script = "return [None if a is None else a > b for a, b in zip(_arg1, _arg2)]";
  expect(await expectAsDirect(script, data)).toEqual([false, true, false, null]);
});

test("correlation with numpy over 10,000 rows", async () => {
  const first = numbers(10_000, 1);
  const data = { _arg1: first, _arg2: numbers(10_000, 2).map((value, at) => value + (first[at] ?? 0)) };
  const found = await expectAsDirect("import numpy\nreturn float(numpy.corrcoef(_arg1, _arg2)[0, 1])", data);
  expect(found).toBeGreaterThan(0.5);
  expect(found).toBeLessThan(0.9);
});

test(
  "clustering with scikit-learn",
  async () => {
    const around = (middle: number, seed: number) => numbers(100, seed).map((value) => middle + value);
    const data = {
      _arg1: [...around(0, 3), ...around(10, 4), ...around(20, 5)],
      _arg2: [...around(5, 6), ...around(-5, 7), ...around(5, 8)],
    };
    const script = `import numpy as np
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

rows = StandardScaler().fit_transform(np.column_stack([_arg1, _arg2]))
return KMeans(n_clusters=3, n_init=10, random_state=42).fit_predict(rows).tolist()`;
    const labels = (await expectAsDirect(script, data)) as number[];
    const sizes = [0, 1, 2].map((cluster) => labels.filter((label) => label === cluster).length);
    expect(sizes).toEqual([100, 100, 100]);
  },
  largeMs,
);

test("a table extension: columns in, columns out", async () => {
  const data = {
    _arg1: { Region: ["West", "East", null], Sales: [10.5, null, 3], "Größe in %": [1, 2, 3] },
  };
  const script = `import pandas as pd
frame = pd.DataFrame(_arg1)
frame["Share"] = frame["Sales"].fillna(0) / frame["Sales"].sum()
return {name: [None if pd.isna(v) else v for v in frame[name].tolist()] for name in frame}`;
  const table = await expectAsDirect(script, data);
  expect(Object.keys(table as object)).toEqual(["Region", "Sales", "Größe in %", "Share"]);
});

test("a table extension that returns its DataFrame", async () => {
  const data = { _arg1: { a: [1, 2, 3], b: ["x", "y", null] } };
  const answer = await server.evaluate("import pandas\nreturn pandas.DataFrame(_arg1)", data);
  expect(answer.json).toEqual({ a: [1, 2, 3], b: ["x", "y", null] });
});

/** A script file as people write it for Prep, including the guard of a main program. */
const prepFile = `"""Cleans the orders.

Runs as a step of a Tableau Prep flow.
"""
import os

import pandas as pd

RATES = {"EUR": 1.0, "USD": 0.92, "日本円": 0.0062}


def get_output_schema():
    return pd.DataFrame({"order": prep_int(), "city": prep_string(), "day": prep_date(), "total": prep_decimal()})


def clean(df):
    """Fill, convert and sum up."""
    df = df.copy()
    df["price"] = df["price"].fillna(df["price"].median())
    df["rate"] = df["currency"].map(RATES).fillna(1.0)
    df["total"] = (df["price"] * df["amount"] * df["rate"]).round(4)
    df["day"] = pd.to_datetime(df["day"]).dt.strftime("%Y-%m-%d")
    df["weekday"] = pd.to_datetime(df["day"]).dt.dayofweek.fillna(-1).astype(int)
    df["city"] = df["city"].fillna("unbekannt – άγνωστο").str.strip()
    df["note"] = df["note"].where(df["note"].notna(), None)
    return df.drop(columns=["rate"])


if __name__ == "__main__":
    raise SystemExit("the main program of the file ran")
`;

test(
  "a step of Tableau Prep with pandas over 100,000 rows and 8 columns",
  async () => {
    const rows = 100_000;
    const cities = ["Zürich", "Αθήνα", "Москва", " 東京 ", "القاهرة", "São Paulo", null];
    const currencies = ["EUR", "USD", "日本円", null, "???"];
    const random = numbers(rows, 9);
    const column = <T>(value: (at: number) => T) => Array.from({ length: rows }, (_, at) => value(at));
    const day = (at: number) => new Date(Date.UTC(2020, 0, 1 + (at % 2000))).toISOString().slice(0, 10);
    const data = {
      _arg1: {
        order: column((at) => at),
        city: column((at) => cities[at % cities.length]),
        currency: column((at) => currencies[at % currencies.length]),
        day: column((at) => (at % 11 === 0 ? null : day(at))),
        price: column((at) => (at % 13 === 0 ? null : Math.round((random[at] ?? 0) * 1e6) / 100)),
        amount: column((at) => (at % 9) + 1),
        note: column((at) => (at % 3 === 0 ? null : `note ${at} “é”`)),
        returned: column((at) => at % 17 === 0),
      },
    };
    const script = `${prepFile}
execution_result = clean(pd.DataFrame(_arg1))
execution_result = execution_result.astype(object).where(execution_result.notna(), None)
return execution_result.to_dict(orient='list')`;
    const table = (await expectAsDirect(script, data)) as Record<string, unknown[]>;
    expect(Object.keys(table)).toEqual([...Object.keys(data._arg1), "total", "weekday"]);
    expect(table.city?.slice(0, 7)).toEqual([
      "Zürich",
      "Αθήνα",
      "Москва",
      "東京",
      "القاهرة",
      "São Paulo",
      "unbekannt – άγνωστο",
    ]);
    expect(table.day?.slice(0, 2)).toEqual([null, "2020-01-02"]);
  },
  largeMs,
);

test("the main program of a Prep script doesn't run", async () => {
  const script = `def f(rows):
    return rows

if __name__ == "__main__":
    raise ValueError("the main program ran")

execution_result = f(_arg1)
return execution_result`;
  const answer = await server.evaluate(script, { _arg1: { a: [1] } });
  expect([answer.status, answer.json]).toEqual([200, { a: [1] }]);
});

test("the NaN and NaT of a Prep step are null", async () => {
  const script = `import pandas as pd
frame = pd.DataFrame(_arg1)
frame["day"] = pd.to_datetime(frame["day"])
return frame.to_dict(orient='list')`;
  const answer = await server.evaluate(script, { _arg1: { x: [1.5, null], day: ["2024-02-29", null] } });
  expect([answer.status, answer.json]).toEqual([200, { x: [1.5, null], day: ["2024-02-29T00:00:00", null] }]);
});

test(
  "1,000,000 rows of two columns",
  async () => {
    const rows = 1_000_000;
    const first = Array.from({ length: rows }, (_, at) => at);
    const second = numbers(rows, 10);
    const answer = await server.evaluate("return [a + b for a, b in zip(_arg1, _arg2)]", {
      _arg1: first,
      _arg2: second,
    });
    expect(answer.status).toBe(200);
    // The same sums of the same doubles; a matcher would print millions of lines.
    const sums = answer.json as number[];
    const wrong = first.filter((value, at) => sums[at] !== value + (second[at] ?? Number.NaN));
    expect([sums.length, wrong.length]).toEqual([rows, 0]);
  },
  largeMs,
);

test("a gzip request and a gzip answer", async () => {
  const data = { _arg1: numbers(20_000, 11) };
  const script = "return [value * 2 for value in _arg1]";
  const body = gzipSync(JSON.stringify({ script, data }));
  const headers = { "Content-Encoding": "gzip", "Accept-Encoding": "gzip" };
  const answer = await exchange("/evaluate", headers, body);
  expect([answer.status, answer.headers["content-encoding"]]).toEqual([200, "gzip"]);
  const text = gunzipSync(answer.body).toString();
  expect(answer.body.length).toBeLessThan(text.length);
  expect(JSON.parse(text)).toEqual(await direct(script, data));
});

test("an answer is not compressed for a client that doesn't accept gzip", async () => {
  const body = Buffer.from(JSON.stringify({ script: "return 'x' * 5000", data: {} }));
  const answer = await exchange("/evaluate", { "Accept-Encoding": "identity" }, body);
  expect([answer.status, answer.headers["content-encoding"]]).toEqual([200, undefined]);
  expect(JSON.parse(String(answer.body))).toBe("x".repeat(5000));
});

interface Exchanged {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** A POST whose answer stays compressed: fetch would decompress it. */
function exchange(path: string, headers: Record<string, string>, body: Buffer): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(server.url + path, { method: "POST", headers }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }),
      );
    });
    request.on("error", reject);
    request.end(body);
  });
}

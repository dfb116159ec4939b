// Scripts that call their own server and wait for the answer, as vendors' Prep templates do: as many of them at once as
// there are workers must not wait for one another.

import { expect, test } from "bun:test";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { deploy, functionArchive, loaded } from "./archives.ts";

const plusOne = functionArchive("def f(rows): return [row['x'] + 1 for row in rows]", "f");
const env = { TABPY_WORKERS: "2", TABPY_EVALUATE_TIMEOUT: "25" };

/** A script with `post(path, body)`, which sends a request to the server itself. */
function posting(server: TestServer, text: string): string {
  return `import json, urllib.error, urllib.request
def post(path, body):
  request = urllib.request.Request("${server.url}" + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
  with urllib.request.urlopen(request, timeout=60) as answer:
    return json.load(answer)
${text}`;
}

async function withFunction(settings: Readonly<Record<string, string>> = env): Promise<TestServer> {
  const server = await startServer({ env: settings });
  await deploy(server, "plus one", plusOne);
  await loaded(server, "plus one");
  return server;
}

const kinds: Record<string, (server: TestServer) => string> = {
  "the client library": ({ url }) => `from tabpy.tabpy_tools.client import Client
return Client("${url}/").query("plus one", [{"x": x} for x in _arg1])["response"]`,
  "the client library as tabpy_tools has it, under another name of this machine": ({
    port,
  }) => `from tabpy.tabpy_tools import client
return client.Client("http://localhost:${port}").query("plus one", rows=[{"x": x} for x in _arg1])["response"]`,
  "a POST to /query": (server) =>
    posting(
      server,
      `return post("/query/plus%20one", {"data": {"rows": [{"x": x} for x in _arg1]}})["response"]`,
    ),
  "a POST to /evaluate": (server) =>
    posting(
      server,
      `return post("/evaluate", {"data": {"_arg1": _arg1}, "script": "import time\\ntime.sleep(0.05)\\nreturn [x + 1 for x in _arg1]"})`,
    ),
  "a POST by a child process": (server) => `import json, subprocess, sys
program = '''import json, sys, urllib.request
body = json.dumps({"data": {"rows": [{"x": x} for x in json.loads(sys.argv[1])]}}).encode()
print(urllib.request.urlopen("${server.url}/query/plus%20one", body).read().decode())'''
return json.loads(subprocess.run([sys.executable, "-c", program, json.dumps(_arg1)], stdout=subprocess.PIPE).stdout)["response"]`,
};

test.each(Object.keys(kinds))(
  "scripts that call their server by %s don't wait for one another",
  async (kind) => {
    await using server = await withFunction();
    const script = kinds[kind]?.(server) ?? "";
    for (const count of [1, 2, 6]) {
      const answers = await Promise.all(
        Array.from({ length: count }, () => server.evaluate(script, { _arg1: [1, 2.5] })),
      );
      expect(answers.map(({ text }) => text)).toEqual(Array(count).fill("[2, 3.5]"));
    }
    expect((await server.evaluate("return 1")).text).toBe("1");
  },
  90_000,
);

const nested = `if _arg1 == 0: return [0]
try:
  return post("/evaluate", {"data": {"_arg1": _arg1 - 1, "_arg2": _arg2}, "script": _arg2}) + [_arg1]
except urllib.error.HTTPError as error:
  return [error.code, json.load(error)["info"]]`;

test("a chain of eight calls inside one another is answered", async () => {
  await using server = await withFunction({ ...env, TABPY_WORKERS: "1" });
  const script = posting(server, nested);
  const answers = await Promise.all(
    [8, 8, 3].map((depth) => server.evaluate(script, { _arg1: depth, _arg2: script })),
  );
  expect(answers.map(({ json }) => json)).toEqual([8, 8, 3].map((depth) => [...Array(depth + 1).keys()]));
  await server.waitForLog(/Starting a further worker: all are busy, and this call comes from inside call /);
}, 90_000);

test("a script that calls itself without end is refused with the reason, and harms nobody", async () => {
  await using server = await withFunction();
  const before = server.children().length;
  const script = posting(server, nested);
  const { json, status } = await server.evaluate(script, { _arg1: 1000, _arg2: script });
  expect(status).toBe(200);
  expect(json[0]).toBe(503);
  expect(json[1]).toMatch(
    /^it comes from inside call \S+, and calls from inside scripts may be nested 8 deep$/,
  );
  await server.waitForLog(/A call was refused: it comes from inside call /);
  const others = await Promise.all([1, 2, 3].map((x) => server.evaluate("return _arg1", { _arg1: x })));
  expect(others.map(({ text }) => text)).toEqual(["1", "2", "3"]);
  await until("the end of the further workers", () => server.children().length <= before, 20_000);
}, 90_000);

test("calls from outside wait for the workers of the pool", async () => {
  await using server = await withFunction();
  const before = server.children().length;
  const answers = Promise.all(
    Array.from({ length: 8 }, () => server.evaluate("import time\ntime.sleep(0.3)\nreturn 1")),
  );
  let most = 0;
  const count = setInterval(() => {
    most = Math.max(most, server.children().length);
  }, 50);
  expect((await answers).map(({ text }) => text)).toEqual(Array(8).fill("1"));
  clearInterval(count);
  expect(most).toBeLessThanOrEqual(before);
}, 60_000);

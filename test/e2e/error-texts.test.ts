// Requests that are wrong, on the executable: each is answered in TabPy's words, whatever else is wrong with it.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { startServer, type TestServer } from "../support/server.ts";
import { sendBytes } from "../http/app-server.ts";
import { add, deploy, functionArchive } from "./archives.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  const everything = functionArchive("def f(*args, **kwargs): return [args, kwargs]", "f");
  const taken = functionArchive("def f(self, query, name, args): return [self, query, name, args]", "f");
  expect((await deploy(server, "add", add)).status).toBe(201);
  expect((await deploy(server, "echo", everything)).status).toBe(201);
  expect((await deploy(server, "taken", taken)).status).toBe(201);
  const alias = { name: "plus", type: "alias", target: "add" };
  expect((await post("/endpoints", alias)).status).toBe(201);
}, 60_000);
afterAll(() => server.stop());

function post(path: string, body: unknown, method = "POST") {
  return server.request(path, { method, body: typeof body === "string" ? body : JSON.stringify(body) });
}

// Before: a string was spread over the positional arguments, and a number failed in Python's words.
const wrongData: readonly [data: unknown, type: string][] = [
  ["ab", "str"],
  ["", "str"],
  [5, "int"],
  [1.5, "float"],
  [true, "bool"],
  [null, "NoneType"],
];
for (const [data, type] of wrongData) {
  test(`data ${JSON.stringify(data)} of /query is answered with 500 and its type`, async () => {
    for (const [name, called] of [
      ["add", "add"],
      ["plus", "add"],
      ["echo", "echo"],
    ]) {
      const answer = await post(`/query/${name}`, { data });
      expect([answer.status, answer.json]).toEqual([
        500,
        {
          message: `Error querying function '${called}'`,
          info: {
            uri: called,
            error: `Query parameter needs to be a dictionary or a list. Given value is of type <class '${type}'>`,
            type: "QueryFailed",
          },
        },
      ]);
    }
    expect((await post("/query/gone", { data })).json).toEqual({
      message: "UnknownURI",
      info: "Endpoint 'gone' does not exist",
    });
  });
}

for (const body of ['"data"', "[]", '["data"]', "5", "null", "true"]) {
  test(`the body ${body} of /query is answered with 400`, async () => {
    for (const name of ["add", "plus", "gone"]) {
      const answer = await post(`/query/${name}`, body);
      expect([answer.status, answer.json]).toEqual([
        400,
        { message: "RuntimeError : Input data must be a dictionary", info: {} },
      ]);
    }
  });
}

// Before: CustomQueryObject.query() got multiple values for argument 'self'.
test("an argument of any name reaches the function, from outside and from a script", async () => {
  const data = { self: 1, query: 2, name: 3, args: 4 };
  expect((await post("/query/taken", { data })).json).toMatchObject({ response: [1, 2, 3, 4] });
  for (const name of Object.keys(data)) {
    expect((await post("/query/echo", { data: { [name]: 5 } })).json).toMatchObject({
      response: [[], { [name]: 5 }],
    });
    const script = `return tabpy.query('echo', ${name}=5)['response']`;
    expect((await server.evaluate(script)).json).toEqual([[], { [name]: 5 }]);
  }
  const script = "return tabpy.query('taken', self=1, query=2, name=3, args=4)['response']";
  expect((await server.evaluate(script)).json).toEqual([1, 2, 3, 4]);
  expect((await server.evaluate("return tabpy.query(name='echo', x=1)['response']")).json).toEqual([
    [],
    { x: 1 },
  ]);
});

const noSource = "src_path is required to add/update an endpoint.";
const noTarget = "Target is required for alias endpoint.";
const change = "Error when changing TabPy state:";
const refused: readonly [method: string, path: string, body: unknown, status: number, message: string][] = [
  ["POST", "/endpoints", { name: "x", type: "alias" }, 400, noTarget],
  ["POST", "/endpoints", { name: "x", type: "alias", target: "" }, 400, noTarget],
  ["POST", "/endpoints", { name: "x", type: "alias", target: null, description: 5 }, 400, noTarget],
  ["PUT", "/endpoints/plus", { type: "alias" }, 400, noTarget],
  ["PUT", "/endpoints/plus", { type: "alias", target: [] }, 400, noTarget],
  ["POST", "/endpoints", { name: "x", type: "alias", target: 5 }, 400, `${change} target must be a string.`],
  ["POST", "/endpoints", { name: "x", type: "model", src_path: "" }, 400, noSource],
  ["POST", "/endpoints", { name: "x", type: "model", src_path: " \t" }, 400, noSource],
  ["POST", "/endpoints", { name: "x", type: 5 }, 400, noSource],
  ["PUT", "/endpoints/add", { src_path: "" }, 400, noSource],
  ["PUT", "/endpoints/add", { src_path: 0, description: 5 }, 400, noSource],
  ["PUT", "/endpoints/add", "5", 400, "Failed to decode input body"],
  ["PUT", "/endpoints/plus", "5", 400, "Failed to decode input body"],
  ["PUT", "/endpoints/gone", "[]", 404, "endpoint gone does not exist."],
  ["PUT", "/endpoints/gone", "{", 400, "Failed to decode input body"],
  ["POST", "/endpoints", " ", 400, "Failed to decode input body"],
];
for (const [method, path, body, status, message] of refused) {
  test(`${method} ${path} with ${JSON.stringify(body)} is answered with ${status}`, async () => {
    const before = (await server.request("/endpoints")).text;
    const answer = await post(path, body, method);
    expect([answer.status, answer.json.message]).toEqual([status, message]);
    expect((await server.request("/endpoints")).text).toBe(before);
  });
}

test("what is not JSON is described in the words of Python's json, by every route", async () => {
  const fault = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)";
  for (const [method, path, body] of [
    ["POST", "/evaluate", { message: "Error processing script", info: `JSONDecodeError : ${fault}` }],
    ["POST", "/query/add", { message: `JSONDecodeError : ${fault}`, info: {} }],
    ["POST", "/endpoints", { message: "Failed to decode input body", info: fault }],
    ["PUT", "/endpoints/add", { message: "Failed to decode input body", info: fault }],
  ] as const) {
    const answer = await post(path, "{nope", method);
    expect([path, answer.status, answer.json]).toEqual([path, 400, body]);
  }
});

const paths = [
  "/info",
  "/status",
  "/endpoints",
  "/endpoints/add",
  "/configurations/endpoint_upload_destination",
];
test("HEAD answers where GET only reads, and is refused where it would run something", async () => {
  for (const path of paths) {
    const answer = await server.request(path, { method: "HEAD" });
    expect([path, answer.status, answer.text]).toEqual([path, 200, ""]);
  }
  for (const path of ["/query/add", "/query/gone", "/evaluate"]) {
    const answer = await server.request(path, { method: "HEAD" });
    expect([path, answer.status, answer.text]).toEqual([path, 405, ""]);
  }
});

test("a method that a route doesn't have is answered with 405", async () => {
  for (const method of ["PATCH", "TRACE", "PROPFIND"]) {
    for (const path of [...paths, "/query/add", "/query/gone", "/evaluate"]) {
      const answer = await rawStatus(method, path);
      expect([method, path, answer]).toEqual([method, path, 405]);
    }
  }
});

test("GET with a body is answered as without one, and by /query as POST", async () => {
  for (const path of paths) {
    const [plain, withBody] = [
      await rawStatus("GET", path),
      await rawStatus("GET", path, '{"data": [1, 2]}'),
    ];
    expect([path, plain, withBody]).toEqual([path, 200, 200]);
  }
  expect(await rawStatus("GET", "/query/add", '{"data": [1, 2]}')).toBe(200);
  expect(await rawStatus("GET", "/query/add", '{"data": "ab"}')).toBe(500);
  expect(await rawStatus("GET", "/evaluate", '{"data": {}, "script": "return 1"}')).toBe(405);
});

/** The status of a request that fetch doesn't send. */
async function rawStatus(method: string, path: string, body = ""): Promise<number> {
  const head = [
    `${method} ${path} HTTP/1.1`,
    "Host: localhost",
    "Connection: close",
    `Content-Length: ${body.length}`,
  ];
  return (await sendBytes(server.port, `${head.join("\r\n")}\r\n\r\n${body}`)).status;
}

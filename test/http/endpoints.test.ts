// The management API: calls of the registry, statuses and bodies.

import { expect, test } from "bun:test";
import { TabPyError } from "../../src/errors.ts";
import type { EndpointService } from "../../src/http/types.ts";
import { pythonJson } from "../../src/python-json.ts";
import type { EndpointBody } from "../../src/registry/endpoint.ts";
import { noEndpoints, startApp } from "./app-server.ts";

const add = { description: "é", type: "model", version: 1, target: null } as EndpointBody;
const plus = { description: "", type: "alias", version: 2, target: "add" } as EndpointBody;
const endpoints: EndpointService = {
  ...noEndpoints,
  list: () => ({ add, "two words": plus }),
  get: (name) => new Map(Object.entries({ add, "two words": plus })).get(name),
  status: () => ({ add: { version: 1, type: "model", status: "LoadSuccessful", last_error: null } }),
};

/** Endpoints whose methods are recorded in `done`, in order. */
function recorded(overrides: Partial<EndpointService> = {}): {
  endpoints: EndpointService;
  done: unknown[][];
} {
  const done: unknown[][] = [];
  const note =
    <T>(name: string, answer: T) =>
    async (...values: unknown[]) => {
      done.push([name, ...values]);
      return answer;
    };
  return {
    done,
    endpoints: {
      ...endpoints,
      refresh: note("refresh", undefined),
      settled: note("settled", undefined),
      add: note("add", { "a name": add }),
      update: note("update", { "a name": add }),
      remove: note("remove", undefined),
      ...overrides,
    },
  };
}

const gets: readonly [path: string, status: number, text: string][] = [
  [
    "/endpoints",
    200,
    '{"add": {"description": "\\u00e9", "type": "model", "version": 1, "target": null}, "two words": {"description": "", "type": "alias", "version": 2, "target": "add"}}',
  ],
  ["/endpoints/", 200, pythonJson({ add, "two words": plus })],
  ["/endpoints?type=alias", 200, pythonJson({ "two words": plus })],
  ["/endpoints?type=other", 200, "{}"],
  ["/endpoints?type=", 200, pythonJson({ add, "two words": plus })],
  ["/endpoints/add", 200, pythonJson(add)],
  ["/endpoints/two%20words", 200, pythonJson(plus)],
  ["/endpoints/nothing", 404, '{"message": "Unknown endpoint", "info": "Endpoint nothing is not found"}'],
  ["/endpoints/__proto__", 404, '{"message": "Unknown endpoint", "info": "Endpoint __proto__ is not found"}'],
  ["/endpoints/toString", 404, '{"message": "Unknown endpoint", "info": "Endpoint toString is not found"}'],
  [
    "/status",
    200,
    '{"add": {"version": 1, "type": "model", "status": "LoadSuccessful", "last_error": null}}',
  ],
  ["/configurations/endpoint_upload_destination", 200, '{"path": "/state/staging"}'],
];
for (const [path, status, text] of gets) {
  test(`GET ${path} is answered with ${status}`, async () => {
    await using server = await startApp({ endpoints });
    const answer = await server.send({ path });
    expect([answer.status, String(answer.body), answer.headers.get("content-type")]).toEqual([
      status,
      text,
      "application/json",
    ]);
  });
}

test("endpoints and their status are shown after what other processes have deployed was read", async () => {
  for (const path of ["/endpoints", "/endpoints/add", "/status"]) {
    const { endpoints, done } = recorded();
    await using server = await startApp({ endpoints });
    await server.send({ path });
    expect(done[0]).toEqual(["refresh"]);
  }
});

test("GET /configurations/endpoint_upload_destination has the header that offers uploads", async () => {
  await using server = await startApp({ endpoints });
  const answer = await server.send({ path: "/configurations/endpoint_upload_destination" });
  expect(answer.headers.get("tabpy-upload")).toBe("1");
});

const body = { name: "a name", schema: { x: [1, "é", null] } };

test("POST /endpoints passes the body to the registry, waits for the load and answers 201", async () => {
  const { endpoints, done } = recorded();
  await using server = await startApp({ endpoints });
  const answer = await server.send({ method: "POST", path: "/endpoints", body: JSON.stringify(body) });
  expect([answer.status, String(answer.body)]).toEqual([201, pythonJson({ "a name": add })]);
  expect(done.map(([what]) => what)).toEqual(["add", "settled"]);
  expect(pythonJson(done[0]?.[1])).toBe(pythonJson(body));
  expect(done[1]).toEqual(["settled", 5000, "a name"]);
});

test("PUT /endpoints/{name} passes name and body to the registry, waits for the load and answers 200", async () => {
  const { endpoints, done } = recorded();
  await using server = await startApp({ endpoints });
  const answer = await server.send({
    method: "PUT",
    path: "/endpoints/a%20name",
    body: JSON.stringify(body),
  });
  expect([answer.status, String(answer.body)]).toEqual([200, pythonJson({ "a name": add })]);
  expect(done.map(([what, name]) => [what, name])).toEqual([
    ["update", "a name"],
    ["settled", 5000],
  ]);
  expect(pythonJson(done[0]?.[2])).toBe(pythonJson(body));
  expect(done[1]).toEqual(["settled", 5000, "a name"]);
});

test("DELETE /endpoints/{name} passes the name to the registry and answers 204 without a body", async () => {
  const { endpoints, done } = recorded();
  await using server = await startApp({ endpoints });
  const answer = await server.send({ method: "DELETE", path: "/endpoints/a%20name" });
  expect([answer.status, answer.body.length, answer.headers.get("content-type")]).toEqual([204, 0, null]);
  expect(done).toEqual([["remove", "a name"]]);
});

test("numbers of a body reach the registry as they were written", async () => {
  const { endpoints, done } = recorded();
  await using server = await startApp({ endpoints });
  const text = '{"schema": [1.0, 12345678901234567890, -0.0, NaN]}';
  await server.send({ method: "POST", path: "/endpoints", body: text });
  expect(pythonJson(done[0]?.[1])).toBe(text.replace("NaN", "null"));
});

const badBodies: readonly [what: string, body: Buffer | string, message: string, info: unknown][] = [
  ["an empty body", "", "Input body cannot be empty", {}],
  [
    "invalid JSON",
    "{",
    "Failed to decode input body",
    "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
  ],
  ["blanks", " \n", "Failed to decode input body", "Expecting value: line 2 column 1 (char 2)"],
  ["two values", '{"name": "x"} {}', "Failed to decode input body", "Extra data: line 1 column 15 (char 14)"],
  [
    "JSON that ends early",
    '{"name": "x',
    "Failed to decode input body",
    "Unterminated string starting at: line 1 column 10 (char 9)",
  ],
  ["too many levels", "[".repeat(1_000_000), "Failed to decode input body", expect.any(String)],
  [
    "invalid UTF-8",
    Buffer.from([0x22, 0xc3, 0xa9, 0xff, 0x22]),
    "Failed to decode input body",
    "'utf-8' codec can't decode byte 0xff in position 3: invalid start byte",
  ],
];
for (const [what, body, message, info] of badBodies) {
  for (const [method, path] of [
    ["POST", "/endpoints"],
    ["PUT", "/endpoints/add"],
  ] as const) {
    test(`${method} ${path} refuses ${what}`, async () => {
      const { endpoints, done } = recorded();
      await using server = await startApp({ endpoints });
      const answer = await server.send({ method, path, body });
      expect([answer.status, answer.json()]).toEqual([400, { message, info }]);
      expect(done).toEqual([]);
    });
  }
}

test("an error of the registry is answered with its message", async () => {
  const refuse = async () => {
    throw new TabPyError("bad-request", "endpoint add already exists.");
  };
  const { endpoints } = recorded({ add: refuse, update: refuse, remove: refuse });
  await using server = await startApp({ endpoints });
  for (const [method, path] of [
    ["POST", "/endpoints"],
    ["PUT", "/endpoints/add"],
    ["DELETE", "/endpoints/add"],
  ] as const) {
    const answer = await server.send({ method, path, body: "{}" });
    expect([answer.status, answer.json()]).toEqual([
      400,
      { message: "endpoint add already exists.", info: {} },
    ]);
  }
});

const waits: readonly [prefer: string | undefined, waitMs: number, applied: string | null][] = [
  [undefined, 1000, null],
  ["wait=10", 10_000, "wait"],
  ["wait=0", 0, "wait"],
  ['wait = "5"', 5000, "wait"],
  ["respond-async, WAIT=7", 7000, "wait"],
  ["respond-async; foo=1, wait=7; x", 7000, "wait"],
  ["wait=999999", 60_000, "wait"],
  ["wait=-1", 1000, null],
  ["wait=soon", 1000, null],
  ["nowait=5", 1000, null],
  ["return=minimal", 1000, null],
];
for (const [prefer, waitMs, applied] of waits) {
  test(`GET /status with Prefer ${prefer} waits for loads up to ${waitMs} ms`, async () => {
    const { endpoints, done } = recorded();
    await using server = await startApp({ endpoints });
    const headers: Record<string, string> = prefer === undefined ? {} : { Prefer: prefer };
    const answer = await server.send({ path: "/status", headers });
    expect(done).toEqual([["refresh"], ["settled", waitMs]]);
    expect([answer.status, answer.headers.get("preference-applied")]).toEqual([200, applied]);
  });
}

const upload = "/configurations/endpoint_upload_destination/endpoints";
const wrongMethods: readonly [path: string, methods: readonly string[], allow: string][] = [
  ["/endpoints", ["PUT", "DELETE", "PATCH"], "GET, HEAD, POST, OPTIONS"],
  ["/endpoints/", ["POST", "PUT"], "GET, HEAD, OPTIONS"],
  ["/endpoints/add", ["POST", "PATCH"], "GET, HEAD, PUT, DELETE, OPTIONS"],
  ["/status", ["POST", "PUT", "DELETE"], "GET, HEAD, OPTIONS"],
  ["/configurations/endpoint_upload_destination", ["POST", "PUT"], "GET, HEAD, OPTIONS"],
  [`${upload}/f/1/pickle_archive`, ["GET", "POST", "DELETE"], "PUT, OPTIONS"],
];
for (const [path, methods, allow] of wrongMethods) {
  test(`${methods.join(", ")} of ${path} are answered with 405`, async () => {
    const { endpoints, done } = recorded();
    await using server = await startApp({ endpoints });
    for (const method of methods) {
      const answer = await server.send({ method, path, body: "{}" });
      expect([answer.status, answer.headers.get("allow"), answer.json()]).toEqual([
        405,
        allow,
        { message: "Method not allowed", info: {} },
      ]);
    }
    expect(done).toEqual([]);
  });
}

test("every route needs credentials when there is a password file", async () => {
  const { endpoints, done } = recorded();
  await using server = await startApp({
    endpoints,
    authenticate: () => ({ kind: "refused", why: "no credentials" }),
  });
  for (const [method, path] of [
    ["GET", "/endpoints"],
    ["GET", "/endpoints/add"],
    ["GET", "/status"],
    ["POST", "/endpoints"],
    ["PUT", "/endpoints/add"],
    ["DELETE", "/endpoints/add"],
    ["GET", "/configurations/endpoint_upload_destination"],
    ["PUT", `${upload}/f/1/pickle_archive`],
  ] as const) {
    expect((await server.send({ method, path, body: "{}" })).status).toBe(401);
  }
  expect(done).toEqual([]);
});

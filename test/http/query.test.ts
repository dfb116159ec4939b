// GET and POST /query/{name}: what is sent to a worker, and how each reply is answered.

import { expect, test } from "bun:test";
import { TabPyError } from "../../src/errors.ts";
import type { EndpointService } from "../../src/http/types.ts";
import type { Model, Resolution } from "../../src/model.ts";
import type { Call, Raised, Reply } from "../../src/executor/executor.ts";
import { noEndpoints, result, startApp } from "./app-server.ts";

const model: Model = { name: "add", version: 2, archive: "/a/add/2/pickle_archive", key: "k1" };
const replaced: Model = { ...model, key: "k2" };
const raised: Raised = { type: "ValueError", message: "no", line: null, frames: [] };
const notLoaded: Raised = { ...raised, type: "NotLoaded", message: "Ran out of input", isNotLoaded: true };

/** A registry in which names resolve to these; others are unknown. */
function endpointsOf(known: Readonly<Record<string, Resolution>>): EndpointService {
  return { ...noEndpoints, resolve: (name) => known[name] ?? { kind: "unknown" } };
}

const known = endpointsOf({
  add: { kind: "model", model },
  alias: { kind: "model", model },
  "two words": { kind: "model", model: { ...model, name: "two words" } },
  broken: { kind: "unusable", name: "broken", reason: "There is no query object" },
  loop: { kind: "unusable", name: "loop", reason: "the alias loop leads back to itself" },
});

function failure(name: string, error: string, details?: unknown) {
  const info = { uri: name, error, type: "QueryFailed" };
  return {
    message: `Error querying function '${name}'`,
    info,
    ...(details === undefined ? {} : { details }),
  };
}

interface Row {
  readonly name?: string;
  readonly reply: Reply;
  readonly status: number;
  readonly body: unknown;
}

const noObject = "There is no query object associated to the endpoint: add";
const replies: Record<string, Row> = {
  "a response": { reply: result('{"response": 1.0}'), status: 200, body: { response: 1 } },
  "a function that raised": {
    reply: { kind: "raised", raised },
    status: 500,
    body: failure("add", "ValueError : no", raised),
  },
  "a function that raised, by its alias": {
    name: "alias",
    reply: { kind: "raised", raised },
    status: 500,
    body: failure("add", "ValueError : no", raised),
  },
  "an archive that doesn't load": {
    reply: { kind: "raised", raised: notLoaded },
    status: 500,
    body: failure("add", noObject, notLoaded),
  },
  "a body that the worker rejected": {
    reply: { kind: "rejected", rejected: { message: "RuntimeError : x", info: {} } },
    status: 400,
    body: { message: "RuntimeError : x", info: {} },
  },
  "an unknown name": {
    name: "nothing",
    reply: result(""),
    status: 404,
    body: { message: "UnknownURI", info: "Endpoint 'nothing' does not exist" },
  },
  ...Object.fromEntries(
    (
      [
        ["add", 500, failure("add", "not of that type")],
        ["alias", 500, failure("add", "not of that type")],
        ["broken", 500, failure("broken", "not of that type")],
        ["nothing", 404, { message: "UnknownURI", info: "Endpoint 'nothing' does not exist" }],
      ] as const
    ).map(([name, status, body]): [string, Row] => [
      `data of a wrong type for ${name}`,
      {
        name,
        reply: { kind: "rejected", rejected: { message: "not of that type", info: "QueryFailed" } },
        status,
        body,
      },
    ]),
  ),
  "an unknown name with a bad body": {
    name: "nothing",
    reply: { kind: "rejected", rejected: { message: "Input body cannot be empty", info: {} } },
    status: 400,
    body: { message: "Input body cannot be empty", info: {} },
  },
  "a function that isn't loaded": {
    name: "broken",
    reply: result(""),
    status: 500,
    body: failure("broken", "There is no query object"),
  },
  "an alias that leads back": {
    name: "loop",
    reply: result(""),
    status: 500,
    body: failure("loop", "the alias loop leads back to itself"),
  },
  "a function past its time": {
    reply: { kind: "timed-out" },
    status: 408,
    body: { message: "Function 'add' timed out. Timeout is set to 3.0 s.", info: {} },
  },
  "a lost worker": {
    reply: { kind: "lost", reason: "killed by SIGSEGV" },
    status: 500,
    body: failure("add", "WorkerLost : the Python process that ran this function ended: killed by SIGSEGV", {
      type: "WorkerLost",
      message: "killed by SIGSEGV",
      line: null,
      frames: [],
    }),
  },
};
for (const [what, { name = "add", reply, status, body }] of Object.entries(replies)) {
  for (const method of ["GET", "POST"]) {
    test(`${method}: ${what} is answered with ${status}`, async () => {
      await using server = await startApp({
        endpoints: known,
        query: { timeoutText: "3.0" },
        execute: async () => reply,
      });
      const answer = await server.send({ method, path: `/query/${name}`, body: '{"data": {}}' });
      expect(answer.status).toBe(status);
      expect(answer.headers.get("content-type")).toBe("application/json");
      expect(answer.json()).toEqual(body);
    });
  }
}

test("the bytes of a response are sent unchanged, with their etag", async () => {
  const text = '{"response": [1.0,  "\\u00e9"]}';
  await using server = await startApp({
    endpoints: known,
    execute: async () => ({ kind: "result", body: Buffer.from(text), etag: '"5"' }),
  });
  const answer = await server.send({ method: "POST", path: "/query/add", body: "{}" });
  expect([String(answer.body), answer.headers.get("etag")]).toEqual([text, '"5"']);
});

test("a response without an etag has no such header", async () => {
  await using server = await startApp({ endpoints: known, execute: async () => result("1") });
  const answer = await server.send({ method: "POST", path: "/query/add", body: "{}" });
  expect(answer.headers.has("etag")).toBe(false);
});

test("a call has the archive, the body, the time limit and an id", async () => {
  await using server = await startApp({ endpoints: known, query: { timeoutMs: 1234 } });
  await server.send({ method: "POST", path: "/query/alias", body: '{"data": [1]}' });
  const [call] = server.calls;
  expect(call).toMatchObject({ what: { kind: "query", model }, timeoutMs: 1234 });
  expect(Buffer.concat(call?.body ?? []).toString()).toBe('{"data": [1]}');
  expect(call?.callId).toMatch(/^[0-9a-f-]{36}$/);
});

test("a call of a function that can't be called has no archive: only its body is checked", async () => {
  await using server = await startApp({ endpoints: known });
  for (const name of ["nothing", "broken"])
    await server.send({ method: "POST", path: `/query/${name}`, body: "x" });
  expect(server.calls.map((call) => call.what)).toEqual(Array(2).fill({ kind: "query", model: undefined }));
});

const paths: readonly [path: string, name: string][] = [
  ["/query/two%20words", "two words"],
  ["/query/%61dd", "add"],
  ["/query/a%2Fb", "a/b"],
  ["/query/%C3%A9", "é"],
  ["/query/..%2f..%2fadd", "../../add"],
];
for (const [path, name] of paths) {
  test(`the name in ${path} is percent-decoded`, async () => {
    const asked: string[] = [];
    await using server = await startApp({
      endpoints: {
        ...known,
        resolve: (one) => {
          asked.push(one);
          return known.resolve(one);
        },
      },
    });
    await server.send({ method: "POST", path, body: "{}" });
    expect(new Set(asked)).toEqual(new Set([name]));
  });
}

test("a name is unknown only after a check for deployments by other processes", async () => {
  let isThere = false;
  await using server = await startApp({
    endpoints: {
      ...noEndpoints,
      resolve: () => (isThere ? { kind: "model", model } : { kind: "unknown" }),
      refresh: async () => {
        isThere = true;
      },
    },
  });
  expect((await server.send({ method: "POST", path: "/query/add", body: "{}" })).status).toBe(200);
});

/** A registry in which `change` replaces `add`, and a worker that can load only the second archive. */
function replacing(change: "refresh" | "settled" | "call") {
  let isReplaced = false;
  const replace = (by: string) => {
    if (by === change) isReplaced = true;
  };
  const endpoints: EndpointService = {
    ...noEndpoints,
    resolve: () => ({ kind: "model", model: isReplaced ? replaced : model }),
    refresh: async () => replace("refresh"),
    settled: async () => replace("settled"),
  };
  const execute = async ({ what }: Call): Promise<Reply> => {
    replace("call");
    const isNew = what.kind === "query" && what.model?.key === replaced.key;
    return isNew ? result('{"response": "new"}') : { kind: "raised", raised: notLoaded };
  };
  return { endpoints, execute };
}

const moments: readonly [what: string, change: Parameters<typeof replacing>[0]][] = [
  ["was replaced while the call waited", "call"],
  ["another process has replaced", "refresh"],
  ["another process has replaced and is loaded here", "settled"],
];
for (const [what, change] of moments) {
  test(`a call whose archive ${what} is made again with the new one`, async () => {
    await using server = await startApp(replacing(change));
    const answer = await server.send({ method: "POST", path: "/query/add", body: '{"data": [7]}' });
    expect([answer.status, answer.json()]).toEqual([200, { response: "new" }]);
    expect(server.calls.map((call) => Buffer.concat(call.body).toString())).toEqual(
      Array(2).fill('{"data": [7]}'),
    );
  });
}

test("a call whose function was removed while it waited finds it unknown", async () => {
  let isThere = true;
  await using server = await startApp({
    endpoints: {
      ...noEndpoints,
      resolve: () => (isThere ? { kind: "model", model } : { kind: "unknown" }),
    },
    execute: async ({ what }) => {
      isThere = false;
      return what.kind === "query" && what.model !== undefined
        ? { kind: "raised", raised: notLoaded }
        : result("");
    },
  });
  const answer = await server.send({ method: "POST", path: "/query/add", body: '{"data": []}' });
  expect([answer.status, answer.json()]).toEqual([
    404,
    { message: "UnknownURI", info: "Endpoint 'add' does not exist" },
  ]);
});

test("a call is not made again for the same archive, nor for an exception of the function", async () => {
  for (const reply of [notLoaded, raised]) {
    await using server = await startApp({
      endpoints: known,
      execute: async () => ({ kind: "raised", raised: reply }),
    });
    await server.send({ method: "POST", path: "/query/add", body: "{}" });
    expect(server.calls).toHaveLength(1);
  }
});

test("a call that no worker can take is answered with 503", async () => {
  await using server = await startApp({
    endpoints: known,
    execute: async () => {
      throw new TabPyError("unavailable", "The server is busy", { headers: { "Retry-After": "1" } });
    },
  });
  const answer = await server.send({ method: "POST", path: "/query/add", body: "{}" });
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
});

test("other methods are answered with 405 and what is allowed", async () => {
  await using server = await startApp({ endpoints: known });
  for (const method of ["HEAD", "PUT", "DELETE", "PATCH"]) {
    const answer = await server.send({ method, path: "/query/add" });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, POST, OPTIONS"]);
  }
  expect(server.calls).toEqual([]);
});

test("credentials are checked before the body and the name", async () => {
  await using server = await startApp({
    endpoints: known,
    authenticate: () => ({ kind: "refused", why: "no credentials" }),
  });
  expect((await server.send({ method: "POST", path: "/query/add", body: "{}" })).status).toBe(401);
  expect(server.calls).toEqual([]);
});

test("a body over the limit is refused", async () => {
  await using server = await startApp({ endpoints: known, limits: { maxBytes: 10 } });
  expect((await server.send({ method: "POST", path: "/query/add", body: "x".repeat(11) })).status).toBe(413);
  expect((await server.send({ method: "POST", path: "/query/add", body: ["x".repeat(11)] })).status).toBe(
    413,
  );
  expect(server.calls).toEqual([]);
});

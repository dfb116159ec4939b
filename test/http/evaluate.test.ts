// POST /evaluate: how each reply of a worker is answered.

import { expect, test } from "bun:test";
import { connect } from "node:net";
import { TabPyError } from "../../src/errors.ts";
import type { Raised, Reply } from "../../src/executor/executor.ts";
import { result, startApp } from "./app-server.ts";

const raised: Raised = { type: "ValueError", message: "no", line: 2, frames: [] };
const failed = "Error processing script";
const noResponse =
  "The endpoint you're trying to query did not respond. Please make sure the endpoint exists and the correct set of arguments are provided.";

const replies: Record<string, { reply: Reply; status: number; body: unknown }> = {
  "a value": { reply: result("[1, 2.50, null]"), status: 200, body: [1, 2.5, null] },
  "a script that raised": {
    reply: { kind: "raised", raised },
    status: 500,
    body: { message: failed, info: "ValueError : no", details: raised },
  },
  "a script that raised without a message": {
    reply: { kind: "raised", raised: { ...raised, message: "" } },
    status: 500,
    body: { message: failed, info: "ValueError : ", details: { ...raised, message: "" } },
  },
  "a query without a response, whose cause is text": {
    reply: { kind: "raised", raised: { ...raised, cause: "function 'f' raised TypeError : x" } },
    status: 404,
    body: {
      message: failed,
      info: `function 'f' raised TypeError : x. ${noResponse}`,
      details: { ...raised, cause: "function 'f' raised TypeError : x" },
    },
  },
  "a query without a response, whose cause is an object": {
    reply: { kind: "raised", raised: { ...raised, cause: { error: "x" } } },
    status: 404,
    body: {
      message: failed,
      info: `{"error":"x"}. ${noResponse}`,
      details: { ...raised, cause: { error: "x" } },
    },
  },
  "a request that the worker rejected": {
    reply: { kind: "rejected", rejected: { message: "Script is empty.", info: {} } },
    status: 400,
    body: { message: "Script is empty.", info: {} },
  },
  "a script past its time": {
    reply: { kind: "timed-out" },
    status: 408,
    body: { message: "User defined script timed out. Timeout is set to 3.0 s.", info: {} },
  },
  "a lost worker": {
    reply: { kind: "lost", reason: "killed by SIGSEGV" },
    status: 500,
    body: {
      message: failed,
      info: "WorkerLost : the Python process that ran this script ended: killed by SIGSEGV",
      details: { type: "WorkerLost", message: "killed by SIGSEGV", line: null, frames: [] },
    },
  },
};
for (const [what, { reply, status, body }] of Object.entries(replies)) {
  test(`${what} is answered with ${status}`, async () => {
    await using server = await startApp({ evaluate: { timeoutText: "3.0" }, execute: async () => reply });
    const answer = await server.send({ method: "POST", path: "/evaluate", body: "{}" });
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("content-length")).toBe(String(answer.body.length));
    expect(answer.json()).toEqual(body);
  });
}

test("the bytes of a result are sent unchanged", async () => {
  const text = '{"a": 1.0,  "\\u00e9": [1E5]}';
  await using server = await startApp({ execute: async () => result(text) });
  const answer = await server.send({ method: "POST", path: "/evaluate", body: "{}" });
  expect(String(answer.body)).toBe(text);
});

test("a result in UTF-8 has its length in bytes", async () => {
  await using server = await startApp({ execute: async () => result('"Größe 日本"') });
  const answer = await server.send({ method: "POST", path: "/evaluate", body: "{}" });
  expect(answer.json()).toBe("Größe 日本");
});

test("a call has its kind, its time limit and a unique id", async () => {
  await using server = await startApp({ evaluate: { timeoutMs: 1234 } });
  await server.send({ method: "POST", path: "/evaluate", body: "{}" });
  await server.send({ method: "POST", path: "/evaluate", body: "{}" });
  const [first, second] = server.calls;
  expect(first).toMatchObject({ what: { kind: "evaluate" }, timeoutMs: 1234 });
  expect(first?.callId).not.toBe(second?.callId ?? "");
});

test("a call that no worker can take is answered with 503", async () => {
  await using server = await startApp({
    execute: async () => {
      throw new TabPyError("unavailable", "Busy", { info: "why", headers: { "Retry-After": "1" } });
    },
  });
  const answer = await server.send({ method: "POST", path: "/evaluate", body: "{}" });
  expect([answer.status, answer.headers.get("retry-after"), answer.json()]).toEqual([
    503,
    "1",
    { message: "Busy", info: "why" },
  ]);
});

test("evaluate that is disabled is answered with 404, after the credential check", async () => {
  await using open = await startApp({ evaluate: { isEnabled: false } });
  const answer = await open.send({ method: "POST", path: "/evaluate", body: "{}" });
  expect([answer.status, answer.json()]).toEqual([
    404,
    {
      message:
        "Ad-hoc scripts have been disabled on this analytics extension, please contact your administrator.",
      info: {},
    },
  ]);
  expect(open.calls).toEqual([]);
  await using guarded = await startApp({
    evaluate: { isEnabled: false },
    authenticate: () => ({ kind: "refused", why: "no credentials" }),
  });
  expect((await guarded.send({ method: "POST", path: "/evaluate", body: "{}" })).status).toBe(401);
});

test("a client that disconnects during its call fires the signal of the call", async () => {
  const called = Promise.withResolvers<AbortSignal>();
  const aborted = Promise.withResolvers<Reply>();
  await using server = await startApp({
    execute: (call) => {
      call.signal.addEventListener("abort", () => aborted.resolve({ kind: "cancelled", wasStarted: false }));
      called.resolve(call.signal);
      return aborted.promise;
    },
  });
  const socket = connect({ host: "127.0.0.1", port: server.port });
  socket.write("POST /evaluate HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
  expect((await called.promise).aborted).toBe(false);
  socket.destroy();
  expect((await aborted.promise).kind).toBe("cancelled");
});

test("a client that stays until its answer doesn't fire the signal of the call", async () => {
  await using server = await startApp();
  await server.send({ method: "POST", path: "/evaluate", body: "{}" });
  expect(server.calls.map((call) => call.signal.aborted)).toEqual([false]);
});

const script = "def _user_script(tabpy, _arg1):\n return _arg1";
const logged: readonly [reply: Reply, isLogged: boolean][] = [
  [{ ...result("1"), function: script } as Reply, true],
  [{ kind: "raised", raised, function: script }, true],
  [{ kind: "timed-out" }, true],
  [{ kind: "lost", reason: "exit code 3" }, true],
  [{ kind: "cancelled", wasStarted: true }, true],
  [{ kind: "cancelled", wasStarted: false }, false],
  [{ kind: "rejected", rejected: { message: "no", info: {} } }, false],
  [{ kind: "raised", raised }, false],
];

test("POST /evaluate logs the function that ran, whatever the outcome", async () => {
  for (const [reply, isLogged] of logged) {
    await using server = await startApp({ execute: async () => reply });
    await server.send({
      method: "POST",
      path: "/evaluate",
      body: '{"data":{"_arg1":[1]},"script":"return _arg1"}',
    });
    const lines = server.logLines.filter((line) =>
      line.includes("function to evaluate=def _user_script(tabpy, _arg1):"),
    );
    expect([reply.kind, lines.length]).toEqual([reply.kind, isLogged ? 1 : 0]);
  }
});

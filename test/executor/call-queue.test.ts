import { expect, test } from "bun:test";
import { PendingCall } from "../../src/executor/call.ts";
import { CallQueue } from "../../src/executor/call-queue.ts";

function callOf(client: string, callId: string, signal = new AbortController().signal): PendingCall {
  const what = { kind: "evaluate", reportsFunction: false } as const;
  return new PendingCall({ client, callId, what, body: [], timeoutMs: undefined, signal });
}

/** Takes every call out of the queue; returns their ids. */
function takeAll(queue: CallQueue): string[] {
  const ids: string[] = [];
  for (let next = queue.first; next !== undefined; next = queue.first) {
    expect(queue.shift()).toBe(next);
    ids.push(next.call.callId);
  }
  expect([queue.size, queue.isEmpty]).toEqual([0, true]);
  return ids;
}

test("CallQueue lets clients take turns, and keeps the order of each one's calls", () => {
  const queue = new CallQueue(100, 60_000);
  for (const id of ["a1", "a2", "a3", "a4", "b1", "c1", "b2"]) queue.add(callOf(id.slice(0, 1), id));
  expect(queue.shift()?.call.callId).toBe("a1");
  queue.add(callOf("d", "d1"));
  expect(takeAll(queue)).toEqual(["b1", "c1", "a2", "d1", "b2", "a3", "a4"]);
});

test("CallQueue takes the calls that a worker returned before all others", () => {
  const queue = new CallQueue(100, 60_000);
  for (const id of ["a1", "a2", "b1"]) queue.add(callOf(id.slice(0, 1), id));
  const returned = [queue.shift(), queue.shift()].filter((one) => one !== undefined);
  queue.giveBack(returned);
  expect(takeAll(queue)).toEqual(["a1", "b1", "a2"]);
});

test("CallQueue lets one client fill nine tenths of it, and all together the whole", async () => {
  const queue = new CallQueue(10, 60_000);
  const [a, b] = ["a", "b"].map((client) =>
    Array.from({ length: 10 }, (_, at) => callOf(client, `${client}${at}`)),
  );
  for (const one of [...(a ?? []), ...(b ?? [])]) {
    one.reply.catch(() => {}); // those that are refused are awaited below
    queue.add(one);
  }
  expect(queue.size).toBe(10);
  await expect(a?.[9]?.reply).rejects.toMatchObject({ code: "unavailable" });
  await expect(b?.[1]?.reply).rejects.toMatchObject({ code: "unavailable" });
  expect(takeAll(queue)).toEqual(["a0", "b0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8"]);
});

test("CallQueue forgets a client whose calls were cancelled", async () => {
  const queue = new CallQueue(100, 60_000);
  const gone = new AbortController();
  const cancelled = callOf("a", "a1", gone.signal);
  for (const one of [cancelled, callOf("b", "b1"), callOf("a", "a2", gone.signal)]) queue.add(one);
  gone.abort();
  expect(await cancelled.reply).toEqual({ kind: "cancelled", wasStarted: false });
  expect(queue.size).toBe(1);
  queue.add(callOf("a", "a3", gone.signal));
  expect(takeAll(queue)).toEqual(["b1"]);
});

test("CallQueue refuses a call that has waited too long, and takes the next one of its client", async () => {
  const queue = new CallQueue(100, 1);
  const late = callOf("a", "a1");
  queue.add(late);
  await expect(late.reply).rejects.toMatchObject({ code: "unavailable" });
  queue.add(callOf("a", "a2"));
  expect(takeAll(queue)).toEqual(["a2"]);
});

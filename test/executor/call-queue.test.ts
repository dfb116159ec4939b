import { expect, test } from "bun:test";
import { PendingCall } from "../../src/executor/call.ts";
import { CallQueue } from "../../src/executor/call-queue.ts";

function callOf(client: string, callId: string, signal = new AbortController().signal): PendingCall {
  const what = { kind: "evaluate", reportsFunction: false } as const;
  return new PendingCall({ client, callId, what, body: [], timeoutMs: undefined, signal });
}

const anyone = () => true;

/** Takes the next call out of the queue; returns its id. */
function takeNext(queue: CallQueue, mayRun: (client: string) => boolean = anyone): string | undefined {
  const next = queue.next(mayRun);
  if (next !== undefined) queue.take(next);
  return next?.call.callId;
}

/** Takes every call out of the queue; returns their ids. */
function takeAll(queue: CallQueue): string[] {
  const ids: string[] = [];
  for (let id = takeNext(queue); id !== undefined; id = takeNext(queue)) ids.push(id);
  expect([queue.size, queue.isEmpty, queue.hasReturned]).toEqual([0, true, false]);
  return ids;
}

test("CallQueue lets clients take turns, and keeps the order of each one's calls", () => {
  const queue = new CallQueue(100, 60_000);
  for (const id of ["a1", "a2", "a3", "a4", "b1", "c1", "b2"]) queue.add(callOf(id.slice(0, 1), id));
  expect(takeNext(queue)).toBe("a1");
  queue.add(callOf("d", "d1"));
  expect(takeAll(queue)).toEqual(["b1", "c1", "a2", "d1", "b2", "a3", "a4"]);
});

/** A queue without these calls, which a worker has taken and returned. */
function returnTo(queue: CallQueue, returned: PendingCall[]): void {
  for (const each of returned) queue.add(each);
  for (let next = queue.next(anyone); next !== undefined; next = queue.next(anyone)) queue.take(next);
  queue.giveBack(returned);
}

test("CallQueue takes the calls that a worker returned before the others of their client", () => {
  const queue = new CallQueue(100, 60_000);
  returnTo(queue, [callOf("a", "a1"), callOf("b", "b1")]);
  for (const id of ["c1", "a2", "b2"]) queue.add(callOf(id.slice(0, 1), id));
  expect(queue.hasReturned).toBe(true);
  expect(takeAll(queue)).toEqual(["a1", "b1", "c1", "a2", "b2"]);
});

test("CallQueue lets a client, of which many calls were returned, go first with one of them only", () => {
  const queue = new CallQueue(100, 60_000);
  const returned = [callOf("a", "a1"), callOf("a", "a2"), callOf("a", "a3")];
  for (const each of returned) queue.add(each);
  for (const each of returned) queue.take(each);
  for (const id of ["b1", "c1", "a4"]) queue.add(callOf(id.slice(0, 1), id));
  queue.giveBack(returned);
  expect(takeAll(queue)).toEqual(["a1", "b1", "c1", "a2", "a3", "a4"]);
});

test("CallQueue passes over a client that may not run more calls, and keeps its turn", () => {
  const queue = new CallQueue(100, 60_000);
  for (const id of ["a1", "a2", "b1", "b2"]) queue.add(callOf(id.slice(0, 1), id));
  const notA = (client: string) => client !== "a";
  expect([takeNext(queue, notA), takeNext(queue, notA), takeNext(queue, notA)]).toEqual([
    "b1",
    "b2",
    undefined,
  ]);
  expect(takeAll(queue)).toEqual(["a1", "a2"]);
});

test("CallQueue refuses a returned call that has waited too long too", async () => {
  const queue = new CallQueue(100, 1);
  const late = callOf("a", "a1");
  queue.giveBack([late]);
  await expect(late.reply).rejects.toMatchObject({ code: "unavailable" });
  expect(takeAll(queue)).toEqual([]);
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

import { afterEach, expect, test } from "bun:test";
import { PendingCall } from "../../src/executor/call.ts";
import type { Call } from "../../src/executor/executor.ts";
import { InFlight } from "../../src/executor/in-flight.ts";

const open: InFlight[] = [];
afterEach(() => {
  for (const calls of open.splice(0)) calls.close();
});

function callOf(bytes: number): Call {
  return {
    callId: "c",
    what: { kind: "evaluate", reportsFunction: false },
    body: [Buffer.alloc(bytes)],
    timeoutMs: undefined,
    signal: new AbortController().signal,
  };
}

/** In flight: one call that runs, after one that took `lastMs`. */
function lineAfter(lastMs: number): InFlight {
  const calls = new InFlight({
    onTimeLimit: () => {},
    onExpired: () => {},
    isReplyComing: () => false,
  });
  open.push(calls);
  add(calls);
  calls.shift(lastMs);
  add(calls);
  return calls;
}

function add(calls: InFlight): void {
  calls.add(new PendingCall(callOf(100)), 1);
}

/** How many calls are in flight when `mayAdd` returns false. */
function fill(calls: InFlight, mayAdd: () => boolean): number {
  let count = 1;
  for (; count < 1000 && mayAdd(); count++) add(calls);
  return count;
}

test.each([
  [0.01, 80],
  [0.05, 16],
  [0.09, 9],
  [0.1, 1],
  [0.5, 1],
])("InFlight: after a call of %d ms, %d calls rather wait than wake another worker", (lastMs, wanted) => {
  const calls = lineAfter(lastMs);
  expect(fill(calls, () => calls.isQuick)).toBe(wanted);
});

// Fewer when this process is delayed: the first one may have run for a long time then.
test.each([
  [0.01, 33],
  [0.1, 21],
  [0.5, 5],
  [2, 2],
  [2.1, 1],
])("InFlight: after a call of %d ms, a worker is sent no more than %d", (lastMs, most) => {
  const calls = lineAfter(lastMs);
  expect(fill(calls, () => calls.canTake(callOf(100)))).toBeLessThanOrEqual(most);
});

test("InFlight doesn't take a large call behind another one", () => {
  expect(lineAfter(0.01).canTake(callOf(64 * 1024 + 1))).toBe(false);
});

function block(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; ) {}
}

test("InFlight takes back no call while this process is held up, when the reply before it may lie unread", async () => {
  const expired: PendingCall[] = [];
  const calls = new InFlight({
    onTimeLimit: () => {},
    onExpired: (some) => expired.push(...some),
    isReplyComing: () => false,
  });
  open.push(calls);
  add(calls);
  add(calls);
  // After the first check, which comes late, the process is held up once more; then the reply is read.
  const replied = new Promise<void>((resolve) => {
    setTimeout(() => {
      block(10);
      setTimeout(() => {
        calls.shift(1);
        resolve();
      }, 1);
    }, 7);
  });
  block(20);
  await replied;
  expect(expired).toEqual([]);
});

test("InFlight takes back a call behind one that runs for long", async () => {
  const expired = Promise.withResolvers<readonly PendingCall[]>();
  const calls = new InFlight({
    onTimeLimit: () => {},
    onExpired: expired.resolve,
    isReplyComing: () => false,
  });
  open.push(calls);
  add(calls);
  const behind = new PendingCall(callOf(100));
  calls.add(behind, 2);
  expect(await expired.promise).toEqual([behind]);
});

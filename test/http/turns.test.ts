// The order in which new connections are served.

import { expect, test } from "bun:test";
import { Turns } from "../../src/http/turns.ts";

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("add() never serves in the same turn of the event loop, and a few in each later one", async () => {
  const turns = new Turns(2);
  const served: number[] = [];
  for (const number of [1, 2, 3]) turns.add("10.0.0.1", () => served.push(number));
  expect(served).toEqual([]);
  await nextTurn();
  expect(served).toEqual([1, 2]);
  await nextTurn();
  expect(served).toEqual([1, 2, 3]);
});

test("addresses take turns, and a /64 network of IPv6 is one", async () => {
  const turns = new Turns(Infinity);
  const served: string[] = [];
  for (const [address, name] of [
    ["2001:db8::1", "a1"],
    ["2001:db8::2", "a2"],
    ["2001:db8::3", "a3"],
    ["10.0.0.1", "b1"],
    ["10.0.0.1", "b2"],
    ["10.0.0.2", "c1"],
  ] as const)
    turns.add(address, () => served.push(name));
  await nextTurn();
  expect(served).toEqual(["a1", "b1", "c1", "a2", "b2", "a3"]);
});

test("add() returns false when too many wait from an address", async () => {
  const turns = new Turns(Infinity, 2);
  const add = (address: string) => turns.add(address, () => {});
  expect(["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2"].map(add)).toEqual([true, true, false, true]);
  await nextTurn();
  expect(add("10.0.0.1")).toBe(true);
});

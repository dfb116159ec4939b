import { expect, test } from "bun:test";
import { free, MemoryAccount, smallBytes } from "../src/memory-account.ts";

test("hold() counts until release(), which counts once", () => {
  const account = new MemoryAccount(1000);
  const first = account.hold(600);
  expect(account.hold(600)).toBeUndefined();
  expect(account.usedBytes).toBe(600);
  first?.release();
  first?.release();
  expect(account.usedBytes).toBe(0);
  expect(account.hold(1000)).toBeDefined();
});

test("add() counts more, refuses what doesn't fit, and counts nothing after release()", () => {
  const account = new MemoryAccount(1000);
  const held = account.hold(600);
  expect([held?.add(300), held?.add(300), account.usedBytes]).toEqual([true, false, 900]);
  held?.release();
  expect([held?.add(1), account.usedBytes]).toEqual([false, 0]);
});

test("a sixteenth of the account is left for what is small", () => {
  const account = new MemoryAccount(32 * smallBytes);
  expect(account.hold(30 * smallBytes)).toBeDefined();
  const small = account.hold(10);
  expect(small).toBeDefined();
  expect(account.hold(smallBytes + 1)).toBeUndefined();
  expect(small?.add(smallBytes - 10)).toBe(true);
  expect(small?.add(1)).toBe(false);
  expect(account.hold(smallBytes)).toBeDefined();
  expect(account.hold(1)).toBeUndefined();
});

test("makeRoom is called when something doesn't fit, and may release what others hold", () => {
  const account = new MemoryAccount(1000);
  let asked = 0;
  const idle = account.hold(800);
  account.makeRoom = () => {
    if (++asked === 2) idle?.release();
  };
  expect(account.hold(500)).toBeUndefined();
  expect(account.hold(500)).toBeDefined();
  expect([asked, account.usedBytes]).toEqual([2, 500]);
});

test("free() gives large buffers back, but none that shares its memory", () => {
  const large = Buffer.alloc(smallBytes);
  const small = Buffer.from("x");
  const part = Buffer.alloc(2 * smallBytes).subarray(0, smallBytes);
  free([large, small, part]);
  expect([large.length, small.length, part.length]).toEqual([0, 1, smallBytes]);
});

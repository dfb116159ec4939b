import { describe, expect, test } from "bun:test";
import { createThrottle, maxBuckets, networkOf } from "../../src/auth/throttle.ts";

function throttleOf(failuresPerUser: number, failuresPerAddress: number) {
  let time = 0;
  const throttle = createThrottle({ failuresPerUser, failuresPerAddress, now: () => time });
  const pass = (ms: number) => {
    time += ms;
  };
  return { ...throttle, pass };
}

describe("createThrottle()", () => {
  test("allows the failures of a minute at once, and further ones at a constant rate", () => {
    const throttle = throttleOf(6, 0);
    for (let at = 0; at < 6; at++) expect(throttle.take("a", "u")).toBeUndefined();
    expect(throttle.take("a", "u")).toEqual({ by: "user", ms: 10_000 });
    throttle.pass(9_999);
    expect(throttle.take("a", "u")).toEqual({ by: "user", ms: 1 });
    throttle.pass(1);
    expect(throttle.take("a", "u")).toBeUndefined();
    expect(throttle.take("a", "u")).toEqual({ by: "user", ms: 10_000 });
    throttle.pass(3_600_000);
    for (let at = 0; at < 6; at++) expect(throttle.take("a", "u")).toBeUndefined();
    expect(throttle.take("a", "u")).toBeDefined();
  });

  test("gives back the token of an attempt that didn't fail", () => {
    const throttle = throttleOf(1, 1);
    for (let at = 0; at < 5; at++) {
      expect(throttle.take("a", "u")).toBeUndefined();
      throttle.giveBack("a", "u");
    }
  });

  test("doesn't count an attempt against the address when the user's limit refused it", () => {
    const throttle = throttleOf(1, 2);
    throttle.take("a", "u");
    for (let at = 0; at < 5; at++) expect(throttle.take("a", "u")).toMatchObject({ by: "user" });
    expect(throttle.take("a", "v")).toBeUndefined();
    expect(throttle.take("a", "w")).toMatchObject({ by: "address" });
  });

  test("doesn't lock a user out at an address because of failures at another one", () => {
    const throttle = throttleOf(20, 0);
    for (let at = 0; at < 20; at++) expect(throttle.take("a", "u")).toBeUndefined();
    for (let at = 0; at < 1000; at++) expect(throttle.take("a", "u")).toMatchObject({ by: "user" });
    expect(throttle.take("b", "u")).toBeUndefined();
  });

  test("allows ten times as many failures of a user from all addresses", () => {
    const throttle = throttleOf(2, 0);
    for (let at = 0; at < 20; at++) expect(throttle.take(`a${at}`, "u")).toBeUndefined();
    expect(throttle.take("b", "u")).toEqual({ by: "user from all addresses", ms: 3000 });
    expect(throttle.take("b", "v")).toBeUndefined();
    throttle.giveBack("a1", "u");
    expect(throttle.take("b", "u")).toBeUndefined();
  });

  test("has no limit when the setting is 0", () => {
    const throttle = throttleOf(0, 0);
    for (let at = 0; at < 1000; at++) expect(throttle.take("a", "u")).toBeUndefined();
  });

  test("drops the bucket whose last failure is oldest when there are too many", () => {
    const throttle = throttleOf(1, 0);
    throttle.take("a", "first");
    for (let at = 1; at < maxBuckets; at++) throttle.take("a", `user${at}`);
    expect(throttle.take("a", "first")).toBeDefined();
    throttle.take("a", "one more");
    expect(throttle.take("a", "first")).toBeUndefined();
    expect(throttle.take("a", "one more")).toBeDefined();
  });
});

const networks: [address: string, network: string][] = [
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
  ["2001:DB8:1:2::6", "2001:db8:1:2"],
  ["2001:db8::6", "2001:db8:0:0"],
  ["::1", "0:0:0:0"],
  ["fe80::1%eth0", "fe80:0:0:0"],
  ["", ""],
  ["what is this", "what is this"],
];
for (const [address, network] of networks)
  test(`networkOf() maps "${address}" to "${network}"`, () => expect(networkOf(address)).toBe(network));

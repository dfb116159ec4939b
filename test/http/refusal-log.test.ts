// Which refusals have a line of their own, and what the line about the others says.

import { expect, test } from "bun:test";
import { RefusalLog, refusalLimits } from "../../src/http/refusal-log.ts";
import { createLogger } from "../support/logger.ts";

function start() {
  const lines: string[] = [];
  const log = new RefusalLog(createLogger((line) => lines.push(line), "INFO", "audit.ts"));
  const messages = () => lines.splice(0).map((line) => line.replace(/^.*?\(.*?\): /, ""));
  return { log, messages };
}
const { perAddress, inAll, addresses, reasons } = refusalLimits;

test("refused() logs the first refusals of an address, and sumUp() the number of the others by reason", () => {
  const { log, messages } = start();
  for (let number = 0; number < perAddress; number++)
    expect(log.refused("GET /info", "10.0.0.1", "no credentials")).toBe(true);
  for (const why of ["no credentials", "unknown user", "no credentials"])
    expect(log.refused("GET /info", "10.0.0.1", why)).toBe(false);
  expect(log.refused("GET /x", "10.0.0.2", "unknown user")).toBe(true);
  expect(messages()).toEqual([
    ...Array(perAddress).fill("Refused GET /info from 10.0.0.1: no credentials"),
    "Refused GET /x from 10.0.0.2: unknown user",
  ]);
  log.sumUp();
  expect(messages()).toEqual([
    "Refused 3 more requests from 10.0.0.1 within a minute: 2 no credentials, 1 unknown user",
  ]);
  log.sumUp();
  expect(messages()).toEqual([]);
  expect(log.refused("GET /info", "10.0.0.1", "no credentials")).toBe(true);
});

test("the number of lines and of counters is bounded, and every refusal is counted", () => {
  const { log, messages } = start();
  let refused = 0;
  const refuse = (address: string, why: string) => {
    refused++;
    return log.refused("GET /", address, why);
  };
  let logged = 0;
  for (let number = 0; number < 5000; number++)
    if (refuse(`10.1.${number >> 8}.${number & 255}`, "no credentials")) logged++;
  expect(logged).toBe(inAll);
  for (let number = 0; number < 100; number++) refuse("10.1.0.0", `wrong password for user "${number}"`);
  log.sumUp();
  const lines = messages();
  expect(lines.length).toBeLessThanOrEqual(logged + addresses + 1);
  const sums = lines.map((line) => Number(/^Refused (\d+) more/.exec(line)?.[1] ?? 1));
  expect(sums.reduce((sum, count) => sum + count, 0)).toBe(refused);
  const line = lines.find((line) => line.includes("more requests from 10.1.0.0 "));
  expect(line).toContain(`${100 - reasons} other reasons`);
});

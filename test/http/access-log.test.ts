// TABPY_LOG_DETAILS: one line about the caller of each request, whatever becomes of it.

import { expect, test } from "bun:test";
import { authenticateBy } from "../auth/authenticate-by.ts";
import { passwordHash } from "../support/password-hash.ts";
import { startApp } from "./app-server.ts";

const { authenticate } = authenticateBy(`user1 ${passwordHash("user1", "P@ssw0rd")}`);
const right = { Authorization: `Basic ${btoa("user1:P@ssw0rd")}` };
const wrong = { Authorization: `Basic ${btoa("user1:wrong")}` };

async function callersOf(
  options: Parameters<typeof startApp>[0],
  request: Parameters<Awaited<ReturnType<typeof startApp>>["send"]>[0],
) {
  await using server = await startApp({ isLogDetailed: true, ...options });
  const { status } = await server.send({ path: "/info", ...request });
  const lines = server.logLines.filter((line) => line.includes("Call ID: "));
  expect(lines).toHaveLength(1);
  return { status, line: lines[0] ?? "" };
}

test("names the user who is logged in", async () => {
  const { status, line } = await callersOf({ authenticate }, { headers: right });
  expect(status).toBe(200);
  expect(line).toMatch(/\(caller\.ts:caller:0\): Call ID: .*, Method: GET, URL: .*, TabPy user: user1$/);
});

test("names no user for refused credentials", async () => {
  for (const headers of [wrong, {}]) {
    const { status, line } = await callersOf({ authenticate }, { headers });
    expect(status).toBe(401);
    expect(line).not.toContain("TabPy user");
  }
});

test("logs requests without authentication, with credentials that can't be used, and preflights", async () => {
  expect((await callersOf({}, {})).status).toBe(200);
  expect((await callersOf({}, { headers: right })).status).toBe(406);
  expect((await callersOf({ authenticate }, { method: "OPTIONS" })).status).toBe(200);
});

test("logs a request for which authentication itself fails", async () => {
  const failing = () => Promise.reject(new Error("no thread"));
  expect((await callersOf({ authenticate: failing }, { headers: right })).status).toBe(500);
});

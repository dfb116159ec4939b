// kill -9 of the server before, during and after deployments, updates and removals: the state found afterwards is the
// one before the operation or the one after it, and everything in it loads. 300 times in `scripts/test --all`.

import { expect, test } from "bun:test";
import { cpSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isAll } from "../support/all.ts";
import { countCases } from "../support/counts.ts";
import { createRandom, pick, type Random } from "../support/random.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { add, deploy, multiply, query } from "./archives.ts";

const operations = isAll ? 300 : 20;
const lanes = 2;
const testMs = 15 * 60_000;
/** Every part of an operation, including its load, happens within this time on an idle machine. */
const longestMs = 90;
/** When the server is killed. What it has answered must be found; what it wasn't sent yet can't be. */
const moments = ["during it", "during it", "before it is sent", "during it", "after the answer"] as const;
const names = ["f", "g", "two words"];

/** Version and code of each endpoint. */
type State = Readonly<
  Record<string, { readonly version: number; readonly code: "add" | "multiply" } | undefined>
>;

/** The server's endpoints: every listed one must load and answer. */
async function read(server: TestServer): Promise<State> {
  const { json } = await server.request("/status", { headers: { Prefer: "wait=30" } });
  const listed = (await server.request("/endpoints")).json;
  expect(Object.keys(json)).toEqual(Object.keys(listed));
  const found: Record<string, { version: number; code: "add" | "multiply" }> = {};
  for (const [name, { status, version, last_error }] of Object.entries<Record<string, unknown>>(json)) {
    expect({ name, status, last_error }).toEqual({ name, status: "LoadSuccessful", last_error: null });
    const answer = await query(server, name, [3, 5]);
    expect({ status: answer.status, version: answer.json.version }).toEqual({ status: 200, version });
    found[name] = { version: Number(version), code: answer.json.response === 8 ? "add" : "multiply" };
  }
  return found;
}

/** One operation on `name`, and the resulting state. */
function operation(server: TestServer, before: State, name: string, random: Random) {
  const code: "add" | "multiply" = random(2) === 0 ? "add" : "multiply";
  const archive = code === "add" ? add : multiply;
  const old = before[name];
  if (old === undefined) {
    return { after: { ...before, [name]: { version: 1, code } }, run: () => deploy(server, name, archive) };
  }
  if (random(10) < 3) {
    const path = `/endpoints/${encodeURIComponent(name)}`;
    return {
      after: { ...before, [name]: undefined },
      run: () => server.request(path, { method: "DELETE" }),
    };
  }
  const isNewVersion = random(10) < 8;
  const version = old.version + (isNewVersion ? 1 : 0);
  const more = { should_update_version: isNewVersion };
  return {
    after: { ...before, [name]: { version, code } },
    run: () => deploy(server, name, archive, version + 1, more),
  };
}

test(
  `after each kill -9 in ${operations} deployments, updates and removals the state is one of the two around it`,
  async () => {
    countCases(operations);
    const lane = async (seed: number) => {
      const random = createRandom(seed);
      using folder = temporaryFolder();
      const state = folder.file("state");
      const start = () =>
        startServer({ env: { TABPY_STATE_PATH: state, TABPY_WORKERS: "1", TABPY_EVALUATE_TIMEOUT: "60" } });
      let server = await start();
      let before: State = {};
      try {
        for (let at = 0; at < operations / lanes; at++) {
          const name = pick(random, names);
          const { after, run } = operation(server, before, name, random);
          const running = run().catch(() => undefined);
          const moment = moments[at % moments.length];
          if (moment === "after the answer") await running;
          if (moment === "during it") await new Promise((resolve) => setTimeout(resolve, random(longestMs)));
          server.process.kill("SIGKILL");
          await Promise.all([running, server.exited]);
          await server.stop();
          server = await start();
          const found = await read(server);
          if (moment === "after the answer" || !Bun.deepEquals(found, before)) expect(found).toEqual(after);
          before = found;
        }
      } catch (error) {
        const kept = mkdtempSync(join(tmpdir(), "tabpy-crashed-"));
        cpSync(state, kept, { recursive: true });
        throw new Error(`seed ${seed}, state kept in ${kept}: ${error}`, { cause: error });
      } finally {
        await server.stop();
      }
    };
    await Promise.all(Array.from({ length: lanes }, (_, at) => lane(at + 1)));
  },
  testMs,
);

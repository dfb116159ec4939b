// Two servers on one state folder: what one has acknowledged, the other one knows in its next answer.

import { expect, test } from "bun:test";
import { startServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { add, deploy, multiply, query } from "./archives.ts";

const rounds = 4;

test("a change that one server has acknowledged is seen by every later request of the other", async () => {
  using folder = temporaryFolder();
  const env = { TABPY_STATE_PATH: folder.file("state"), TABPY_WORKERS: "1" };
  await using one = await startServer({ env });
  await using other = await startServer({ env });
  const seen: unknown[] = [];
  for (let round = 0; round < rounds; round++) {
    const [first, second] = round % 2 === 0 ? [one, other] : [other, one];
    const added = await deploy(first, "f", add);
    const changed = await deploy(second, "f", multiply, 2, { should_update_version: true });
    const { json } = await query(first, "f", [3, 5]);
    const again = await deploy(first, "f", add, 3, { should_update_version: true });
    const listed = await second.request("/endpoints/f");
    const answered = await query(second, "f", [3, 5]);
    const removed = await second.request("/endpoints/f", { method: "DELETE" });
    const gone = await query(first, "f", [3, 5]);
    const missing = await first.request("/endpoints/f", { method: "DELETE" });
    seen.push([
      [added.status, changed.status, json.response, json.version],
      [again.status, listed.json.version, answered.json.response, answered.json.version],
      [removed.status, gone.status, missing.status],
    ]);
  }
  expect(seen).toEqual(
    Array.from({ length: rounds }, () => [
      [201, 200, 15, 2],
      [200, 3, 8, 3],
      [204, 404, 404],
    ]),
  );
}, 120_000);

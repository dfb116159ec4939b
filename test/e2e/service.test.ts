// scripts/tabpy.service, as far as it can be checked without a running systemd.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { settings } from "../../src/config/settings.ts";
import { parseIni } from "../../src/ini.ts";
import { binary } from "../support/binary.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const unit = readFileSync(join(import.meta.dir, "../../scripts/tabpy.service"), "utf8");
const installed = "/usr/local/bin/tabpy";
const analyze = Bun.which("systemd-analyze");

/** What `systemd-analyze verify` reports about a unit; "" for nothing. Its exit code is 0 for unknown names. */
function complaints(text: string): string {
  using folder = temporaryFolder();
  const path = folder.file("tabpy.service");
  writeFileSync(path, text);
  const command = [analyze ?? "", "verify", "--man=no", "--recursive-errors=no", path];
  const { exitCode, stderr } = Bun.spawnSync(command);
  return exitCode === 0 ? stderr.toString() : `exit code ${exitCode}: ${stderr}`;
}

test.skipIf(analyze === null)("systemd finds nothing wrong with the service unit", () => {
  expect(unit).toContain(`ExecStart=${installed} `);
  const built = unit.replace(installed, binary);
  expect(complaints(built)).toBe("");
  expect(complaints(built.replace("KillMode=", "KillMod="))).toContain("KillMod"); // it does check names
});

test("the service unit leaves time to drain, and kills the server's processes only after it", () => {
  const service = parseIni(unit.replace(/^#.*/gm, ""), { keepCase: true });
  const drain = settings.find(({ name }) => name === "TABPY_DRAIN_TIMEOUT");
  const drainSeconds = Number(drain?.default); // and five more for the workers
  expect(Number(service.raw("Service", "TimeoutStopSec"))).toBeGreaterThan(drainSeconds + 5);
  expect(service.raw("Service", "KillMode")).toBe("mixed");
});

test("the service unit forbids nothing that scripts need", () => {
  const harmful =
    /^(MemoryDenyWriteExecute|PrivateNetwork|PrivateDevices|ProcSubset|RestrictAddressFamilies)=/m;
  expect(unit).not.toMatch(harmful);
});

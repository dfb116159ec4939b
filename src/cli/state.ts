// `tabpy state accept`: makes the servers on a state folder use its state.ini as it is, after they have refused it because
// it has lost much. They compare it with its copy, so the copy is what this changes (src/registry/state-copy.ts).

import { readFileSync } from "node:fs";
import { TabPyError } from "../errors.ts";
import { withLock } from "../file-lock.ts";
import { contentsOf, copyPathOf, readCopy, writeCopy } from "../registry/state-copy.ts";
import { endpointsOf, readState, stateStamp, statePathOf, writeState } from "../registry/state.ts";
import { storing } from "../registry/storage.ts";
import { printWarning } from "./console.ts";
import { configOptions, loadFromOptions } from "./options.ts";
import type { CliCommand } from "./run.ts";

const acceptCommand: CliCommand = {
  meta: { name: "accept", description: "Use a state.ini that has lost functions as it is" },
  args: configOptions,
  examples: `The server may be running, and then needs no restart. To bring back what was lost instead, copy state.ini.bak over
state.ini.

EXAMPLE

  tabpy state accept --config /etc/tabpy/tabpy.conf`,
  run: async ({ args: given }) => {
    const { loaded, config } = loadFromOptions(given);
    for (const warning of loaded.warnings) printWarning(warning);
    process.stdout.write(`${await accept(config.statePath)}\n`);
    return 0;
  },
};

export const stateCommand: CliCommand = {
  meta: { name: "state", description: "Decide about the state file" },
  args: {},
  subCommands: { accept: acceptCommand },
  examples: acceptCommand.examples,
  run: () => {
    throw new TabPyError("usage", "Missing command: expected accept");
  },
};

/** Copy the state file, which must be valid; one that is missing is made. Resolves with what to tell the user. */
async function accept(folder: string): Promise<string> {
  const path = statePathOf(folder);
  const copyPath = copyPathOf(folder);
  return storing(copyPath, () =>
    withLock(path, async () => {
      if (stateStamp(folder) === undefined) await writeState(folder, readState(folder));
      const state = readState(folder);
      const count = endpointsOf(state).size;
      const copy = readCopy(folder);
      await writeCopy(folder, readFileSync(path));
      const had = copy === undefined ? "is new" : `had ${contentsOf(copy).functions.length}`;
      return `Accepted "${path}" with ${count} functions; "${copyPath}" ${had}`;
    }),
  );
}

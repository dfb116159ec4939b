// `tabpy client`: writes the wheel of the client library, for machines where pip can't reach the server.

import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { ArgsDef } from "citty";
import { errorText, TabPyError } from "../errors.ts";
import { writeDurably } from "../files.ts";
import { readClientWheel } from "../programs/client-wheel.ts";
import type { CliCommand } from "./run.ts";

const args: ArgsDef = {
  output: {
    type: "string",
    alias: "o",
    valueHint: "DIR",
    default: ".",
    description: "Folder to write to; created when it doesn't exist",
  },
};

export const clientCommand: CliCommand = {
  meta: { name: "client", description: "Write the client library as a wheel, for pip install" },
  args,
  examples: `EXAMPLE

  tabpy client --output /tmp/wheels
  pip install tabpy-tools --find-links /tmp/wheels`,
  run: async ({ args: given }) => {
    const { name, bytes } = readClientWheel();
    const folder = resolve(String(given.output));
    const path = join(folder, name);
    try {
      await mkdir(folder, { recursive: true });
      await writeDurably(path, bytes);
    } catch (error) {
      throw new TabPyError("config", `Cannot write "${path}": ${errorText(error)}`, { cause: error });
    }
    process.stdout.write(`${path}\n`);
    return 0;
  },
};

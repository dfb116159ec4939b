// `tabpy client`: writes the wheel of the client library, for machines that don't reach the server with pip.

import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type ArgsDef, defineCommand } from "citty";
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
    description: "Folder to write to; it is made when it is missing",
  },
};

export const clientCommand: CliCommand = {
  command: defineCommand({
    meta: { name: "client", description: "Write the client library as a wheel, for pip install" },
    args,
  }),
  examples: `EXAMPLE

  tabpy client --output /tmp/wheels
  pip install tabpy-tools --find-links /tmp/wheels`,
  run: async (given) => {
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

// `tabpy-user`, also `tabpy user`: will keep the password file.

import { defineCommand } from "citty";
import { TabPyError } from "../errors.ts";
import type { CliCommand } from "./run.ts";

export const userCommand: CliCommand = {
  command: defineCommand({
    meta: { name: "tabpy-user", description: "Add and update users of a password file (not offered yet)" },
  }),
  examples:
    "This version has no user management yet; TabPy's own tabpy-user writes files that this server reads.",
  run: () => {
    throw new TabPyError(
      "config",
      "tabpy-user is not offered by this version: use TabPy's own, its password files are read",
    );
  },
};

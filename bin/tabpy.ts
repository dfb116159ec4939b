// The entry of the executable: tabpy, or tabpy-user when it was called by that name, through a link.

import { basename } from "node:path";
import { runCli } from "../src/cli/run.ts";
import { serveCommand } from "../src/cli/serve.ts";
import { userCommand } from "../src/cli/user.ts";

const name = basename(process.argv0).replace(/\.exe$/i, "");
const command = name === "tabpy-user" ? userCommand : serveCommand;
process.exit(
  await runCli(command, process.argv.slice(2), { program: command === userCommand ? name : "tabpy" }),
);

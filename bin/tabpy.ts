// The entry point of the executable: runs tabpy, or tabpy-user or tabpy-deploy-models when called by that name through a
// link.

import { basename } from "node:path";
import { deployModelsCommand } from "../src/cli/deploy-models.ts";
import { type CliCommand, runCli } from "../src/cli/run.ts";
import { serveCommand } from "../src/cli/serve.ts";
import { userCommand } from "../src/cli/user.ts";

const name = basename(process.argv0).replace(/\.exe$/i, "");
const links: Readonly<Record<string, CliCommand>> = {
  "tabpy-user": userCommand,
  "tabpy-deploy-models": deployModelsCommand,
};
const linked = links[name];
process.exit(
  await runCli(linked ?? serveCommand, process.argv.slice(2), { program: linked ? name : "tabpy" }),
);

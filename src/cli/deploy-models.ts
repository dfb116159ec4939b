// `tabpy deploy-models`, also `tabpy-deploy-models`: deploys the predeployed functions (src/programs/predeployed) to
// the server of a config file, on this machine. A program in the user's Python does the work and prints its progress.

import { spawn, spawnSync } from "node:child_process";
import type { ArgsDef } from "citty";
import { serverUrl } from "../config/config.ts";
import { errorText, TabPyError } from "../errors.ts";
import type { HelloHeader } from "../executor/channel/messages.ts";
import {
  type Command,
  commandText,
  findCommands,
  noSuitablePython,
  unsuitable,
} from "../executor/process/interpreter.ts";
import { predeployedProgram, predeployedSources } from "../programs/sources.ts";
import { readServiceInfo } from "../registry/service-info.ts";
import { printWarning } from "./console.ts";
import { configOptions, loadFromOptions } from "./options.ts";
import { askCredentials } from "./passwords.ts";
import type { CliCommand } from "./run.ts";

/** Where to deploy to, and as which user. */
interface Job {
  readonly url: string;
  /** The server's own certificate file, which is trusted whatever host name it is for. */
  readonly certificate: string | null;
  readonly username: string | null;
  readonly password: string | null;
}

/** Prints which Python it runs in; works in every Python since 2.6. */
const introduction = `
import json, sys
implementation = getattr(getattr(sys, "implementation", None), "name", "cpython")
sys.stdout.write(json.dumps({"id": 0, "kind": "hello", "version": list(sys.version_info[:3]),
                             "implementation": implementation, "executable": sys.executable or ""}))
`;
const introductionMs = 20_000;

const args: ArgsDef = {
  file: { type: "positional", required: false, valueHint: "CONFIG", description: "The server's config file" },
  ...configOptions,
};

export const deployModelsCommand: CliCommand = {
  meta: {
    name: "deploy-models",
    description: "Deploy PCA, Sentiment Analysis, ttest and anova to the running server on this machine",
  },
  args,
  examples: `It needs cloudpickle, scikit-learn, scipy and nltk in the server's Python. When the server has a password file, it asks
for a user name and a password, or reads them from standard input, one per line.

EXAMPLE

  tabpy deploy-models /etc/tabpy/tabpy.conf`,
  run: async ({ args: given }) => {
    if (typeof given.file === "string" && typeof given.config === "string") {
      throw new TabPyError("usage", `Cannot use both "${given.file}" and --config: expected one config file`);
    }
    const { loaded, config } = loadFromOptions({ ...given, config: given.config ?? given.file });
    for (const warning of loaded.warnings) printWarning(warning);
    const commands = findCommands(config.python, process.env);
    const { prefix } = readServiceInfo(config.statePath);
    const credentials = config.passwordFile === undefined ? undefined : await askCredentials();
    return deploy(findSuitable(commands), {
      url: `${serverUrl(config, prefix)}/`,
      certificate: config.tls?.certificateFile ?? null,
      username: credentials?.name ?? null,
      password: credentials?.password ?? null,
    });
  },
};

/** Runs the deploying program in `command`'s Python; resolves with its exit code, 1 when a function wasn't deployed. */
async function deploy(command: Command, job: Job): Promise<number> {
  // The job goes through the pipe: other users can see the arguments of a process.
  const child = spawn(command.file, [...command.args, "-c", predeployedProgram], {
    stdio: ["pipe", "inherit", "inherit"],
    windowsHide: true,
  });
  return new Promise((resolve, reject) => {
    child.on("error", (error) =>
      reject(
        new TabPyError("config", `Cannot run ${commandText(command)}: ${errorText(error)}`, { cause: error }),
      ),
    );
    child.on("close", (code) => resolve(code ?? 1));
    child.stdin.on("error", () => {}); // an early exit shows in the exit code
    child.stdin.end(JSON.stringify({ sources: predeployedSources, job }));
  });
}

/** The first of `commands` that is a suitable Python. Throws TabPyError `config` when none is. */
function findSuitable(commands: readonly Command[]): Command {
  const refused: string[] = [];
  for (const command of commands) {
    const answer = spawnSync(command.file, [...command.args, "-c", introduction], {
      stdio: ["ignore", "pipe", "pipe"],
      encoding: "utf8",
      timeout: introductionMs,
      windowsHide: true,
    });
    const hello = parseHello(answer.stdout);
    const why = hello === undefined ? `${commandText(command)} doesn't start` : unsuitable(command, hello);
    if (why === undefined) return command;
    refused.push(why);
  }
  throw noSuitablePython(refused);
}

function parseHello(text: string | null): HelloHeader | undefined {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

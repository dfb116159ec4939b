// Runs the program that deploys the predeployed functions (programs/predeployed) in the user's Python, as a process
// of its own that tells the person at the terminal what it does.

import { spawn, spawnSync } from "node:child_process";
import { errorText, TabPyError } from "../errors.ts";
import { type Command, commandText, noSuitablePython, unsuitable } from "../executor/process/interpreter.ts";
import type { HelloHeader } from "../executor/channel/messages.ts";
import { predeployedProgram, predeployedSources } from "../programs/sources.ts";

/** Where to deploy to, and as whom. */
export interface PredeployJob {
  readonly url: string;
  /** The server's own certificate file, which is trusted for whatever name it has. */
  readonly certificate: string | null;
  readonly username: string | null;
  readonly password: string | null;
}

/** Runs on every Python since 2.6. */
const introduction = `
import json, sys
implementation = getattr(getattr(sys, "implementation", None), "name", "cpython")
sys.stdout.write(json.dumps({"id": 0, "kind": "hello", "version": list(sys.version_info[:3]),
                             "implementation": implementation, "executable": sys.executable or ""}))
`;
const introductionMs = 20_000;

/**
 * Deploy with the first of `commands` that is suitable; resolves with the exit code: 1 when something wasn't deployed.
 *
 * @throws TabPyError `config` when none is suitable.
 */
export async function deployPredeployed(
  commands: readonly Command[],
  job: PredeployJob,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const command = findSuitable(commands, env);
  // The job goes by the pipe: arguments and environment of a process can be seen by others.
  const child = spawn(command.file, [...command.args, "-c", predeployedProgram], {
    env,
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
    child.stdin.on("error", () => {}); // an early end shows in its exit code
    child.stdin.end(JSON.stringify({ sources: predeployedSources, job }));
  });
}

function findSuitable(commands: readonly Command[], env: NodeJS.ProcessEnv): Command {
  const refused: string[] = [];
  for (const command of commands) {
    const answer = spawnSync(command.file, [...command.args, "-c", introduction], {
      env,
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

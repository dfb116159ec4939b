// `tabpy`: runs the server until a signal stops it.

import type { ArgsDef } from "citty";
import type { Config } from "../config/config.ts";
import { type Effective, originText } from "../config/load.ts";
import { defaultText, settings } from "../config/settings.ts";
import { TabPyError } from "../errors.ts";
import { ignoreStrayed, onHangup, untilAskedToStop } from "../lifecycle.ts";
import type { Logger } from "../logging/logger.ts";
import { Logging } from "../logging/logging.ts";
import { startTabPy, type TabPy, version } from "../main.ts";
import { findCommands } from "../executor/process/interpreter.ts";
import { killLeftovers } from "../executor/process/leftovers.ts";
import { clientCommand } from "./client.ts";
import { configCommand } from "./config.ts";
import { printWarning } from "./console.ts";
import { deployModelsCommand } from "./deploy-models.ts";
import { configOptions, loadFromOptions } from "./options.ts";
import type { CliCommand } from "./run.ts";
import { stateCommand } from "./state.ts";
import { atTerminal } from "./terminal.ts";
import { userCommand } from "./user.ts";

const args: ArgsDef = {
  ...configOptions,
  "disable-auth-warning": {
    type: "boolean",
    description: "Start without authentication and without asking",
  },
  version: { type: "boolean", description: "Print the version" },
};

export const serveCommand: CliCommand = {
  meta: { name: "tabpy", version, description: "Runs Python for Tableau: an analytics extension server" },
  args,
  subCommands: {
    config: configCommand,
    user: userCommand,
    state: stateCommand,
    client: clientCommand,
    "deploy-models": deployModelsCommand,
  },
  examples: `EXAMPLE

  tabpy --config /etc/tabpy/tabpy.conf
  TABPY_PORT=8004 TABPY_PYTHON=/opt/venv/bin/python tabpy --disable-auth-warning

SETTINGS, in the section [TabPy] of the config file or as environment variables, which override it

${settings.map((row) => `  ${row.name} (${defaultText(row)})\n      ${row.doc}`).join("\n")}`,
  run: async ({ args: given }) => {
    if (given.version === true) {
      process.stdout.write(`tabpy ${version}\n`);
      return 0;
    }
    const { loaded, config } = loadFromOptions(given);
    if (given["disable-auth-warning"] !== true) await confirmOpenServer(config);
    ignoreStrayed();
    const logging = new Logging({
      spec: config.logging,
      isDetailed: config.isLogDetailed,
      env: process.env,
      python: () => {
        const [found] = findCommands(config.python, process.env);
        return found === undefined ? ["python3"] : [found.file, ...found.args];
      },
    });
    // Log rotation programs send this signal after they have renamed the files.
    if (process.platform !== "win32") process.on("SIGUSR1", () => logging.reopen());
    try {
      return await serve(config, loaded.warnings, logging.logger("serve.ts"));
    } finally {
      await logging.stop();
    }
  },
};

async function serve(config: Config, warnings: readonly string[], log: Logger): Promise<number> {
  const asked = untilAskedToStop(() => {
    killLeftovers();
    process.exit(1);
  });
  for (const warning of warnings) log.warning(warning);
  if (log.isEnabled("DEBUG")) for (const row of config.effective) log.debug(settingText(row));
  // An error on one connection must not end the calls of all others.
  process.on("uncaughtException", (error) => log.error(`Unexpected fault: ${error.stack ?? error.message}`));
  let tabpy: TabPy | undefined;
  onHangup(() => {
    log.info("Reading files again on SIGHUP");
    void tabpy?.reload();
  });
  tabpy = await startTabPy(config, log);
  log.info(`Web service listening on port ${config.port}`);
  log.info(`TabPy ${version} serves at ${tabpy.url}`);
  const stopped = await Promise.race([asked, tabpy.pythonFound.then(() => asked)]).catch(
    (error: unknown) => error,
  );
  if (typeof stopped === "string") log.info(`Stopping on ${stopped}`);
  await tabpy.stop();
  if (typeof stopped !== "string") throw stopped;
  return 0;
}

/** The log line about a setting at start-up. */
function settingText({ setting, value, origin }: Effective): string {
  if (value === undefined) return `Parameter ${setting.name} is not set`;
  return `Parameter ${setting.name} set to "${value}" from ${originText(origin)}`;
}

/**
 * Make sure that a server that runs anyone's scripts is intended: ask at the terminal; without a terminal, refuse.
 *
 * @throws TabPyError `config` when it is not intended.
 */
async function confirmOpenServer(config: Config): Promise<void> {
  if (config.passwordFile !== undefined || !config.isEvaluateEnabled || config.isLoopbackOnly) return;
  const danger = `anyone who reaches port ${config.port} can run code on this machine`;
  const remedies = "set TABPY_PWD_FILE, or TABPY_HOST to 127.0.0.1, or pass --disable-auth-warning";
  const refusal = `Not started without authentication: ${danger}; ${remedies}`;
  if (process.stdin.isTTY && process.stdout.isTTY) {
    printWarning(`Without TABPY_PWD_FILE, ${danger}.`);
    if (await atTerminal(refusal, ({ confirm }) => confirm("Start without authentication?"))) return;
  }
  throw new TabPyError("config", refusal);
}

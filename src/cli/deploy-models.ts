// `tabpy deploy-models`, also `tabpy-deploy-models`: deploys the predeployed functions to the server that a config
// file describes, on this machine. What is deployed is in programs/predeployed.

import { type ArgsDef, defineCommand } from "citty";
import type { Config } from "../config/config.ts";
import { TabPyError } from "../errors.ts";
import { findCommands } from "../executor/process/interpreter.ts";
import { deployPredeployed } from "./predeployed.ts";
import { readServiceInfo } from "../registry/service-info.ts";
import { askCredentials } from "./credentials.ts";
import { configOptions, loadFromOptions } from "./options.ts";
import type { CliCommand } from "./run.ts";

const args: ArgsDef = {
  file: { type: "positional", required: false, valueHint: "CONFIG", description: "The server's config file" },
  ...configOptions,
};

export const deployModelsCommand: CliCommand = {
  command: defineCommand({
    meta: {
      name: "deploy-models",
      description: "Deploy PCA, Sentiment Analysis, ttest and anova to the running server on this machine",
    },
    args,
  }),
  examples: `It needs cloudpickle, scikit-learn, scipy and nltk in the server's Python. When the server has a password file, it asks
for a user name and a password, or reads them from standard input, a line each.

EXAMPLE

  tabpy deploy-models /etc/tabpy/tabpy.conf`,
  run: async (given) => {
    if (typeof given.file === "string" && typeof given.config === "string") {
      throw new TabPyError("usage", `Cannot use both "${given.file}" and --config: expected one config file`);
    }
    const { loaded, config } = loadFromOptions({ ...given, config: given.config ?? given.file });
    for (const warning of loaded.warnings) process.stderr.write(`tabpy: ${warning}\n`);
    const commands = findCommands(config.python, process.env);
    const url = serverUrl(config);
    const credentials = config.passwordFile === undefined ? undefined : await askCredentials(process.stdin);
    return deployPredeployed(
      commands,
      {
        url,
        certificate: config.tls?.certificateFile ?? null,
        username: credentials?.name ?? null,
        password: credentials?.password ?? null,
      },
      process.env,
    );
  },
};

/** Where a server of this configuration is reached from its own machine. */
function serverUrl(config: Config): string {
  const scheme = config.tls === undefined ? "http" : "https";
  const isAnywhere = config.host === "" || config.host === "0.0.0.0" || config.host === "::";
  const host = isAnywhere ? "localhost" : config.host;
  const { prefix } = readServiceInfo(config.statePath);
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${config.port}${prefix}/`;
}

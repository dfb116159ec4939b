// Options that several commands share, and the configuration that results from them.

import type { ArgsDef } from "citty";
import { type Config, createConfig } from "../config/config.ts";
import { type Loaded, loadSettings } from "../config/load.ts";
import type { GivenArgs } from "./run.ts";

export const configOptions = {
  config: {
    type: "string",
    valueHint: "FILE",
    description: "Config file, in the syntax of Python's configparser",
  },
  port: {
    type: "string",
    valueHint: "PORT",
    description: "Port to listen on; overrides TABPY_PORT",
  },
} as const satisfies ArgsDef;

/** Settings from the options `config` and `port`, the file and the environment. */
export function loadFromOptions(args: GivenArgs): { loaded: Loaded; config: Config } {
  const loaded = loadSettings({
    configPath: typeof args.config === "string" ? args.config : undefined,
    env: process.env,
    commandLine: typeof args.port === "string" ? { TABPY_PORT: args.port } : {},
  });
  return { loaded, config: createConfig(loaded, process.env) };
}

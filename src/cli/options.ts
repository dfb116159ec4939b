// Options that several commands share, and the way from them to a configuration.

import type { ArgsDef } from "citty";
import { type Config, createConfig } from "../config/config.ts";
import { type Loaded, loadSettings } from "../config/load.ts";

export const configOptions = {
  config: {
    type: "string",
    valueHint: "FILE",
    description: "Config file, in the form of Python's configparser",
  },
  port: {
    type: "string",
    valueHint: "PORT",
    description: "Port to listen on, over TABPY_PORT of file and environment",
  },
} as const satisfies ArgsDef;

/** Settings from the options `config` and `port`, the file and the environment. */
export function loadFromOptions(args: Readonly<Record<string, unknown>>): { loaded: Loaded; config: Config } {
  const loaded = loadSettings({
    configPath: typeof args.config === "string" ? args.config : undefined,
    env: process.env,
    commandLine: typeof args.port === "string" ? { TABPY_PORT: args.port } : {},
  });
  return { loaded, config: createConfig(loaded, process.env) };
}

// Effective settings: the table's defaults, the config file over them, the environment over that, the command
// line over all. Each value keeps where it came from. What the values lead to is config.ts's affair.

import { readFileSync } from "node:fs";
import { errorText, TabPyError } from "../errors.ts";
import { type IniFile, parseIni } from "../ini.ts";
import { nearestName } from "./nearest.ts";
import { defaultText, type Setting, type SettingName, settings, wantedText } from "./settings.ts";
import { parseValue, type Value } from "./values.ts";

/** Where a value came from. */
export type Origin =
  | { readonly kind: "default" }
  | { readonly kind: "file"; readonly path: string; readonly line: number | undefined }
  | { readonly kind: "environment" }
  | { readonly kind: "command line" };

export interface Effective {
  readonly setting: Setting;
  /** Undefined: not set, and the table has no fixed default. */
  readonly value: Value | undefined;
  readonly origin: Origin;
}

export interface Loaded {
  readonly values: ReadonlyMap<SettingName, Effective>;
  /** Names that look like settings and are none; messages for the log. */
  readonly warnings: readonly string[];
  /** The file's other sections are logging's. */
  readonly file: IniFile | undefined;
}

export interface Sources {
  /** Path of the config file, undefined for none. */
  readonly configPath: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly commandLine: Readonly<Partial<Record<SettingName, string>>>;
}

const section = "TabPy";
const prefix = /^tabpy_/i;
const names: readonly string[] = settings.map((row) => row.name);
/** Set by systemd and by tests, or read by scripts; no settings of the server. */
const notOurs = new Set(["TABPY_TEST_PYTHON"]);

/** Read every source. Throws TabPyError `config` that names the setting, its value, its origin and what is wanted. */
export function loadSettings(sources: Sources): Loaded {
  const file = sources.configPath === undefined ? undefined : readConfigFile(sources.configPath, sources.env);
  const values = new Map<SettingName, Effective>();
  for (const setting of settings) values.set(setting.name, effective(setting, sources, file));
  return { values, file, warnings: [...unknownInFile(file), ...unknownInEnvironment(sources.env)] };
}

/** The origin in words: `default`, `/etc/tabpy.conf line 3`, `environment`. */
export function originText(origin: Origin): string {
  if (origin.kind !== "file") return origin.kind;
  return origin.line === undefined ? origin.path : `${origin.path} line ${origin.line}`;
}

function readConfigFile(path: string, env: Sources["env"]): IniFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new TabPyError("config", `Cannot read the config file "${path}": ${errorText(error)}`, {
      cause: error,
    });
  }
  return parseIni(text, { source: path, defaults: env });
}

function effective(
  setting: (typeof settings)[number],
  sources: Sources,
  file: IniFile | undefined,
): Effective {
  const given = sources.commandLine[setting.name];
  if (given !== undefined) return parsed(setting, given, { kind: "command line" });
  const fromEnvironment = sources.env[setting.name];
  // An empty variable is what container tools pass for "not set"; it must not switch authentication off.
  if (fromEnvironment !== undefined && fromEnvironment.trim() !== "") {
    return parsed(setting, fromEnvironment, { kind: "environment" });
  }
  const inFile = file?.ownOptions(section).some(([name]) => name === setting.name.toLowerCase());
  if (file !== undefined && inFile) {
    const text = file.get(section, setting.name) ?? "";
    const origin: Origin = { kind: "file", path: file.source, line: file.lineOf(section, setting.name) };
    const mayBeEmpty = ["path", "text", "secret"].includes(setting.type.kind);
    if (text.trim() !== "" || !mayBeEmpty) return parsed(setting, text, origin);
  }
  const origin: Origin = { kind: "default" };
  return setting.default === undefined
    ? { setting, value: undefined, origin }
    : parsed(setting, setting.default, origin);
}

function parsed(setting: Setting, text: string, origin: Origin): Effective {
  const value = parseValue(setting.type, text);
  if (value !== undefined) return { setting, value, origin };
  const wanted = wantedText(setting.type);
  throw new TabPyError(
    "config",
    `Cannot use ${setting.name} "${text}" (${originText(origin)}): expected ${wanted}, ${defaultText(setting)} by default`,
  );
}

function unknownInFile(file: IniFile | undefined): string[] {
  if (file === undefined) return [];
  return file
    .ownOptions(section)
    .filter(([name]) => !names.includes(name.toUpperCase()))
    .map(([name]) =>
      unknown(
        name.toUpperCase(),
        originText({ kind: "file", path: file.source, line: file.lineOf(section, name) }),
      ),
    );
}

function unknownInEnvironment(env: Sources["env"]): string[] {
  return Object.keys(env)
    .filter((name) => prefix.test(name) && !names.includes(name) && !notOurs.has(name))
    .map((name) => unknown(name, "environment"));
}

function unknown(name: string, place: string): string {
  const near = nearestName(name, names);
  return `Unknown setting ${name} (${place}) is ignored${near === undefined ? "" : `: did you mean ${near}?`}`;
}

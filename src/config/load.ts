// Effective settings: the defaults of the table, overridden by the config file, the environment and the command line,
// in this order. Each value keeps its origin. config.ts turns them into the configuration.

import { readFileSync } from "node:fs";
import { closest, distance } from "fastest-levenshtein";
import { configError, errorText, TabPyError } from "../errors.ts";
import { type IniFile, parseIni } from "../ini.ts";
import { expandHome } from "./home-folder.ts";
import { serviceLinks } from "./service-links.ts";
import { defaultText, type Setting, type SettingName, settings, wantedText } from "./settings.ts";
import { parseValue, type Value } from "./values.ts";

/** Where a value comes from. */
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
  /** For the log: names that look like settings and are unknown. */
  readonly warnings: readonly string[];
  /** Its other sections configure logging. */
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
/** Set for tests: not a setting of the server. */
const ignored = new Set(["TABPY_TEST_PYTHON"]);

/** Read every source. Throws TabPyError `config` that names a setting, its value, its origin and what is expected. */
export function loadSettings(sources: Sources): Loaded {
  const links = serviceLinks(sources.env, names);
  const env = without(sources.env, links);
  const file = sources.configPath === undefined ? undefined : readConfigFile(sources.configPath, sources.env);
  const values = new Map<SettingName, Effective>();
  for (const setting of settings) values.set(setting.name, effective(setting, { ...sources, env }, file));
  const warnings = [...unknownInFile(file), ...unknownInEnvironment(env), ...leftAside(links, sources.env)];
  return { values, file, warnings };
}

/** An origin as text: `default`, `/etc/tabpy.conf line 3`, `environment`. */
export function originText(origin: Origin): string {
  if (origin.kind !== "file") return origin.kind;
  return origin.line === undefined ? origin.path : `${origin.path} line ${origin.line}`;
}

function readConfigFile(path: string, env: Sources["env"]): IniFile {
  let text: string;
  try {
    text = readFileSync(expandHome(path, env), "utf8");
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
  const parsed = (text: string, origin: Origin) => parse(setting, text, origin, sources.env);
  if (given !== undefined) return parsed(given, { kind: "command line" });
  const fromEnvironment = sources.env[setting.name];
  // Container tools pass an empty variable for "not set"; it must not switch authentication off.
  if (fromEnvironment !== undefined && fromEnvironment.trim() !== "") {
    return parsed(fromEnvironment, { kind: "environment" });
  }
  const isInFile = file?.ownOptions(section).some(([name]) => name === setting.name.toLowerCase());
  if (file !== undefined && isInFile) {
    const text = file.get(section, setting.name) ?? "";
    const mayBeEmpty = ["path", "text", "secret"].includes(setting.type.kind);
    if (text.trim() !== "" || !mayBeEmpty) return parsed(text, fileOrigin(file, setting.name));
  }
  const origin: Origin = { kind: "default" };
  return setting.default === undefined
    ? { setting, value: undefined, origin }
    : parsed(setting.default, origin);
}

function fileOrigin(file: IniFile, name: string): Origin {
  return { kind: "file", path: file.source, line: file.lineOf(section, name) };
}

function parse(setting: Setting, text: string, origin: Origin, env: Sources["env"]): Effective {
  const value = parseValue(setting.type, text);
  if (setting.type.kind === "path" && typeof value === "string")
    return { setting, value: expandHome(value, env), origin };
  if (value !== undefined) return { setting, value, origin };
  const wanted = `${wantedText(setting.type)}, ${defaultText(setting)} by default`;
  throw configError(setting.name, text, originText(origin), wanted);
}

function unknownInFile(file: IniFile | undefined): string[] {
  if (file === undefined) return [];
  return file
    .ownOptions(section)
    .filter(([name]) => !names.includes(name.toUpperCase()))
    .map(([name]) => unknown(name.toUpperCase(), originText(fileOrigin(file, name))));
}

function unknownInEnvironment(env: Sources["env"]): string[] {
  return Object.keys(env)
    .filter((name) => prefix.test(name) && !names.includes(name) && !ignored.has(name))
    .map((name) => unknown(name, "environment"));
}

function without(env: Sources["env"], excluded: readonly string[]): Sources["env"] {
  if (excluded.length === 0) return env;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !excluded.includes(name)));
}

/** One line for all variables of service links, with the value of one that would be a setting. */
function leftAside(links: readonly string[], env: Sources["env"]): string[] {
  const [first] = links;
  if (first === undefined) return [];
  const text = names.includes(first) ? `${first} "${env[first]}"` : first;
  const others = links.length === 1 ? "" : ` and ${links.length - 1} more`;
  return [`Ignored variables of service links (Kubernetes, Docker), which are no settings: ${text}${others}`];
}

function unknown(name: string, place: string): string {
  const near = nearestName(name, names);
  return `Unknown setting ${name} (${place}) is ignored${near === undefined ? "" : `: did you mean ${near}?`}`;
}

/** The name in `known`, all upper case, that is nearest to `name`; undefined when over a third of `name` differs. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const upper = name.toUpperCase();
  const near = known.length === 0 ? undefined : closest(upper, known);
  return near !== undefined && distance(upper, near) <= Math.floor(name.length / 3) ? near : undefined;
}

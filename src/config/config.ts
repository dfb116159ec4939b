// The settings as the parts of the program want them: named, in their units, with derived defaults.

import { cpus, homedir } from "node:os";
import { join, resolve } from "node:path";
import { readLogging } from "../logging/config/sections.ts";
import type { LoggingSpec } from "../logging/spec.ts";
import type { Effective, Loaded } from "./load.ts";
import type { SettingName } from "./settings.ts";
import { pythonFloatText } from "./values.ts";

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsConfig | undefined;
  readonly isGzipEnabled: boolean;
  readonly python: string | undefined;
  readonly workers: number;
  readonly queueSize: number;
  readonly queueTimeoutMs: number;
  readonly workerMaxRequests: number;
  readonly workerMemoryBytes: number;
  /** Deployed functions that each worker keeps loaded. */
  readonly workerModels: number;
  readonly isEvaluateEnabled: boolean;
  readonly evaluateTimeoutMs: number;
  /** The timeout as the 408 answer writes it: `30` by default, a Python float when it was configured. */
  readonly evaluateTimeoutText: string;
  /** Undefined for no limit. */
  readonly queryTimeoutMs: number | undefined;
  readonly queryTimeoutText: string;
  readonly loadTimeoutMs: number;
  readonly maxArchiveBytes: number;
  /** What the user asked for; this version has no Arrow Flight. */
  readonly isArrowWanted: boolean;
  readonly statePath: string;
  readonly queryObjectPath: string;
  readonly staticPath: string | undefined;
  readonly passwordFile: string | undefined;
  /** In a minute; 0 for any number. */
  readonly loginFailuresPerUser: number;
  readonly loginFailuresPerAddress: number;
  readonly maxRequestBytes: number;
  readonly maxBufferedBytes: number;
  readonly maxConnections: number;
  readonly headerTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly drainTimeoutMs: number;
  /** TABPY_LOG_DETAILS: lines name the request that they are about, and what is known of its caller. */
  readonly isLogDetailed: boolean;
  readonly logging: LoggingSpec;
  /** Every setting with its origin, for people. */
  readonly effective: readonly Effective[];
}

export interface TlsConfig {
  readonly certificateFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly keyPassphrase: string | undefined;
  readonly minimumVersion: string;
}

const megabyte = 1024 * 1024;

/** The program's configuration. `env` gives the folders of the user's or the service's own. */
export function createConfig(loaded: Loaded, env: NodeJS.ProcessEnv): Config {
  const value = (name: SettingName) => loaded.values.get(name)?.value;
  const text = (name: SettingName) => value(name) as string | undefined;
  const path = (name: SettingName) => {
    const given = text(name);
    return given === undefined ? undefined : resolve(given);
  };
  const number = (name: SettingName) => value(name) as number;
  const milliseconds = (name: SettingName) => number(name) * 1000;
  const isOn = (name: SettingName) => value(name) as boolean;

  const statePath = path("TABPY_STATE_PATH") ?? defaultStatePath(env);
  const derived = new Map<SettingName, string | number>([
    ["TABPY_STATE_PATH", statePath],
    ["TABPY_QUERY_OBJECT_PATH", path("TABPY_QUERY_OBJECT_PATH") ?? join(statePath, "query_objects")],
    ["TABPY_WORKERS", (value("TABPY_WORKERS") as number | undefined) ?? Math.max(2, cpus().length)],
  ]);
  return {
    host: text("TABPY_HOST") ?? "",
    port: number("TABPY_PORT"),
    tls:
      value("TABPY_TRANSFER_PROTOCOL") === "https"
        ? {
            certificateFile: path("TABPY_CERTIFICATE_FILE"),
            keyFile: path("TABPY_KEY_FILE"),
            keyPassphrase: text("TABPY_KEY_PASSPHRASE"),
            minimumVersion: text("TABPY_MINIMUM_TLS_VERSION") ?? "",
          }
        : undefined,
    isGzipEnabled: isOn("TABPY_GZIP_ENABLE"),
    python: text("TABPY_PYTHON"),
    workers: derived.get("TABPY_WORKERS") as number,
    queueSize: number("TABPY_QUEUE_SIZE"),
    queueTimeoutMs: milliseconds("TABPY_QUEUE_TIMEOUT"),
    workerMaxRequests: number("TABPY_WORKER_MAX_REQUESTS"),
    workerMemoryBytes: number("TABPY_WORKER_MEMORY_MB") * megabyte,
    workerModels: number("TABPY_WORKER_MODELS"),
    isEvaluateEnabled: isOn("TABPY_EVALUATE_ENABLE"),
    evaluateTimeoutMs: milliseconds("TABPY_EVALUATE_TIMEOUT"),
    evaluateTimeoutText: timeoutText(loaded.values.get("TABPY_EVALUATE_TIMEOUT")),
    queryTimeoutMs: milliseconds("TABPY_QUERY_TIMEOUT") || undefined,
    queryTimeoutText: timeoutText(loaded.values.get("TABPY_QUERY_TIMEOUT")),
    loadTimeoutMs: milliseconds("TABPY_LOAD_TIMEOUT"),
    maxArchiveBytes: Math.floor(number("TABPY_MAX_ARCHIVE_SIZE_MB") * megabyte),
    isArrowWanted: isOn("TABPY_ARROW_ENABLE"),
    statePath,
    queryObjectPath: derived.get("TABPY_QUERY_OBJECT_PATH") as string,
    staticPath: path("TABPY_STATIC_PATH"),
    passwordFile: path("TABPY_PWD_FILE"),
    loginFailuresPerUser: number("TABPY_LOGIN_FAILURES_PER_USER"),
    loginFailuresPerAddress: number("TABPY_LOGIN_FAILURES_PER_ADDRESS"),
    maxRequestBytes: Math.floor(number("TABPY_MAX_REQUEST_SIZE_MB") * megabyte),
    maxBufferedBytes: number("TABPY_MAX_BUFFERED_MB") * megabyte,
    maxConnections: number("TABPY_MAX_CONNECTIONS"),
    headerTimeoutMs: milliseconds("TABPY_HEADER_TIMEOUT"),
    requestTimeoutMs: milliseconds("TABPY_REQUEST_TIMEOUT"),
    idleTimeoutMs: milliseconds("TABPY_IDLE_TIMEOUT"),
    drainTimeoutMs: milliseconds("TABPY_DRAIN_TIMEOUT"),
    isLogDetailed: isOn("TABPY_LOG_DETAILS"),
    logging: readLogging(loaded.file, statePath),
    effective: [...loaded.values].map(([name, row]) =>
      shown({ ...row, value: row.value ?? derived.get(name) }),
    ),
  };
}

/** A secret is nobody's to see. */
function shown(row: Effective): Effective {
  return row.setting.type.kind === "secret" && row.value !== undefined ? { ...row, value: "(hidden)" } : row;
}

function timeoutText(row: Effective | undefined): string {
  if (row === undefined || typeof row.value !== "number") return "";
  return row.origin.kind === "default" ? String(row.value) : pythonFloatText(row.value);
}

/** systemd's StateDirectory, else what the platform gives programs for the user's own data. */
function defaultStatePath(env: NodeJS.ProcessEnv): string {
  const [service] = (env.STATE_DIRECTORY ?? "").split(":");
  if (service) return service;
  if (process.platform === "win32") return join(env.LOCALAPPDATA ?? homedir(), "TabPy");
  if (process.platform === "darwin") return join(homedir(), "Library", "Application Support", "TabPy");
  return join(env.XDG_STATE_HOME || join(homedir(), ".local", "state"), "tabpy");
}

// The settings in the form that the program uses: by name, in base units, with derived defaults.

import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { readLogging } from "../logging/config/sections.ts";
import { configError } from "../errors.ts";
import { homeFolder } from "./home-folder.ts";
import { isLoopbackOnly, parseHosts } from "./hosts.ts";
import { type Effective, type Loaded, originText } from "./load.ts";
import type { SettingName } from "./settings.ts";
import { pythonFloatText } from "./values.ts";

export type Config = Readonly<ReturnType<typeof createConfig>>;

export interface TlsConfig {
  readonly certificateFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly keyPassphrase: string | undefined;
  readonly minimumVersion: string;
}

const megabyte = 1024 * 1024;

/** The program's configuration. `env` names the folders of the service or the user. */
export function createConfig(loaded: Loaded, env: NodeJS.ProcessEnv) {
  const value = (name: SettingName) => loaded.values.get(name)?.value;
  const text = (name: SettingName) => value(name) as string | undefined;
  const path = (name: SettingName) => {
    const given = text(name);
    return given === undefined ? undefined : resolve(given);
  };
  const number = (name: SettingName) => value(name) as number;
  const milliseconds = (name: SettingName) => number(name) * 1000;
  const bytes = (name: SettingName) => Math.floor(number(name) * megabyte);
  const isOn = (name: SettingName) => value(name) as boolean;

  const statePath = path("TABPY_STATE_PATH") ?? defaultStatePath(env);
  const queryObjectPath = path("TABPY_QUERY_OBJECT_PATH") ?? join(statePath, "query_objects");
  const workers = (value("TABPY_WORKERS") as number | undefined) ?? Math.max(2, cpus().length);
  const workersPerUser =
    (value("TABPY_WORKERS_PER_USER") as number | undefined) ?? (workers >= 3 ? workers - 1 : workers);
  const derived = new Map<SettingName, string | number>([
    ["TABPY_STATE_PATH", statePath],
    ["TABPY_QUERY_OBJECT_PATH", queryObjectPath],
    ["TABPY_WORKERS", workers],
    ["TABPY_WORKERS_PER_USER", workersPerUser],
  ]);
  const tls: TlsConfig = {
    certificateFile: path("TABPY_CERTIFICATE_FILE"),
    keyFile: path("TABPY_KEY_FILE"),
    keyPassphrase: text("TABPY_KEY_PASSPHRASE"),
    minimumVersion: text("TABPY_MINIMUM_TLS_VERSION") ?? "",
  };
  const host = text("TABPY_HOST") ?? "";
  return {
    host,
    /** Whether only this machine can connect. */
    isLoopbackOnly: isLoopbackOnly(host),
    port: number("TABPY_PORT"),
    tls: value("TABPY_TRANSFER_PROTOCOL") === "https" ? tls : undefined,
    reloadModules: isOn("TABPY_RELOAD_MODULES"),
    isGzipEnabled: isOn("TABPY_GZIP_ENABLE"),
    python: text("TABPY_PYTHON"),
    workers,
    workersPerUser,
    queueSize: number("TABPY_QUEUE_SIZE"),
    queueTimeoutMs: milliseconds("TABPY_QUEUE_TIMEOUT"),
    workerMaxRequests: number("TABPY_WORKER_MAX_REQUESTS"),
    workerMemoryBytes: bytes("TABPY_WORKER_MEMORY_MB"),
    /** Deployed functions that each worker keeps loaded. */
    workerModels: number("TABPY_WORKER_MODELS"),
    isEvaluateEnabled: isOn("TABPY_EVALUATE_ENABLE"),
    evaluateTimeoutMs: milliseconds("TABPY_EVALUATE_TIMEOUT"),
    /** The timeout as the 408 response writes it: `30` by default, a Python float when it was configured. */
    evaluateTimeoutText: timeoutText(loaded.values.get("TABPY_EVALUATE_TIMEOUT")),
    /** Undefined for no limit. */
    queryTimeoutMs: milliseconds("TABPY_QUERY_TIMEOUT") || undefined,
    queryTimeoutText: timeoutText(loaded.values.get("TABPY_QUERY_TIMEOUT")),
    loadTimeoutMs: milliseconds("TABPY_LOAD_TIMEOUT"),
    maxArchiveBytes: bytes("TABPY_MAX_ARCHIVE_SIZE_MB"),
    /** Only for a warning: this version has no Arrow Flight. */
    isArrowWanted: isOn("TABPY_ARROW_ENABLE"),
    statePath,
    queryObjectPath,
    staticPath: path("TABPY_STATIC_PATH"),
    passwordFile: path("TABPY_PWD_FILE"),
    allowedHosts: hosts(loaded.values.get("TABPY_ALLOWED_HOSTS")),
    /** Per minute; 0 for no limit. */
    loginFailuresPerUser: number("TABPY_LOGIN_FAILURES_PER_USER"),
    loginFailuresPerAddress: number("TABPY_LOGIN_FAILURES_PER_ADDRESS"),
    maxRequestBytes: bytes("TABPY_MAX_REQUEST_SIZE_MB"),
    maxBufferedBytes: bytes("TABPY_MAX_BUFFERED_MB"),
    maxConnections: number("TABPY_MAX_CONNECTIONS"),
    headerTimeoutMs: milliseconds("TABPY_HEADER_TIMEOUT"),
    requestTimeoutMs: milliseconds("TABPY_REQUEST_TIMEOUT"),
    idleTimeoutMs: milliseconds("TABPY_IDLE_TIMEOUT"),
    drainTimeoutMs: milliseconds("TABPY_DRAIN_TIMEOUT"),
    /** Whether log lines name their request and its caller. */
    isLogDetailed: isOn("TABPY_LOG_DETAILS"),
    logging: readLogging(loaded.file, statePath),
    /** Every setting with its origin, for display. */
    effective: [...loaded.values].map(([name, row]) =>
      shown({ ...row, value: row.value ?? derived.get(name) }),
    ),
  };
}

/** The URL of this configuration's server on its own machine, without a trailing slash; `prefix`: "" or "/sub". */
export function serverUrl(config: Pick<Config, "host" | "port" | "tls">, prefix: string): string {
  const scheme = config.tls === undefined ? "http" : "https";
  const host = ["", "0.0.0.0", "::"].includes(config.host) ? "localhost" : config.host;
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${config.port}${prefix}`;
}

/** Hides the value of a secret. */
function shown(row: Effective): Effective {
  return row.setting.type.kind === "secret" && row.value !== undefined ? { ...row, value: "(hidden)" } : row;
}

function timeoutText(row: Effective | undefined): string {
  if (row === undefined || typeof row.value !== "number") return "";
  return row.origin.kind === "default" ? String(row.value) : pythonFloatText(row.value);
}

/** Names in addition to loopback ones; undefined when not set. */
function hosts(row: Effective | undefined): ReadonlySet<string> | undefined {
  if (row === undefined || typeof row.value !== "string" || row.value === "") return undefined;
  const names = parseHosts(row.value);
  if (names !== undefined) return names;
  const wanted = "names or addresses without a port, separated by commas";
  throw configError(row.setting.name, row.value, originText(row.origin), wanted);
}

/** systemd's StateDirectory, otherwise the platform's folder for a user's application data. */
function defaultStatePath(env: NodeJS.ProcessEnv): string {
  const [service] = (env.STATE_DIRECTORY ?? "").split(":");
  if (service) return service;
  const home = homeFolder(env);
  if (process.platform === "win32") return join(env.LOCALAPPDATA ?? home, "TabPy");
  if (process.platform === "darwin") return join(home, "Library", "Application Support", "TabPy");
  return join(env.XDG_STATE_HOME || join(home, ".local", "state"), "tabpy");
}

// The table of all settings: name, type, default, description. `--help` and `tabpy config` are made from it, and
// test/config/documents.test.ts compares docs/settings.md and config.example.conf with it. load.ts reads the values,
// config.ts gives each its name in the program.

/** The syntax of a value, and its bounds. */
export type Kind =
  | { readonly kind: "text" }
  /** A file or folder. */
  | { readonly kind: "path" }
  /** Text that is never shown. */
  | { readonly kind: "secret" }
  | { readonly kind: "boolean" }
  | { readonly kind: "choice"; readonly choices: readonly string[] }
  | { readonly kind: "integer"; readonly min: number; readonly max: number }
  | { readonly kind: "number"; readonly min: number; readonly max: number; readonly unit: string };

/** One row of the table. */
export interface Setting {
  readonly name: string;
  readonly type: Kind;
  /** Undefined: not set by default, or `defaultDoc` describes the default. */
  readonly default: string | undefined;
  /** Describes a default that is not a fixed text. */
  readonly defaultDoc?: string;
  readonly doc: string;
  readonly group:
    | "Network"
    | "Python and workers"
    | "Scripts and functions"
    | "Files"
    | "Security"
    | "Limits"
    | "Log";
}

const seconds = (min: number): Kind => ({ kind: "number", min, max: 604_800, unit: "seconds" });
const megabytes = (min: number, max: number): Kind => ({ kind: "number", min, max, unit: "megabytes" });

export const settings = [
  {
    name: "TABPY_HOST",
    type: { kind: "text" },
    default: "0.0.0.0",
    doc: "Address to listen on; 127.0.0.1 for this machine only",
    group: "Network",
  },
  {
    name: "TABPY_PORT",
    type: { kind: "integer", min: 1, max: 65535 },
    default: "9004",
    doc: "Port to listen on",
    group: "Network",
  },
  {
    name: "TABPY_TRANSFER_PROTOCOL",
    type: { kind: "choice", choices: ["http", "https"] },
    default: "http",
    doc: "http, or https with TABPY_CERTIFICATE_FILE and TABPY_KEY_FILE",
    group: "Network",
  },
  {
    name: "TABPY_CERTIFICATE_FILE",
    type: { kind: "path" },
    default: undefined,
    doc: "Certificate for https, PEM",
    group: "Network",
  },
  {
    name: "TABPY_KEY_FILE",
    type: { kind: "path" },
    default: undefined,
    doc: "Private key for https, PEM",
    group: "Network",
  },
  {
    name: "TABPY_KEY_PASSPHRASE",
    type: { kind: "secret" },
    default: undefined,
    doc: "Passphrase of an encrypted private key; better set in the environment than in a file",
    group: "Network",
  },
  {
    name: "TABPY_MINIMUM_TLS_VERSION",
    type: { kind: "text" },
    default: "TLSv1_2",
    doc: "Oldest TLS version that https accepts: TLSv1_2 or TLSv1_3; TLSv1 and TLSv1_1 are possible but insecure",
    group: "Network",
  },
  {
    name: "TABPY_GZIP_ENABLE",
    type: { kind: "boolean" },
    default: "true",
    doc: "Whether requests and responses may be compressed with gzip",
    group: "Network",
  },
  {
    name: "TABPY_PYTHON",
    type: { kind: "path" },
    default: undefined,
    defaultDoc: "python3, then python (on Windows also py -3)",
    doc: "Path or command of the Python that runs scripts: CPython 3.9 or newer, for example of a virtual environment",
    group: "Python and workers",
  },
  {
    name: "TABPY_WORKERS",
    type: { kind: "integer", min: 1, max: 1024 },
    default: undefined,
    defaultDoc: "one per core, at least 2",
    doc: "Worker processes, each of which runs one call at a time",
    group: "Python and workers",
  },
  {
    name: "TABPY_WORKERS_PER_USER",
    type: { kind: "integer", min: 1, max: 1024 },
    default: undefined,
    defaultDoc: "all but one where there are three or more, else all",
    doc: "Workers that the calls of one user, or of one address where there are no users, may hold at a time; further ones wait",
    group: "Python and workers",
  },
  {
    name: "TABPY_QUEUE_SIZE",
    type: { kind: "integer", min: 0, max: 1_000_000 },
    default: "2000",
    doc: "Calls that may wait for a free worker, at most nine tenths of them of one client; further ones are answered with 503",
    group: "Python and workers",
  },
  {
    name: "TABPY_QUEUE_TIMEOUT",
    type: seconds(0.01),
    default: "60",
    doc: "Seconds that a call may wait for a free worker; then it is answered with 503",
    group: "Python and workers",
  },
  {
    name: "TABPY_WORKER_MAX_REQUESTS",
    type: { kind: "integer", min: 0, max: 1_000_000_000 },
    default: "0",
    doc: "Calls after which a worker is replaced by a new one; 0 for never",
    group: "Python and workers",
  },
  {
    name: "TABPY_WORKER_MEMORY_MB",
    type: megabytes(0, 16_777_216),
    default: "0",
    doc: "Resident memory of a worker and the processes of its scripts above which it is killed and replaced; 0 for no limit (Linux only)",
    group: "Python and workers",
  },
  {
    name: "TABPY_WORKER_MODELS",
    type: { kind: "integer", min: 1, max: 1_000_000 },
    default: "32",
    doc: "Deployed functions that each worker keeps loaded; the least recently used one is unloaded",
    group: "Python and workers",
  },
  {
    name: "TABPY_RELOAD_MODULES",
    type: { kind: "boolean" },
    default: "true",
    doc: "Whether workers are replaced, one after the other, when the file of a module that they have imported changes",
    group: "Python and workers",
  },
  {
    name: "TABPY_EVALUATE_ENABLE",
    type: { kind: "boolean" },
    default: "true",
    doc: "Whether POST /evaluate runs scripts",
    group: "Scripts and functions",
  },
  {
    name: "TABPY_EVALUATE_TIMEOUT",
    type: seconds(0.01),
    default: "30",
    doc: "Seconds that a script of /evaluate may run; then it is killed and answered with 408",
    group: "Scripts and functions",
  },
  {
    name: "TABPY_QUERY_TIMEOUT",
    type: seconds(0),
    default: "0",
    doc: "Seconds that a deployed function may run when /query calls it; 0 for no limit",
    group: "Scripts and functions",
  },
  {
    name: "TABPY_LOAD_TIMEOUT",
    type: seconds(0.1),
    default: "120",
    doc: "Seconds that loading the archive of a newly deployed function may take",
    group: "Scripts and functions",
  },
  {
    name: "TABPY_ARROW_ENABLE",
    type: { kind: "boolean" },
    default: "false",
    doc: "Apache Arrow Flight for Tableau Prep; not available in this version, which transfers data as JSON",
    group: "Scripts and functions",
  },
  {
    name: "TABPY_ARROWFLIGHT_PORT",
    type: { kind: "integer", min: 1, max: 65535 },
    default: "13622",
    doc: "Port of Arrow Flight; not used by this version",
    group: "Scripts and functions",
  },
  {
    name: "TABPY_STATE_PATH",
    type: { kind: "path" },
    default: undefined,
    defaultDoc: "the service's state directory under systemd, otherwise a folder of the user",
    doc: "Folder of state.ini, query_objects and staging",
    group: "Files",
  },
  {
    name: "TABPY_QUERY_OBJECT_PATH",
    type: { kind: "path" },
    default: undefined,
    defaultDoc: "query_objects in the state folder",
    doc: "Folder of the archives of deployed functions",
    group: "Files",
  },
  {
    name: "TABPY_STATIC_PATH",
    type: { kind: "path" },
    default: undefined,
    defaultDoc: "the built-in page",
    doc: "Folder of files to serve at /",
    group: "Files",
  },
  {
    name: "TABPY_PWD_FILE",
    type: { kind: "path" },
    default: undefined,
    doc: "Password file; when set, every request needs a user name and a password",
    group: "Security",
  },
  {
    name: "TABPY_ALLOWED_HOSTS",
    type: { kind: "text" },
    default: undefined,
    doc: "Names, separated by commas, at which a server without a password file may be asked, besides localhost and loopback addresses; checked when set, or when TABPY_HOST is loopback",
    group: "Security",
  },
  {
    name: "TABPY_LOGIN_FAILURES_PER_USER",
    type: { kind: "integer", min: 0, max: 1_000_000 },
    default: "20",
    doc: "Wrong passwords allowed per minute for one user from one address, and ten times as many from all addresses; further attempts are answered with 429; 0 for no limit",
    group: "Security",
  },
  {
    name: "TABPY_LOGIN_FAILURES_PER_ADDRESS",
    type: { kind: "integer", min: 0, max: 1_000_000 },
    default: "100",
    doc: "Wrong names and passwords allowed per minute from one address; further attempts are answered with 429; 0 for no limit",
    group: "Security",
  },
  {
    name: "TABPY_MAX_REQUEST_SIZE_MB",
    type: megabytes(0.001, 2048),
    default: "100",
    doc: "Largest body of a request, before and after decompression",
    group: "Limits",
  },
  {
    name: "TABPY_MAX_ARCHIVE_SIZE_MB",
    type: megabytes(0.001, 1_048_576),
    default: "2048",
    doc: "Largest archive of a function that may be uploaded",
    group: "Limits",
  },
  {
    name: "TABPY_MAX_BUFFERED_MB",
    type: megabytes(1, 1_048_576),
    default: "2048",
    doc: "Total of bodies, inflated bodies, results and compressed answers in memory; a request that would exceed it is answered with 503",
    group: "Limits",
  },
  {
    name: "TABPY_MAX_CONNECTIONS",
    type: { kind: "integer", min: 1, max: 1_000_000 },
    default: "10000",
    doc: "Concurrent connections; further ones are closed at once",
    group: "Limits",
  },
  {
    name: "TABPY_HEADER_TIMEOUT",
    type: seconds(0.1),
    default: "20",
    doc: "Seconds within which the headers of a request must arrive; over plain HTTP 7 at most",
    group: "Limits",
  },
  {
    name: "TABPY_REQUEST_TIMEOUT",
    type: seconds(0.1),
    default: "300",
    doc: "Seconds within which a whole request must arrive",
    group: "Limits",
  },
  {
    name: "TABPY_IDLE_TIMEOUT",
    type: seconds(0.1),
    default: "75",
    doc: "Seconds that a connection may stay open without a request",
    group: "Limits",
  },
  {
    name: "TABPY_DRAIN_TIMEOUT",
    type: seconds(0),
    default: "10",
    doc: "Seconds that running calls may take to finish when the server stops",
    group: "Limits",
  },
  {
    name: "TABPY_LOG_DETAILS",
    type: { kind: "boolean" },
    default: "false",
    doc: "Whether the log names the client and the user of each request, and the request of each line",
    group: "Log",
  },
] as const satisfies readonly Setting[];

export type SettingName = (typeof settings)[number]["name"];

/** The default of a setting, for display. */
export function defaultText(setting: Setting): string {
  return setting.default ?? setting.defaultDoc ?? "not set";
}

/** The expected form of a value, for messages: "an integer from 1 to 65535". */
export function wantedText(type: Kind): string {
  switch (type.kind) {
    case "text":
      return "text";
    case "path":
      return "a path";
    case "secret":
      return "text";
    case "boolean":
      return "true or false";
    case "choice":
      return type.choices.join(" or ");
    case "integer":
      return `an integer from ${type.min} to ${type.max}`;
    case "number":
      return `a number of ${type.unit} from ${type.min} to ${type.max}`;
    default:
      return type satisfies never;
  }
}

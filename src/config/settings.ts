// The table of every setting: name, kind, default, what it is for. `--help`, `tabpy config`, the docs and
// config.example.conf follow it (test/config/settings.test.ts). Reading values is load.ts's affair.

/** How a value is written, and the bounds that it keeps. */
export type Kind =
  | { readonly kind: "text" }
  /** A file or folder. */
  | { readonly kind: "path" }
  /** Text that is shown nowhere. */
  | { readonly kind: "secret" }
  | { readonly kind: "boolean" }
  | { readonly kind: "choice"; readonly choices: readonly string[] }
  | { readonly kind: "integer"; readonly min: number; readonly max: number }
  | { readonly kind: "number"; readonly min: number; readonly max: number; readonly unit: string };

/** One row of the table. */
export interface Setting {
  readonly name: string;
  readonly type: Kind;
  /** Undefined: not set, or `defaultDoc` says what then happens. */
  readonly default: string | undefined;
  /** What to print as the default where that is no fixed text. */
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
    doc: "Address to listen on; 127.0.0.1 for this machine alone",
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
    doc: "Passphrase of the private key, where it is encrypted; better in the environment than in a file",
    group: "Network",
  },
  {
    name: "TABPY_MINIMUM_TLS_VERSION",
    type: { kind: "text" },
    default: "TLSv1_2",
    doc: "Oldest TLS version that https takes: TLSv1_2 or TLSv1_3; TLSv1 and TLSv1_1 are known and insecure",
    group: "Network",
  },
  {
    name: "TABPY_GZIP_ENABLE",
    type: { kind: "boolean" },
    default: "true",
    doc: "Whether requests and answers may be compressed",
    group: "Network",
  },
  {
    name: "TABPY_PYTHON",
    type: { kind: "path" },
    default: undefined,
    defaultDoc: "python3, then python (on Windows also py -3)",
    doc: "Path or command of the Python that runs scripts: CPython 3.9 or newer, of a virtual environment for example",
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
    name: "TABPY_QUEUE_SIZE",
    type: { kind: "integer", min: 0, max: 1_000_000 },
    default: "2000",
    doc: "Calls that may wait for a free worker; more are answered with 503",
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
    doc: "Resident memory past which a worker is ended and replaced, in the middle of its call too; 0 for never (Linux only)",
    group: "Python and workers",
  },
  {
    name: "TABPY_WORKER_MODELS",
    type: { kind: "integer", min: 1, max: 1_000_000 },
    default: "32",
    doc: "Deployed functions that each worker keeps loaded; the least recently used is dropped",
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
    doc: "Seconds that the archive of a newly deployed function may take to load",
    group: "Scripts and functions",
  },
  {
    name: "TABPY_ARROW_ENABLE",
    type: { kind: "boolean" },
    default: "false",
    doc: "Apache Arrow Flight for Tableau Prep; not offered by this version, data comes as JSON",
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
    defaultDoc: "the service's own folder under systemd, else a folder of the user's own",
    doc: "Folder that holds state.ini, query_objects and staging",
    group: "Files",
  },
  {
    name: "TABPY_QUERY_OBJECT_PATH",
    type: { kind: "path" },
    default: undefined,
    defaultDoc: "query_objects in the state folder",
    doc: "Folder that holds the archives of deployed functions",
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
    doc: "Password file; when set, every call needs a name and a password",
    group: "Security",
  },
  {
    name: "TABPY_LOGIN_FAILURES_PER_USER",
    type: { kind: "integer", min: 0, max: 1_000_000 },
    default: "20",
    doc: "Wrong passwords that may be sent for one user in a minute; more are answered with 429; 0 for any number",
    group: "Security",
  },
  {
    name: "TABPY_LOGIN_FAILURES_PER_ADDRESS",
    type: { kind: "integer", min: 0, max: 1_000_000 },
    default: "100",
    doc: "Wrong names and passwords that may come from one address in a minute; more are answered with 429; 0 for any number",
    group: "Security",
  },
  {
    name: "TABPY_MAX_REQUEST_SIZE_MB",
    type: megabytes(0.001, 2048),
    default: "100",
    doc: "Largest body of a request, also after gzip is undone",
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
    doc: "Bodies of requests that the server holds in memory at one time, together; more are answered with 503",
    group: "Limits",
  },
  {
    name: "TABPY_MAX_CONNECTIONS",
    type: { kind: "integer", min: 1, max: 1_000_000 },
    default: "10000",
    doc: "Connections open at one time; further ones are closed at once",
    group: "Limits",
  },
  {
    name: "TABPY_HEADER_TIMEOUT",
    type: seconds(0.1),
    default: "20",
    doc: "Seconds in which the headers of a request must have come",
    group: "Limits",
  },
  {
    name: "TABPY_REQUEST_TIMEOUT",
    type: seconds(0.1),
    default: "300",
    doc: "Seconds in which a whole request must have come",
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
    doc: "Seconds that running calls may take to finish when the server is asked to stop",
    group: "Limits",
  },
  {
    name: "TABPY_LOG_DETAILS",
    type: { kind: "boolean" },
    default: "false",
    doc: "Whether the log names caller, URL and user of each request",
    group: "Log",
  },
] as const satisfies readonly Setting[];

export type SettingName = (typeof settings)[number]["name"];

/** The row of a setting. */
export function settingOf(name: SettingName): Setting {
  const found = settings.find((row) => row.name === name);
  if (found === undefined) throw new Error(`no setting ${name}`);
  return found;
}

/** What to print as the default of a setting. */
export function defaultText(setting: Setting): string {
  return setting.default ?? setting.defaultDoc ?? "not set";
}

/** What a value must look like, for messages: "an integer from 1 to 65535". */
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

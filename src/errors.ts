// The program's one error class and the table of its codes. Errors are thrown where they are found. One place turns
// them into a response for HTTP (src/http/answers.ts), one into a message for the command line (src/cli/run.ts).

/** Error code -> HTTP status of the response. */
export const errorStatus = {
  /** The request is malformed or incomplete. */
  "bad-request": 400,
  /** No credentials, or wrong ones, where a password file is set. */
  unauthorized: 401,
  /** A web page of another site asks (http/foreign-pages.ts), or the path leads out of the static folder. */
  forbidden: 403,
  /** No such URL, endpoint or file; or evaluate is disabled. */
  "not-found": 404,
  /** The URL exists, but not for this method. */
  "method-not-allowed": 405,
  /** Credentials for a server that has no password file. */
  "not-acceptable": 406,
  /** A script or function exceeded its time limit, or a request body arrived too slowly. */
  timeout: 408,
  /** The body is larger than TABPY_MAX_REQUEST_SIZE_MB. */
  "too-large": 413,
  /** The body has a Content-Encoding other than gzip. */
  "unsupported-encoding": 415,
  /** Too many wrong names or passwords: further ones are refused for a while without being verified. */
  "too-many-attempts": 429,
  /** An error in this program or in the user's script. */
  internal: 500,
  /**
   * The call can't be taken now: no worker for it (executor/call-queue.ts, pool.ts), no memory for its body
   * or its result (http/body-errors.ts), or the state file is missing, locked or can't be written (registry/store.ts, file-lock.ts,
   * registry/storage.ts).
   */
  unavailable: 503,
  /** What a deployment, change or removal needs can't be written: the disk or a quota is full (registry/storage.ts). */
  "disk-full": 507,
  /** A setting, file or argument can't be used: exit code 1. */
  config: 500,
  /** Wrong usage of the command line: exit code 2. */
  usage: 500,
} as const;

export type ErrorCode = keyof typeof errorStatus;

/** Further members of an error. */
export interface ErrorDetail {
  /** The `info` member of an HTTP error body, text or an object; `{}` by default. */
  readonly info?: unknown;
  /** The `details` member of an HTTP error body; omitted by default. */
  readonly details?: unknown;
  /** Headers to add to the HTTP response, `Retry-After` for example. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An error with a code; the client or the person at the terminal reads its `message`. */
export class TabPyError extends Error {
  readonly code: ErrorCode;
  readonly info: unknown;
  readonly details: unknown;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? {} : { cause: detail.cause });
    this.name = "TabPyError";
    this.code = code;
    this.info = detail.info ?? {};
    this.details = detail.details;
    this.headers = detail.headers ?? {};
  }

  get status(): number {
    return errorStatus[this.code];
  }
}

/**
 * The error of a value that can't be used: `Cannot use TABPY_PORT "http" (tabpy.conf line 3): expected an integer`.
 * Without `value` or `place`, the message omits them.
 */
export function configError(
  what: string,
  value: string | undefined,
  place: string | undefined,
  wanted: string,
): TabPyError {
  const given = value === undefined ? "" : ` "${value}"`;
  const origin = place === undefined ? "" : ` (${place})`;
  return new TabPyError("config", `Cannot use ${what}${given}${origin}: expected ${wanted}`);
}

/** The message of a thrown value, whatever it is. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The errno name (`ENOENT`, `EADDRINUSE`, ...) of a Node error, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return undefined;
}

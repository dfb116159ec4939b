// The one error class of the program and the table of its codes. Errors are thrown where they are found and
// turned into an answer in one place for HTTP (src/http/answers.ts) and one for the command line (src/cli/run.ts).

/** Code of an error -> the HTTP status that it answers with. */
export const errorStatus = {
  /** The request is malformed or lacks something. */
  "bad-request": 400,
  /** No credentials, or wrong ones, where a password file is set. */
  unauthorized: 401,
  /** A path that leaves the static folder. */
  forbidden: 403,
  /** No such URL, endpoint or file; evaluate when it is disabled. */
  "not-found": 404,
  /** The URL exists, the method doesn't. */
  "method-not-allowed": 405,
  /** Credentials for a server that has no password file. */
  "not-acceptable": 406,
  /** A script or function went past its time limit, or a body came too slowly. */
  timeout: 408,
  /** The body is larger than TABPY_MAX_REQUEST_SIZE_MB. */
  "too-large": 413,
  /** Too many wrong names or passwords: no further one is looked at for a while. */
  "too-many-attempts": 429,
  /** A fault of our own or of the user's script. */
  internal: 500,
  /** No worker can take the call now: queue full, wait too long, Python doesn't start, or stopping. */
  unavailable: 503,
  /** A setting, file or command line that can't be used: ends the program with exit code 1. */
  config: 500,
  /** Bad usage of the command line: ends the program with exit code 2. */
  usage: 500,
} as const;

export type ErrorCode = keyof typeof errorStatus;

/** Extra facts of an error. */
export interface ErrorDetail {
  /** The `info` member of an HTTP error body: text or an object; `{}` when absent. */
  readonly info?: unknown;
  /** The `details` member of an HTTP error body; left out when absent. */
  readonly details?: unknown;
  /** Headers to add to the HTTP answer, `Retry-After` for example. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An error with a code; `message` is what the client or the person at the terminal reads. */
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

/** The text of anything that was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The errno name (`ENOENT`, `EADDRINUSE`, ...) of a Node error, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return undefined;
}

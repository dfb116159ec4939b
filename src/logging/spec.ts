// What a config file says about the log, as plain data. config/ reads it, format/ and write/ carry it out; the types
// are here so that none of them imports another's code for a type.

/** Makes the error for a value that can't be used; `wanted` completes "expected ...". */
export type Fault = (wanted: string) => Error;

export interface FormatSpec {
  /** Empty or undefined: the message alone. */
  readonly format: string | undefined;
  /** For time.strftime; empty or undefined: `2026-01-31 12:00:00,123`. */
  readonly datefmt: string | undefined;
  readonly style: "%" | "{" | "$";
}

export type FormatterSpec =
  | { readonly kind: "format"; readonly format: FormatSpec }
  | { readonly kind: "json" };

/** The formatter of a handler without one. */
export const messageOnly: FormatterSpec = {
  kind: "format",
  format: { format: undefined, datefmt: undefined, style: "%" },
};

/** How a file is opened and written. */
export interface FileSpec {
  readonly path: string;
  /** Append, truncate, or fail when the file exists. */
  readonly mode: "a" | "w" | "x";
  readonly encoding: "utf8" | "latin1" | "ascii";
  /** Open the file with the first line. */
  readonly isDelayed: boolean;
}

/** `when`, `interval` and `utc` of TimedRotatingFileHandler. */
export interface When {
  readonly unit: "S" | "M" | "H" | "D" | "MIDNIGHT" | "W";
  /** Day of a weekly rotation; Monday is 0. */
  readonly day: number;
  /** In units. */
  readonly interval: number;
  readonly isUtc: boolean;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where a handler writes. Handlers with equal specifications share one target. */
export type TargetSpec =
  | { readonly kind: "null" }
  | { readonly kind: "stream"; readonly stream: "stdout" | "stderr" }
  | { readonly kind: "file"; readonly file: FileSpec }
  /** Reopened when its path leads to another file. */
  | { readonly kind: "watched"; readonly file: FileSpec }
  | { readonly kind: "size"; readonly file: FileSpec; readonly maxBytes: number; readonly backups: number }
  | { readonly kind: "time"; readonly file: FileSpec; readonly when: When; readonly backups: number }
  | {
      readonly kind: "syslog";
      /** A string is the path of a socket. */
      readonly address: string | Address;
      readonly facility: number;
      /** Undefined: a datagram socket; at a path, a stream socket when that fails. */
      readonly socket: "datagram" | "stream" | undefined;
    };

export interface HandlerSpec {
  readonly name: string;
  readonly target: TargetSpec;
  /** 0 takes every record. */
  readonly levelNumber: number;
  readonly formatter: FormatterSpec;
}

export interface LoggerSpec {
  /** Empty for the root. */
  readonly name: string;
  /** 0: the level of the logger above. */
  readonly levelNumber: number;
  readonly handlers: readonly HandlerSpec[];
  /** Whether handlers of the loggers above get its records too. */
  readonly isPropagating: boolean;
}

export interface LoggingSpec {
  /** All handlers that are listed, including those that no logger names: they are opened too. */
  readonly handlers: readonly HandlerSpec[];
  readonly loggers: readonly LoggerSpec[];
  /** Whether this is TabPy's default; only then are missing folders of log files created. */
  readonly isDefault: boolean;
  /** For the log: sections without effect. */
  readonly warnings: readonly string[];
}

// The handler classes that a config file may name, with the parameters that they have in Python, and what of their
// arguments is used. Plain data: handlers.ts opens what it describes.

import { resolve } from "node:path";
import { TabPyError } from "../errors.ts";
import { HandlerArguments } from "./arguments.ts";
import { parseWhen, type When } from "./rollover-time.ts";

/** How a file is opened and written. */
export interface FileSpec {
  readonly path: string;
  /** Append, begin anew, or fail when it is there. */
  readonly mode: "a" | "w" | "x";
  readonly encoding: "utf8" | "latin1" | "ascii";
  /** Open with the first line. */
  readonly isDelayed: boolean;
}

export type TargetSpec =
  | { readonly kind: "null" }
  | { readonly kind: "stream"; readonly stream: "stdout" | "stderr" }
  | { readonly kind: "file"; readonly file: FileSpec }
  /** Opened anew when the file at its path is another one. */
  | { readonly kind: "watched"; readonly file: FileSpec }
  | { readonly kind: "size"; readonly file: FileSpec; readonly maxBytes: number; readonly backups: number }
  | { readonly kind: "time"; readonly file: FileSpec; readonly when: When; readonly backups: number }
  | {
      readonly kind: "syslog";
      readonly address: string | { readonly host: string; readonly port: number };
      readonly facility: number;
      /** Undefined: a datagram; at a path a datagram, then a stream. */
      readonly socket: "datagram" | "stream" | undefined;
    };

interface HandlerClass {
  /** The parameters of its constructor, in Python's order. */
  readonly parameters: readonly string[];
  readonly read: (args: HandlerArguments) => TargetSpec;
}

const classes: Readonly<Record<string, HandlerClass>> = {
  StreamHandler: {
    parameters: ["stream"],
    read: (args) => ({ kind: "stream", stream: args.stream("stream") }),
  },
  FileHandler: {
    parameters: ["filename", "mode", "encoding", "delay", "errors"],
    read: (args) => ({ kind: "file", file: fileSpec(args) }),
  },
  NullHandler: { parameters: ["level"], read: () => ({ kind: "null" }) },
  "handlers.WatchedFileHandler": {
    parameters: ["filename", "mode", "encoding", "delay", "errors"],
    read: (args) => ({ kind: "watched", file: fileSpec(args) }),
  },
  "handlers.RotatingFileHandler": {
    parameters: ["filename", "mode", "maxBytes", "backupCount", "encoding", "delay", "errors"],
    read: (args) => {
      const maxBytes = args.integer("maxBytes", 0);
      // Python appends where it rotates: "w" would lose what an earlier run has written.
      const file = fileSpec(args, maxBytes > 0 ? "a" : undefined);
      return { kind: "size", file, maxBytes, backups: args.integer("backupCount", 0) };
    },
  },
  "handlers.TimedRotatingFileHandler": {
    parameters: [
      "filename",
      "when",
      "interval",
      "backupCount",
      "encoding",
      "delay",
      "utc",
      "atTime",
      "errors",
    ],
    read: (args) => {
      if (args.given("atTime") !== undefined)
        throw args.fault("atTime", "None: a time of day is not offered");
      const interval = args.integer("interval", 1);
      const when = parseWhen(args.text("when") ?? "h", interval, args.boolean("utc"));
      if (when === undefined) throw args.fault("when", "S, M, H, D, midnight or W0 to W6");
      if (interval < 1) throw args.fault("interval", "an integer from 1");
      return { kind: "time", file: fileSpec(args, "a"), when, backups: args.integer("backupCount", 0) };
    },
  },
  "handlers.SysLogHandler": {
    parameters: ["address", "facility", "socktype"],
    read: (args) => ({
      kind: "syslog",
      address: args.address("address"),
      facility: args.facility("facility"),
      socket: socketType(args),
    }),
  },
};

/**
 * What a handler's section asks for.
 *
 * @param name the class as the section has it: `StreamHandler`, `handlers.X`, `logging.handlers.X`.
 * @param place what messages call the section.
 * @throws TabPyError `config` for a class or an argument that isn't there.
 */
export function readTarget(
  name: string,
  args: string | undefined,
  kwargs: string | undefined,
  place: string,
): TargetSpec {
  const found = classes[name.replace(/^logging\./, "")];
  if (found === undefined) {
    const known = Object.keys(classes).join(", ");
    throw new TabPyError("config", `Cannot use class "${name}" (${place}): expected ${known}`);
  }
  return found.read(HandlerArguments.bind(args, kwargs, found.parameters, place));
}

function fileSpec(args: HandlerArguments, fixedMode?: "a"): FileSpec {
  const filename = args.text("filename");
  if (filename === undefined || filename === "" || filename.includes("\0"))
    throw args.fault("filename", "the path of a file in quotes");
  const [, mode] = /^([awx])t?\+?t?$/.exec(args.text("mode") ?? "a") ?? [];
  if (mode !== "a" && mode !== "w" && mode !== "x") throw args.fault("mode", "'a' or 'w'");
  const encoding = encodings[(args.text("encoding") ?? "utf-8").toLowerCase().replaceAll("_", "-")];
  if (encoding === undefined) throw args.fault("encoding", Object.keys(encodings).join(", "));
  args.text("errors"); // what an encoding can't hold is escaped, whatever this says: no line is lost for it
  return { path: resolve(filename), mode: fixedMode ?? mode, encoding, isDelayed: args.boolean("delay") };
}

const encodings: Readonly<Record<string, FileSpec["encoding"]>> = {
  "utf-8": "utf8",
  utf8: "utf8",
  ascii: "ascii",
  "us-ascii": "ascii",
  "latin-1": "latin1",
  latin1: "latin1",
  "iso-8859-1": "latin1",
};

function socketType(args: HandlerArguments): "datagram" | "stream" | undefined {
  const type = args.integer("socktype", 0);
  if (type === 0) return undefined;
  if (type !== 1 && type !== 2) throw args.fault("socktype", "1 (SOCK_STREAM) or 2 (SOCK_DGRAM)");
  return type === 1 ? "stream" : "datagram";
}

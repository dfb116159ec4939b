// The handler classes that a config file may name: the parameters that they have in Python, and how their arguments
// become a TargetSpec. Nothing is opened here.

import { resolve } from "node:path";
import { TabPyError } from "../../errors.ts";
import type { FileSpec, TargetSpec, When } from "../spec.ts";
import { HandlerArguments } from "./arguments.ts";

interface HandlerClass {
  /** The parameters of its constructor, in Python's order, separated by spaces. */
  readonly parameters: string;
  readonly read: (args: HandlerArguments) => TargetSpec;
}

const classes: Readonly<Record<string, HandlerClass>> = {
  StreamHandler: {
    parameters: "stream",
    read: (args) => ({ kind: "stream", stream: args.stream("stream") }),
  },
  FileHandler: {
    parameters: "filename mode encoding delay errors",
    read: (args) => ({ kind: "file", file: fileSpec(args) }),
  },
  NullHandler: { parameters: "level", read: () => ({ kind: "null" }) },
  "handlers.WatchedFileHandler": {
    parameters: "filename mode encoding delay errors",
    read: (args) => ({ kind: "watched", file: fileSpec(args) }),
  },
  "handlers.RotatingFileHandler": {
    parameters: "filename mode maxBytes backupCount encoding delay errors",
    read: (args) => {
      const maxBytes = args.integer("maxBytes", 0);
      // As in Python: "w" would lose what an earlier run wrote, so files that rotate are always appended to.
      const file = fileSpec(args, maxBytes > 0 ? "a" : undefined);
      return { kind: "size", file, maxBytes, backups: args.integer("backupCount", 0) };
    },
  },
  "handlers.TimedRotatingFileHandler": {
    parameters: "filename when interval backupCount encoding delay utc atTime errors",
    read: (args) => {
      if (args.given("atTime") !== undefined)
        throw args.fault("atTime", "None: a time of day is not supported");
      const backups = args.integer("backupCount", 0);
      return { kind: "time", when: readWhen(args), file: fileSpec(args, "a"), backups };
    },
  },
  "handlers.SysLogHandler": {
    parameters: "address facility socktype",
    read: (args) => ({
      kind: "syslog",
      address: args.address("address"),
      facility: args.facility("facility"),
      socket: socketType(args),
    }),
  },
};

/**
 * Where a handler writes.
 *
 * @param name the class as the section has it: `StreamHandler`, `handlers.X`, `logging.handlers.X`.
 * @param place the section's name in messages.
 * @throws TabPyError `config` for an unknown class or an argument that doesn't fit.
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
  return found.read(HandlerArguments.bind(args, kwargs, found.parameters.split(" "), place));
}

/** S, M, H, D, midnight, W0 (Monday) to W6, in any case. */
function readWhen(args: HandlerArguments): When {
  const pattern = /^(S|M|H|D|MIDNIGHT|W(?=[0-6]))([0-6])?$/;
  const [, unit, day] = pattern.exec((args.text("when") ?? "h").toUpperCase()) ?? [];
  if (unit === undefined || (day !== undefined && unit !== "W"))
    throw args.fault("when", "S, M, H, D, midnight or W0 to W6");
  const interval = args.integer("interval", 1);
  if (interval < 1) throw args.fault("interval", "an integer from 1");
  return { unit: unit as When["unit"], day: Number(day ?? 0), interval, isUtc: args.boolean("utc") };
}

function fileSpec(args: HandlerArguments, fixedMode?: "a"): FileSpec {
  const filename = args.text("filename");
  if (filename === undefined || filename === "" || filename.includes("\0"))
    throw args.fault("filename", "the path of a file in quotes");
  const [, mode] = /^([awx])t?\+?t?$/.exec(args.text("mode") ?? "a") ?? [];
  if (mode !== "a" && mode !== "w" && mode !== "x") throw args.fault("mode", "'a' or 'w'");
  const encoding = encodings[(args.text("encoding") ?? "utf-8").toLowerCase().replaceAll("_", "-")];
  if (encoding === undefined) throw args.fault("encoding", Object.keys(encodings).join(", "));
  args.text("errors"); // without effect: characters that the encoding doesn't have are always escaped
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

// The names of the local time zone, "CET" and "CEST" for example: JavaScript knows the offsets, but for most zones no
// name but "GMT+1". So they are read from the system's own file of the zone, whose form RFC 8536 describes.

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The name of the local zone at a time, in milliseconds since 1970. */
export type ZoneName = (time: Date) => string;

interface Change {
  /** Seconds since 1970. */
  readonly at: number;
  readonly name: string;
}

/** Reads the zone that `TZ` names, else the system's. Without a file: what JavaScript has. */
export function createZoneName(tz: string | undefined): ZoneName {
  const changes = readChanges(tz);
  if (changes === undefined) return nameFromJavaScript;
  const last = changes.at(-1);
  return (time) => {
    const seconds = Math.floor(time.getTime() / 1000);
    // Behind the last change a rule goes on, which JavaScript's offset stands for.
    const found =
      last !== undefined && seconds >= last.at
        ? changes.findLast((one) => one.at <= seconds && isOffsetOf(one, time))
        : changes.findLast((one) => one.at <= seconds);
    return (found ?? last)?.name ?? nameFromJavaScript(time);
  };
}

function isOffsetOf(change: Change, time: Date): boolean {
  return new Date((change.at + 1) * 1000).getTimezoneOffset() === time.getTimezoneOffset();
}

function readChanges(tz: string | undefined): Change[] | undefined {
  const name = (tz ?? "").replace(/^:/, "");
  if (tz === "" || name === "UTC") return undefined;
  const paths =
    name === ""
      ? ["/etc/localtime"]
      : name.startsWith("/")
        ? [name]
        : ["/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo"].map((folder) =>
            join(folder, name),
          );
  for (const path of paths) {
    try {
      return parseZone(readFileSync(path));
    } catch {
      // not there, or no file of a zone
    }
  }
  return undefined;
}

/** The second, 64-bit block of a TZif file. */
function parseZone(file: Buffer): Change[] {
  if (file.toString("latin1", 0, 4) !== "TZif" || file.readUInt8(4) < 0x32) throw new Error("no TZif file");
  const first = counts(file, 0);
  const second = 44 + first.bytes(4);
  const { times, types, letters } = counts(file, second);
  const timesAt = second + 44;
  const kindsAt = timesAt + times * 8;
  const typesAt = kindsAt + times;
  const lettersAt = typesAt + types * 6;
  const nameOf = (kind: number) => {
    const begin = lettersAt + file.readUInt8(typesAt + kind * 6 + 5);
    return file.toString("latin1", begin, Math.min(file.indexOf(0, begin), lettersAt + letters));
  };
  const changes: Change[] = [{ at: Number.NEGATIVE_INFINITY, name: nameOf(0) }];
  for (let index = 0; index < times; index++) {
    changes.push({
      at: Number(file.readBigInt64BE(timesAt + index * 8)),
      name: nameOf(file.readUInt8(kindsAt + index)),
    });
  }
  return changes;
}

function counts(file: Buffer, at: number) {
  const count = (index: number) => file.readUInt32BE(at + 20 + index * 4);
  const [utc, standard, leaps, times, types, letters] = [0, 1, 2, 3, 4, 5].map(count) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const bytes = (size: number) =>
    times * size + times + types * 6 + letters + leaps * (size + 4) + standard + utc;
  return { times, types, letters, bytes };
}

function nameFromJavaScript(time: Date): string {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(time);
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "";
}

// Colours of log lines on a terminal: by level, the whole line, so that a warning is seen among many. consola has
// them for the command line's own words; its reporters write whole lines of their own form, which a log can't take.

import type { Level } from "./levels.ts";

const reset = "\x1b[0m";
const begins: Readonly<Record<Level, string>> = {
  DEBUG: "\x1b[2m",
  INFO: "",
  WARNING: "\x1b[33m",
  ERROR: "\x1b[31m",
  CRITICAL: "\x1b[1;31m",
};

export function colour(level: Level, line: string): string {
  const begin = begins[level];
  return begin === "" ? line : `${begin}${line}${reset}`;
}

/** Whether colours are wanted where there is a terminal. https://no-color.org: any value but an empty one says no. */
export function wantsColours(env: Readonly<Record<string, string | undefined>>): boolean {
  return !env.NO_COLOR && env.TERM !== "dumb";
}

// Messages of the command line, on standard error: consola's at a terminal, in colour unless NO_COLOR is set; plain
// lines elsewhere, for services and scripts. The running server writes to its log instead.

import { createConsola } from "consola";

/** Print an error in the name of `program`. */
export function printError(program: string, text: string): void {
  if (process.stderr.isTTY) terminal().error(text);
  else process.stderr.write(`${program}: ${text}\n`);
}

export function printWarning(text: string): void {
  if (process.stderr.isTTY) terminal().warn(text);
  else process.stderr.write(`tabpy: ${text}\n`);
}

function terminal() {
  return createConsola({
    stdout: process.stderr,
    stderr: process.stderr,
    formatOptions: { date: false },
  });
}

// What the command line says to a person, on standard error: in consola's form on a terminal, with colours unless
// NO_COLOR is set; one plain line elsewhere, for services and scripts. What the server says goes to its log.

import { createConsola } from "consola";

/** Say what is wrong, in the name of `program`. */
export function sayFault(program: string, text: string): void {
  if (process.stderr.isTTY) terminal().error(text);
  else process.stderr.write(`${program}: ${text}\n`);
}

/** Say what may be wrong. */
export function sayWarning(text: string): void {
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

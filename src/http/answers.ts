// The forms of answers: JSON of ours, bytes of a worker, and every error as `{"message", "info"}`. The one place
// that turns a thrown error into a status.

import { errorText, TabPyError } from "../errors.ts";
import { pythonJson } from "../python-json.ts";

/** The text of an error may be as long as a script wants. */
const maxLoggedChars = 10_000;

/** An answer with a JSON body made here. */
export function jsonAnswer(
  value: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return bytesAnswer(pythonJson(value), status, headers);
}

/** An answer whose body is JSON already; text is ASCII. */
export function bytesAnswer(
  body: Buffer | string,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(body as string | Buffer<ArrayBuffer>, {
    status,
    headers: { "Content-Type": "application/json", "Content-Length": String(body.length), ...headers },
  });
}

/** The answer to a request that failed. Errors that are not ours show no more than that something broke. */
export function errorAnswer(error: unknown): Response {
  if (!(error instanceof TabPyError)) return jsonAnswer({ message: "Internal server error", info: {} }, 500);
  const body = { message: error.message, info: error.info, details: error.details };
  return jsonAnswer(body, error.status, error.headers);
}

/** TabPy's line about an answer that is an error. What a client sent is in it only where the answer repeats it. */
export function respondingText(error: unknown): string {
  const isOurs = error instanceof TabPyError;
  const info = isOurs ? error.info : {};
  const infoText = typeof info === "string" ? info : JSON.stringify(info);
  const message = isOurs ? error.message : "Internal server error";
  const text = `Responding with status=${isOurs ? error.status : 500}, message="${message}", info="${infoText}"`;
  return text.length > maxLoggedChars
    ? `${text.slice(0, maxLoggedChars)}... (${text.length} characters)`
    : text;
}

/** Whether the log should name an error that was answered: what is our fault, not the client's. */
export function faultText(error: unknown): string | undefined {
  if (error instanceof TabPyError) return undefined;
  return error instanceof Error ? (error.stack ?? error.message) : errorText(error);
}

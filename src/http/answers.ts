// The forms of responses: JSON made here, a worker's bytes, and errors as `{"message", "info"}`. The one place that
// turns a thrown error into a status.

import { errorText, TabPyError } from "../errors.ts";
import { pythonJson } from "../python-json.ts";

/** The message of a script's error may have any length. */
const maxLoggedChars = 10_000;

/** A response with a JSON body made here. */
export function jsonAnswer(
  value: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return bytesAnswer(pythonJson(value), status, headers);
}

/** A response whose body is JSON already; a string is ASCII. */
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

/** The response to a request that failed. Errors of other classes reveal nothing but that they happened. */
export function errorAnswer(error: unknown): Response {
  if (!(error instanceof TabPyError)) return jsonAnswer({ message: "Internal server error", info: {} }, 500);
  const body = { message: error.message, info: error.info, details: error.details };
  return jsonAnswer(body, error.status, error.headers);
}

/** TabPy's log line about an error response. Of what the client sent, it contains only what the response repeats. */
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

/** The text to log about an error of this program itself; undefined for the client's errors. */
export function faultText(error: unknown): string | undefined {
  if (error instanceof TabPyError) return undefined;
  return error instanceof Error ? (error.stack ?? error.message) : errorText(error);
}

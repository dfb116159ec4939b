// The forms of answers: JSON of ours, bytes of a worker, and every error as `{"message", "info"}`. The one place
// that turns a thrown error into a status.

import { errorText, TabPyError } from "../errors.ts";
import { pythonJson } from "../python-json.ts";

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

/** Whether the log should name an error that was answered: what is our fault, not the client's. */
export function faultText(error: unknown): string | undefined {
  if (error instanceof TabPyError) return undefined;
  return error instanceof Error ? (error.stack ?? error.message) : errorText(error);
}

// The function that a script becomes, read out of the body of its request: for the log line about a call whose worker
// was killed or lost. In every other case the worker reports it (programs/worker/function_log.py, the same text).

import { byteLength } from "../executor/executor.ts";

/** A larger body is searched only at its start and its end: clients send `script` first or last. */
const searchedBytes = 1024 * 1024;
const maxCharacters = 8192;

/** `def _user_script(tabpy, _arg1): ...`; undefined when no script is found. Doesn't parse the data. */
export function functionText(body: readonly Buffer[]): string | undefined {
  const texts = searchedParts(body).map((part) => part.toString());
  const script = texts.map(scriptOf).find((found) => found !== undefined);
  if (script === undefined) return undefined;
  const lines = shortened(script).split(/\r\n|\r|\n/);
  const names = ["tabpy", ...Array.from({ length: countArguments(texts) }, (_, at) => `_arg${at + 1}`)];
  return shortened([shortened(`def _user_script(${names.join(", ")}):`), ...lines].join("\n "));
}

function searchedParts(body: readonly Buffer[]): Buffer[] {
  if (byteLength(body) <= 2 * searchedBytes) return [Buffer.concat(body)];
  let tailStart = body.length;
  for (let bytes = 0; bytes < searchedBytes; bytes += body[tailStart]?.length ?? 0) tailStart--;
  return [
    Buffer.concat(body, searchedBytes), // truncated to this length
    Buffer.concat(body.slice(tailStart)).subarray(-searchedBytes),
  ];
}

/** The text of the member `script`. Inside a string, its quotes would be escaped. */
function scriptOf(json: string): string | undefined {
  const literal = /(?<=[{,]\s*)"script"\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*")/s.exec(json)?.[1];
  try {
    return literal === undefined ? undefined : String(JSON.parse(literal));
  } catch {
    return undefined;
  }
}

function countArguments(texts: readonly string[]): number {
  const numbers = texts.flatMap((text) =>
    [...text.matchAll(/"_arg(\d{1,4})"\s*:/g)].map(([, digits]) => Number(digits)),
  );
  return Math.max(0, ...numbers);
}

/** Shortens as function_log.py does, which counts code points. */
function shortened(text: string): string {
  if (text.length <= maxCharacters) return text;
  const points = [...text];
  if (points.length <= maxCharacters) return text;
  return `${points.slice(0, maxCharacters - 40).join("")}... (${points.length} characters)`;
}

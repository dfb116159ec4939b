// The function that a script becomes, read out of the body of its request: for the log line about a call whose worker
// was killed or lost. In every other case the worker reports it (programs/worker/function_log.py, the same text).

import { byteLength } from "../executor/executor.ts";

/** A larger body is not parsed, but searched at its start and its end: clients send `script` first or last. */
const parsedBytes = 1024 * 1024;
const maxCharacters = 8192;

/** `def _user_script(tabpy, _arg1): ...`; undefined when no script is found. */
export function functionText(body: readonly Buffer[]): string | undefined {
  const { script, argumentCount } = byteLength(body) <= parsedBytes ? parse(body) : search(body);
  if (typeof script !== "string") return undefined;
  const lines = shortened(script.replace(/^\ufeff/, "")).split(/\r\n|\r|\n/);
  const names = ["tabpy", ...Array.from({ length: argumentCount }, (_, at) => `_arg${at + 1}`)];
  return shortened([shortened(`def _user_script(${names.join(", ")}):`), ...lines].join("\n "));
}

interface Found {
  readonly script: unknown;
  readonly argumentCount: number;
}

function parse(body: readonly Buffer[]): Found {
  const text = Buffer.concat(body).toString();
  try {
    const { script, data } = JSON.parse(text.replace(/^\ufeff/, ""));
    return { script, argumentCount: Object.keys(data ?? {}).length };
  } catch {
    return searchTexts([text]); // Python reads more than JSON: NaN for example
  }
}

function search(body: readonly Buffer[]): Found {
  let tailStart = body.length;
  for (let bytes = 0; bytes < parsedBytes; bytes += body[tailStart]?.length ?? 0) tailStart--;
  return searchTexts([
    Buffer.concat(body, parsedBytes).toString(), // the length cuts it
    Buffer.concat(body.slice(tailStart)).subarray(-parsedBytes).toString(),
  ]);
}

/** Finds the last member `script` with text, and the highest argument. Inside of strings quotes would be escaped. */
function searchTexts(texts: readonly string[]): Found {
  let script: string | undefined;
  let argumentCount = 0;
  for (const text of texts) {
    for (const [, literal = ""] of text.matchAll(/(?<=[{,]\s*)"script"\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*")/gs))
      script = textOf(literal) ?? script;
    for (const [, digits] of text.matchAll(/"_arg(\d{1,3})"\s*:/g))
      argumentCount = Math.max(argumentCount, Number(digits));
  }
  return { script, argumentCount };
}

function textOf(literal: string): string | undefined {
  try {
    return String(JSON.parse(literal));
  } catch {
    return undefined;
  }
}

/** Shortens as function_log.py does, which counts code points. */
function shortened(text: string): string {
  if (text.length <= maxCharacters) return text;
  const points = [...text];
  if (points.length <= maxCharacters) return text;
  return `${points.slice(0, maxCharacters - 40).join("")}... (${points.length} characters)`;
}

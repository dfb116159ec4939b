// JSON as Python's json.dumps writes it: ", " and ": ", everything but ASCII escaped. For responses and state;
// results come from the workers as bytes. Parsing keeps the digits of numbers, because Python distinguishes 1.0 from
// 1 and its integers have no limit.

const notAscii = /[\u007f-\uffff]/g;
/** Strings, to skip them, and the numbers that Python's json reads and writes although JSON doesn't have them. */
const notFinite = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\bInfinity\b|\bNaN\b/g;

/** ES2026, in Bun and Node 22 and later, but not yet in TypeScript's library. */
interface ExactJson {
  parse(
    text: string,
    revive: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
  isRawJSON(value: unknown): boolean;
}
const exact = JSON as unknown as ExactJson;

/** The JSON text of plain data, without undefined members. */
export function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(", ")}]`;
  if (typeof value === "object" && value !== null && !exact.isRawJSON(value)) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{${members.map(([name, member]) => `${text(name)}: ${pythonJson(member)}`).join(", ")}}`;
  }
  if (typeof value === "string") return text(value);
  return JSON.stringify(value) ?? "null";
}

/**
 * The value of a JSON text. Its numbers are raw JSON, which `pythonJson` writes with the same digits and `numberOf`
 * converts. NaN and infinities, which TabPy and its client write, become null. Throws SyntaxError.
 */
export function parseExactJson(json: string): unknown {
  try {
    return parse(json);
  } catch (error) {
    const finite = json.replace(notFinite, (found) => (found.startsWith('"') ? found : "null"));
    if (finite === json) throw error;
    return parse(finite);
  }
}

function parse(json: string): unknown {
  return exact.parse(json, (_, value, { source }) =>
    typeof value === "number" && source !== undefined ? exact.rawJSON(source) : value,
  );
}

/** The value of a number from `parseExactJson`; undefined when `value` isn't a number. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return exact.isRawJSON(value) ? Number(JSON.stringify(value)) : undefined;
}

function text(value: string): string {
  return JSON.stringify(value).replace(
    notAscii,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

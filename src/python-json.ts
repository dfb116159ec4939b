// JSON as Python's json.dumps writes it: ", " and ": ", everything but ASCII escaped. For the answers and the state
// that this side writes; results come from the workers as bytes. And reading that keeps numbers as they were
// written: Python's integers have no size and its 1.0 is no 1, where JavaScript has one kind of number.

const notAscii = /[\u007f-\uffff]/g;
/** Strings, to pass over them, and what Python's json writes and reads for numbers that JSON has not. */
const notFinite = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\bInfinity\b|\bNaN\b/g;

/** ES2026, in bun and in Node from 22 on; not yet in TypeScript's library. */
interface ExactJson {
  parse(
    text: string,
    revive: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
  isRawJSON(value: unknown): boolean;
}
const exact = JSON as unknown as ExactJson;

/** The JSON text of plain data. Undefined members are left out. */
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
 * The value of a JSON text whose numbers `pythonJson` writes as they stand in it. They are no JavaScript numbers:
 * see `numberOf`. NaN and infinities, which TabPy and its client write, are null. Throws SyntaxError.
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

/** The number that `parseExactJson` read, or undefined when `value` is none. */
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

// JSON as Python's json.dumps writes it: ", " and ": ", everything but ASCII escaped. For the answers that this
// side makes; results come from the workers as bytes.

const notAscii = /[\u007f-\uffff]/g;

/** The JSON text of plain data. Undefined members are left out. */
export function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{${members.map(([name, member]) => `${text(name)}: ${pythonJson(member)}`).join(", ")}}`;
  }
  if (typeof value === "string") return text(value);
  return JSON.stringify(value) ?? "null";
}

function text(value: string): string {
  return JSON.stringify(value).replace(
    notAscii,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

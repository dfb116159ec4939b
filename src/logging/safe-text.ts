// Makes text from anywhere fit for a log: whatever it holds, it can't begin a line of its own, move a cursor or
// change colours. Every message goes through this, whichever handler writes it.

// Control characters but tab and line feed; DEL and the C1 range move cursors and colours on a terminal too,
// U+2028 and U+2029 are line ends to some readers of logs, and U+202A to U+202E and U+2066 to U+2069 show text in
// another order.
const unsafe =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ud800-\udfff]/;
const unsafeEach = new RegExp(unsafe.source, "gu");

/** Longer texts are not remembered, and of the others no more than so many. */
const maxKeptChars = 4096;
const maxKept = 256;
/** What is shorter is looked at sooner than looked up. */
const shortChars = 80;

/**
 * `text` with control characters written as `\x1b`, `\u2028`, and further lines indented by four spaces. Half a
 * surrogate pair is escaped too: UTF-8 has no bytes for it.
 */
export function safeText(text: string): string {
  const safe = unsafe.test(text) ? text.replace(unsafeEach, escaped) : text;
  return safe.includes("\n") ? safe.replaceAll("\n", "\n    ") : safe;
}

/** `safeText` that remembers texts of several lines: the same few scripts run again and again. */
export function createSafeText(): (text: string) => string {
  const kept = new Map<string, string>();
  return (text) => {
    if (text.length < shortChars || text.length > maxKeptChars) return safeText(text);
    const found = kept.get(text);
    if (found !== undefined) return found;
    const safe = safeText(text);
    if (safe.length === text.length) return safe; // seldom said twice, and quickly made
    if (kept.size >= maxKept) kept.clear();
    kept.set(text, safe);
    return safe;
  };
}

function escaped(char: string): string {
  const code = char.charCodeAt(0).toString(16);
  return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u${code.padStart(4, "0")}`;
}

// Makes text from anywhere safe for a log: it can't start a line of its own, move the cursor or change colours. Every
// message goes through this, whichever handler writes it.

import QuickLRU from "quick-lru";

// Control characters except tab and line feed; DEL and the C1 range, which terminals obey too; U+2028 and U+2029,
// which end lines for some log viewers; U+202A to U+202E and U+2066 to U+2069, which reorder text; and lone
// surrogates.
const unsafe =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it searches for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ud800-\udfff]/;
const unsafeEach = new RegExp(unsafe.source, "gu");

/** Longer texts are not cached, and shorter ones take less time to check than to look up. */
const maxCachedChars = 4096;
const minCachedChars = 80;
/** quick-lru keeps up to twice as many. */
const maxCached = 128;

/**
 * `text` with control characters as `\x1b` or `\u2028`, and with its further lines indented by four spaces. Half a
 * surrogate pair is escaped too: UTF-8 has no bytes for it.
 */
export function safeText(text: string): string {
  const safe = unsafe.test(text) ? text.replace(unsafeEach, pythonEscape) : text;
  return safe.includes("\n") ? safe.replaceAll("\n", "\n    ") : safe;
}

/** `safeText` that caches texts of several lines: the same few scripts run again and again. */
export function createSafeText(): (text: string) => string {
  const cache = new QuickLRU<string, string>({ maxSize: maxCached });
  return (text) => {
    if (text.length < minCachedChars || text.length > maxCachedChars) return safeText(text);
    const found = cache.get(text);
    if (found !== undefined) return found;
    const safe = safeText(text);
    if (safe.length !== text.length) cache.set(text, safe); // others are rarely repeated, and fast to make
    return safe;
  };
}

/** A character as Python's `backslashreplace` writes it: `\x1b`, `\u2028` or `\U0001f600`. */
export function pythonEscape(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code < 0x100) return `\\x${hex.padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}

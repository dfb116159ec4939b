// Levels of Python's logging: names, numbers, and reading them from a config file.

/** Python's level names and numbers. */
export const levels = { DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40, CRITICAL: 50 } as const;
export type Level = keyof typeof levels;

/** Names that stand in config files beside those of `levels`. */
const otherNames: Readonly<Record<string, number>> = { NOTSET: 0, WARN: 30, FATAL: 50 };

/**
 * The number of a level as a config file writes it: a name, whatever its case, or an integer. Python takes names in
 * capitals alone. Undefined for anything else.
 */
export function parseLevel(text: string): number | undefined {
  const name = text.trim().toUpperCase();
  if (/^\d{1,9}$/.test(name)) return Number(name);
  return Object.hasOwn(levels, name) ? levels[name as Level] : otherNames[name];
}

/** What to say where a level is wanted. */
export const wantedLevel = "DEBUG, INFO, WARNING, ERROR, CRITICAL, NOTSET or a number";

// The levels of Python's logging: names, numbers, and reading them from a config file.

/** Python's level names and numbers. */
export const levels = { DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40, CRITICAL: 50 } as const;
export type Level = keyof typeof levels;

/** Every name that a config file may use, with its number. */
export const levelNames: Readonly<Record<string, number>> = { ...levels, NOTSET: 0, WARN: 30, FATAL: 50 };

/**
 * The number of a level in a config file: a name in any case (Python takes capitals only), or an integer. Undefined for
 * anything else.
 */
export function parseLevel(text: string): number | undefined {
  const name = text.trim().toUpperCase();
  if (/^\d{1,9}$/.test(name)) return Number(name);
  return Object.hasOwn(levelNames, name) ? levelNames[name] : undefined;
}

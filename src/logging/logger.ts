// Log records as Python's logging names them: levels, loggers by source file, TabPy's default line. Where the
// lines go is writer.ts's affair.

/** Python's level names and numbers. */
export const levels = { DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40, CRITICAL: 50 } as const;
export type Level = keyof typeof levels;

/** Writes records of one source file. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warning(message: string): void;
  error(message: string): void;
  isEnabled(level: Level): boolean;
  /** A logger that names another source file. */
  for(file: string): Logger;
}

/** Takes finished lines, without line end. Must not block. */
export type WriteLine = (line: string) => void;

/** A logger for records of `level` and above. `file` is the source file that lines name, `pool.ts` for example. */
export function createLogger(write: WriteLine, level: Level, file: string): Logger {
  const threshold = levels[level];
  const log = (recordLevel: Level, message: string) => {
    if (levels[recordLevel] >= threshold) write(formatRecord(new Date(), recordLevel, file, message));
  };
  return {
    debug: (message) => log("DEBUG", message),
    info: (message) => log("INFO", message),
    warning: (message) => log("WARNING", message),
    error: (message) => log("ERROR", message),
    isEnabled: (recordLevel) => levels[recordLevel] >= threshold,
    for: (other) => createLogger(write, level, other),
  };
}

/**
 * TabPy's default format, `%(asctime)s [%(levelname)s] (%(filename)s:%(module)s:%(lineno)d): %(message)s`, with the
 * date as `%Y-%m-%d,%H:%M:%S`. The line number is 0: a compiled source has none. Control characters are escaped, and
 * further lines of a message are indented, so that nothing in a message can look like a record of its own.
 */
export function formatRecord(time: Date, level: Level, file: string, message: string): string {
  const module = file.replace(/\.[^.]*$/, "");
  return `${formatTime(time)} [${level}] (${file}:${module}:0): ${escapeMessage(message)}`;
}

function formatTime(time: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${date},${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

// Control characters but tab and line feed; DEL and the C1 range move cursors and colours on a terminal too, and
// U+2028 and U+2029 are line ends to some readers of logs.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g;

function escapeMessage(message: string): string {
  const escaped = message.replace(unsafe, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return escaped.includes("\n") ? escaped.replaceAll("\n", "\n    ") : escaped;
}

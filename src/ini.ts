// Reads and writes the INI dialect of Python's configparser.ConfigParser (strict, BasicInterpolation): the config
// file, the logging sections in it, and state.ini. Specification:
// https://docs.python.org/3/library/configparser.html; where Python versions differ, as in 3.10 and later.
// test/ini.test.ts compares every rule with Python's own parser.

// The package `ini` can't parse or write these files: it drops "__proto__", splits names at ".", turns "true" into a
// boolean, cuts values at ";", quotes what it writes, and has no ":", no continuation lines and no error for duplicates.
// Only its `safe` is used here: `set` refuses the names that it would quote.
import { safe } from "ini";
import { TabPyError } from "./errors.ts";

/** The section whose options apply to every other section too. */
export const defaultSection = "DEFAULT";

const header = /^\[(.+)\]/s; // Up to the last bracket of the line; the rest is ignored, as in Python.
const delimiter = /[=:]/;
const comment = /^[#;]/;
const reference = /%(?:%|\(([^)]+)\)s)?/g;
const maxDepth = 10;

// The spaces of Python's str.isspace(). JavaScript's differ in U+001C to U+001F, U+0085 and U+FEFF.
const spaces = new Set(
  "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a" +
    "\u2028\u2029\u202f\u205f\u3000",
);

/** The raw value of an option, and its line, counted from 1; undefined when it isn't from a file. */
interface Option {
  value: string;
  readonly line: number | undefined;
}

type Sections = Map<string, Map<string, Option>>; // An object would reorder "1" and lose "__proto__".

export interface IniOptions {
  /** Keeps the case of option names; by default they are lower-cased, as in Python. */
  readonly keepCase?: boolean;
  /** The name of the text in messages: a file name. */
  readonly source?: string;
  /** Values for `%(NAME)s`, for example the environment. They become options of DEFAULT, with `%` taken literally. */
  readonly defaults?: Readonly<Record<string, string | undefined>>;
}

/** The sections and options of an INI text; `parseIni("")` gives an empty one to fill. */
export class IniFile {
  readonly source: string;
  readonly #keepCase: boolean;
  readonly #sections: Sections;

  constructor(source: string, keepCase: boolean, sections: Sections) {
    this.source = source;
    this.#keepCase = keepCase;
    this.#sections = sections;
  }

  /** Section names in the order of the text, without DEFAULT. */
  sections(): string[] {
    return [...this.#sections.keys()].filter((name) => name !== defaultSection);
  }

  hasSection(section: string): boolean {
    return section !== defaultSection && this.#sections.has(section);
  }

  /** Names of a section's options in the order of the text, then those of DEFAULT. */
  options(section: string): string[] {
    if (!this.#sections.has(section)) return [];
    return [...new Set([...this.#own(section).keys(), ...this.#own(defaultSection).keys()])];
  }

  /** Name and raw value of the options that the section sets itself, in the order of the text. */
  ownOptions(section: string): [name: string, value: string][] {
    return [...this.#own(section)].map(([name, option]) => [name, option.value]);
  }

  has(section: string, option: string): boolean {
    return this.#find(section, option) !== undefined;
  }

  /** The value as in the text, lines joined by "\n"; undefined when there is no such option. */
  raw(section: string, option: string): string | undefined {
    return this.#find(section, option)?.value;
  }

  /**
   * The value with `%%` and `%(name)s` replaced; undefined when there is no such option. Throws TabPyError
   * `config` for any other `%`, an unknown name, and references more than 10 deep.
   */
  get(section: string, option: string): string | undefined {
    const raw = this.raw(section, option);
    return raw === undefined ? undefined : this.#interpolate(section, option, raw, 1);
  }

  /** The line that set the option, counted from 1; undefined for defaults and what `set` has set. */
  lineOf(section: string, option: string): number | undefined {
    return this.#find(section, option)?.line;
  }

  /**
   * Sets a raw value (see `escapeValue`) and adds the section when it is missing. Throws TabPyError `config` for values
   * and names that would be read back differently: a malformed `%`, and what the format can't express.
   */
  set(section: string, option: string, value: string): void {
    const name = this.#nameOf(option);
    if (!this.#own(section).has(name)) checkName("option", name, ":"); // A name that was read is valid.
    checkValue(option, value);
    this.addSection(section);
    this.#own(section).set(name, { value, line: undefined });
  }

  /** Adds an empty section unless it exists. */
  addSection(section: string): void {
    if (this.#sections.has(section)) return;
    checkName("section", section, "]");
    this.#sections.set(section, new Map());
  }

  /** Removes the section's own option; one of DEFAULT applies again. */
  remove(section: string, option: string): void {
    this.#own(section).delete(this.#nameOf(option));
  }

  #nameOf(option: string): string {
    return this.#keepCase ? option : option.toLowerCase();
  }

  #own(section: string): Map<string, Option> {
    return this.#sections.get(section) ?? new Map();
  }

  #find(section: string, option: string): Option | undefined {
    if (!this.#sections.has(section)) return undefined;
    const name = this.#nameOf(option);
    return this.#own(section).get(name) ?? this.#own(defaultSection).get(name);
  }

  #interpolate(section: string, option: string, value: string, depth: number): string {
    const fault = (wanted: string) => {
      const line = this.lineOf(section, option);
      const place = line === undefined ? this.source : `${this.source} line ${line}`;
      return new TabPyError("config", `Cannot read ${quote(option)} (${place}): expected ${wanted}`);
    };
    if (depth > maxDepth) throw fault(`references at most ${maxDepth} deep`);
    return value.replace(reference, (match: string, name: string | undefined, offset: number) => {
      if (match === "%%") return "%";
      if (name === undefined) throw fault(`"%%" or "%(name)s", got ${quote(value.slice(offset))}`);
      const target = this.raw(section, name);
      if (target === undefined)
        throw fault(`an option or a default named ${quote(name)} for ${quote(match)}`);
      return target.includes("%") ? this.#interpolate(section, option, target, depth + 1) : target;
    });
  }
}

/**
 * Reads an INI text. Throws TabPyError `config` with the number of the first invalid line, where Python raises
 * MissingSectionHeaderError, ParsingError, DuplicateSectionError or DuplicateOptionError.
 *
 * Different from Python on purpose: a byte order mark at the start is skipped, `%` in a default isn't escaped, and of two
 * defaults whose names differ only in case the last one is used.
 */
export function parseIni(text: string, options: IniOptions = {}): IniFile {
  const { keepCase = false, source = "<string>", defaults = {} } = options;
  const nameOf = (option: string) => (keepCase ? option : option.toLowerCase());
  const defaultOptions = new Map<string, Option>();
  for (const [name, value] of Object.entries(defaults)) {
    if (value !== undefined) defaultOptions.set(nameOf(name), { value: escapeValue(value), line: undefined });
  }
  const sections: Sections = new Map([[defaultSection, defaultOptions]]);
  const headerLines = new Map<string, number>();

  let section: Map<string, Option> | undefined;
  let option: Option | undefined; // An indented line continues it.
  let indent = 0;
  let emptyLines = 0; // Part of the value only when it continues after them.
  // Python's universal newlines only, not \f or U+2028.
  const rows = text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/);
  for (const [index, row] of rows.entries()) {
    const line = index + 1;
    const fault = (wanted: string) =>
      new TabPyError("config", `Cannot read ${quote(source)} line ${line}: expected ${wanted}`);

    const content = strip(row);
    if (comment.test(content)) continue;
    if (content === "") {
      emptyLines += 1;
      continue;
    }
    const rowIndent = row.length - stripStart(row).length;
    if (option !== undefined && rowIndent > indent) {
      option.value += "\n".repeat(emptyLines + 1) + content;
      emptyLines = 0;
      continue;
    }
    indent = rowIndent;
    emptyLines = 0;

    const name = header.exec(content)?.[1];
    if (name !== undefined) {
      const first = headerLines.get(name);
      if (first !== undefined && name !== defaultSection) {
        throw fault(`each section once, got [${name}] again, first on line ${first}`);
      }
      headerLines.set(name, line);
      section = sections.get(name) ?? new Map<string, Option>();
      sections.set(name, section);
      option = undefined;
      continue;
    }
    if (section === undefined) throw fault(`a section header "[name]" first, got ${quote(content)}`);

    const end = content.search(delimiter);
    if (end < 1) throw fault(`"name = value", got ${quote(content)}`);
    const written = strip(content.slice(0, end));
    const first = section.get(nameOf(written))?.line;
    if (first !== undefined) {
      throw fault(`each option once in a section, got ${quote(written)} again, first on line ${first}`);
    }
    option = { value: strip(content.slice(end + 1)), line };
    section.set(nameOf(written), option);
  }
  return new IniFile(source, keepCase, sections);
}

/** The text that Python's `ConfigParser.write` writes: DEFAULT first, including `defaults`, without comments. */
export function formatIni(ini: IniFile): string {
  const defaults = ini.ownOptions(defaultSection).length > 0 ? [defaultSection] : [];
  const blocks = [...defaults, ...ini.sections()].map((section) => {
    const lines = ini
      .ownOptions(section)
      .map(([name, value]) => `${name} = ${value.replaceAll("\n", "\n\t")}\n`);
    return `[${section}]\n${lines.join("")}\n`;
  });
  return blocks.join("");
}

/** The raw value for which `get` returns `text`. */
export function escapeValue(text: string): string {
  return text.replaceAll("%", "%%");
}

function checkName(kind: "section" | "option", name: string, end: string): void {
  // `safe` changes names with "=", ";", "#", a line end, a leading "[", quotes or spaces around them.
  if (name !== "" && safe(name) === name && strip(name) === name && !name.includes(end) && isUnicode(name)) {
    return;
  }
  const wanted = `a name without "=", ";", "#", "${end}", line ends, outer spaces, quotes or "["`;
  throw new TabPyError("config", `Cannot write ${kind} ${quote(name)}: expected ${wanted}`);
}

function checkValue(option: string, value: string): void {
  const fault = (wanted: string) =>
    new TabPyError("config", `Cannot write ${quote(option)} ${quote(value)}: expected ${wanted}`);

  // In two steps, like Python's `before_set`.
  const bare = value.replaceAll("%%", "").replace(/%\([^)]+\)s/g, "");
  if (bare.includes("%")) throw fault(`"%%" for each "%"`);
  if (!isUnicode(value)) throw fault("no lone surrogates");
  const lines = value.split("\n");
  if (lines.some((line) => line !== strip(line) || line.includes("\r"))) {
    throw fault('lines without outer spaces, ended by "\\n"');
  }
  if (lines.slice(1).some((line) => comment.test(line)))
    throw fault('no further line that begins with "#" or ";"');
  if (lines.length > 1 && lines.at(-1) === "") throw fault("no line end at its end");
}

function isUnicode(text: string): boolean {
  return !/\p{Surrogate}/u.test(text); // With the u flag only lone ones match.
}

function stripStart(text: string): string {
  let start = 0;
  while (spaces.has(text.charAt(start))) start += 1;
  return text.slice(start);
}

function strip(text: string): string {
  let end = text.length;
  while (spaces.has(text.charAt(end - 1))) end -= 1;
  return stripStart(text.slice(0, end));
}

/** A text for a message: in quotes, on one line, truncated. */
function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}

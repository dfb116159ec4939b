// The texts and values that ini.test.ts gives to parseIni(), formatIni() and Python's configparser: a table by
// hand, and generated ones from a seed, the same in every run.

import { createRandom, pick } from "./support/random.ts";

export interface ReadCase {
  readonly name: string;
  readonly text: string;
  readonly defaults?: Record<string, string>;
}

export interface WriteCase {
  readonly name: string;
  readonly sections: readonly (readonly [section: string, options: readonly (readonly [string, string])[]])[];
}

const environment = {
  HOME: "/home/alice",
  USER: "alice",
  PERCENT: "100%",
  DOUBLE: "a%%b",
  REFERENCE: "%(USER)s",
};

/** What each text is about, then the text. */
const texts: readonly (readonly [name: string, text: string])[] = [
  // Structure
  ["nothing", ""],
  ["only a line end", "\n"],
  ["only spaces", "   \t  "],
  ["only comments", "# a\n; b\n"],
  ["an empty section", "[s]"],
  ["two sections", "[b]\nx = 1\n[a]\ny = 2\n"],
  ["no line end at the end", "[s]\na = 1"],
  ["empty lines around everything", "\n\n[s]\n\na = 1\n\n\nb = 2\n\n"],
  [
    "a config file",
    "[TabPy]\nTABPY_PORT = 9004\nTABPY_PWD_FILE = /etc/tabpy/pwd.txt\n\n[loggers]\nkeys = root\n",
  ],
  [
    "a state file",
    '[Service Info]\nName = x\n\n[Query Objects Service Versions]\nadd = {"version": 1}\n\n[Meta]\nRevision Number = 3\n\n',
  ],

  // Delimiters
  ["= with spaces", "[s]\na = 1"],
  ["= without spaces", "[s]\na=1"],
  [": with spaces", "[s]\na : 1"],
  [": without spaces", "[s]\na:1"],
  ["= then : in the value", "[s]\na = b:c"],
  [": then = in the value", "[s]\na : b=c"],
  ["two delimiters of different kinds", "[s]\nkey : = value"],
  ["two = in a row", "[s]\na == b"],
  ["a URL as value", "[s]\nurl = http://host:80/?a=b"],
  ["a URL as name", "[s]\nhttp://host = 1"],
  ["many spaces around =", "[s]\na   =   b   "],
  ["tabs around =", "[s]\na\t=\tb\t"],
  ["only a name", "[s]\nkey"],
  ["only a name among good lines", "[s]\na = 1\nkey\nb = 2"],
  ["no name", "[s]\n=value"],
  ["no name before :", "[s]\n: value"],
  ["no name after an indent", "[s]\n  = value"],
  ["no name twice", "[s]\n= 1\n= 2"],
  ["no name, then an indented line", "[s]\n= 1\n  b"],
  ["a faulty line before a duplicate option", "[s]\njunk\na = 1\na = 2"],
  ["a faulty line before a duplicate section", "[s]\njunk\n[s]"],
  ["two faulty lines", "[s]\none\ntwo"],
  ["rem", "[s]\nrem this is not a comment"],
  ["rem with =", "[s]\nrem a = b"],

  // Names of options
  ["a name with spaces", "[s]\nRevision Number = 3"],
  ["a name with inner tabs", "[s]\na\tb = 3"],
  ["a name in capitals", "[s]\nABC = 1"],
  ["names that differ in case", "[s]\nabc = 1\nABC = 2"],
  ["names that differ in case in two sections", "[s]\nabc = 1\n[t]\nABC = 2"],
  ["a name in quotes", '[s]\n"a" = 1'],
  ["a name with brackets at its end", "[s]\na[] = 1\nb[] = 2"],
  ["a name with dots", "[s]\na.b.c = 1"],
  ["a name with a backslash", "[s]\na\\b = 1"],
  ["a name with #", "[s]\na#b = 1"],
  ["a name with ;", "[s]\na;b = 1"],
  ["a name with %", "[s]\na%b = 1"],
  ["a name that begins with [", "[s]\n[a = 1"],
  ["a name that begins with [ and a value that ends with ]", "[s]\n[a = 1]"],
  ["a name that begins with ]", "[s]\n]a = 1"],
  ["numbers as names", "[s]\n10 = a\n2 = b\n1 = c\n-1 = d\n1.5 = e"],
  ["names of Object.prototype", "[s]\n__proto__ = 1\nconstructor = 2\ntoString = 3\nhasOwnProperty = 4"],
  ["__proto__ twice", "[s]\n__proto__ = 1\n__proto__ = 2"],
  ["a Greek final sigma", "[s]\nΟΔΟΣ = 1\nΟΔΟΣΑ = 2"],
  ["a dotted capital I", "[s]\nİ = 1"],
  ["a sharp s", "[s]\nSTRAẞE = 1\nstraße = 2"],
  ["Cyrillic and Chinese names", "[s]\nКлюч = значение\n键 = 值"],
  ["emoji as name and value", "[s]\n😀 = 🎉\n"],
  ["composed and decomposed letters", "[s]\né = 1\ne\u0301 = 2"],

  // Values
  ["an empty value", "[s]\na ="],
  ["an empty value and spaces", "[s]\na =   "],
  ["an empty value before another option", "[s]\na =\nb = 1"],
  ["an empty value before a section", "[s]\na =\n[t]"],
  ["quotes stay", "[s]\na = \"b\"\nc = 'd'"],
  ["a half-open quote", '[s]\na = "b'],
  ["words of other formats", "[s]\na = true\nb = null\nc = 1e5\nd = yes"],
  ["# in a value", "[s]\na = b # c"],
  ["; in a value", "[s]\na = b ; c"],
  ["# without a space", "[s]\na = b#c"],
  ["# as value", "[s]\na = #"],
  ["; as value", "[s]\na =;"],
  ["backslashes", "[s]\na = C:\\temp\\new\nb = \\"],
  ["JSON", '[s]\na = {"b": [1, 2], "c": "d = e; # f"}'],
  ["a value like a section", "[s]\na = [b]"],
  ["an array", "[s]\na[] = 1"],
  ["a very long value", `[s]\na = ${"long ".repeat(20_000)}end`],
  ["a very long run of spaces in a value", `[s]\na = b${" ".repeat(50_000)}c`],
  ["a very long value of many lines", `[s]\na = 1\n${"  line\n".repeat(5_000)}b = 2`],
  ["a NUL", "[s]\na = b\0c\n\0 = d"],
  ["an escape character", "[s]\na = \x1b[0m"],

  // Comments
  ["# before a section", "# c\n[s]\na = 1"],
  ["; before a section", "; c\n[s]\na = 1"],
  ["a comment between options", "[s]\na = 1\n# c\nb = 2"],
  ["a comment with =", "[s]\n# a = 1\n;b = 2"],
  ["an indented comment", "[s]\na = 1\n   # c\n\t; d\nb = 2"],
  ["an indented comment at the start", "  # c\n[s]\na = 1"],
  ["a comment in a value", "[s]\na = 1\n  2\n# c\n  3"],
  ["an indented comment in a value", "[s]\na = 1\n  2\n  # c\n  3"],
  ["a comment in place of the first line of a value", "[s]\na =\n  # c\n  1"],
  ["comments and empty lines in a value", "[s]\na = 1\n\n# c\n\n  2"],
  ["a comment after a section header", "[s] # c\na = 1"],
  ["a commented section", "[s]\na = 1\n#[t]\nb = 2"],
  ["a comment behind a non-breaking space", "[s]\na = 1\n\xa0# c\nb = 2"],

  // Continuation lines
  ["a second line", "[s]\na = 1\n  2"],
  ["three lines of different indents", "[s]\na = 1\n      2\n  3\n    4"],
  ["an indented line after an empty value", "[s]\na =\n  1\n  2"],
  ["a continuation line with =", "[s]\na = 1\n  b = 2"],
  ["a continuation line like a section", "[s]\na = 1\n  [t]\nb = 2"],
  ["a line like a section, indented, first in a section", "[s]\n  [t]\n  a = 1"],
  ["an indented first option", "[s]\n  a = 1\n  b = 2"],
  ["an indented option with a deeper line", "[s]\n  a = 1\n    2\n  b = 3"],
  ["an indented option, then one further left", "[s]\n    a = 1\n  b = 2\nc = 3"],
  ["each option deeper", "[s]\na = 1\n b = 2\n  c = 3"],
  ["everything indented", "  [s]\n  a = 1\n  [t]\n  b = 2"],
  ["an indented section after an option", "[s]\na = 1\n  [t]"],
  ["a section less indented", "  [s]\n  a = 1\n[t]\nb = 2"],
  ["an indented junk line after a section", "[s]\n  junk"],
  ["an indented line after the header only", "[s]\n    a"],
  ["a tab as indent", "[s]\na = 1\n\t2"],
  ["a tab against spaces", "[s]\n    a = 1\n\tb = 2"],
  ["a tab counts one", "[s]\n a = 1\n\tb = 2"],
  ["a non-breaking space as indent", "[s]\na = 1\n\xa02"],
  ["an ideographic space as indent", "[s]\na = 1\n\u30002"],
  ["a form feed as indent", "[s]\na = 1\n\f2"],
  ["a vertical tab as indent", "[s]\na = 1\n\v2"],
  ["a unit separator as indent", "[s]\na = 1\n\x1f2"],
  ["a byte order mark is not an indent", "[s]\na = 1\n\ufeffb = 2"],
  ["a zero-width space is not an indent", "[s]\na = 1\n\u200bb = 2"],
  ["a Mongolian vowel separator is not an indent", "[s]\na = 1\n\u180eb = 2"],
  ["an empty line in a value", "[s]\na = 1\n\n  2"],
  ["empty lines in a value", "[s]\na = 1\n\n\n\n  2\n"],
  ["a line of spaces in a value", "[s]\na = 1\n    \n  2"],
  ["empty lines after a value", "[s]\na = 1\n\n\nb = 2"],
  ["empty lines before the first line of a value", "[s]\na =\n\n  1"],
  ["empty lines between sections", "[s]\na = 1\n\n\n[t]\n\n\nb = 2"],
  ["empty lines after a header, then an indented option", "[s]\n\n  a = 1"],
  ["spaces at the ends of all lines", "[s]  \na = 1  \n  2  \n  3  "],
  ["a reference over two lines", "[s]\na = %(b\n  c)s"],

  // Headers
  ["a header with inner spaces", "[ a ]\nx = 1"],
  ["[a] and [ a ]", "[a]\nx = 1\n[ a ]\nx = 2"],
  ["an empty header", "[]\nx = 1"],
  ["an empty header after a section", "[s]\n[]\nx = 1"],
  ["an empty header with =", "[s]\n[] = 1"],
  ["a header of spaces", "[  ]\nx = 1"],
  ["a header with ]", "[a]b]\nx = 1"],
  ["a header with two brackets", "[[a]]\nx = 1"],
  ["a header of brackets", "[]]\nx = 1"],
  ["a header of an open bracket", "[[]\nx = 1"],
  ["a header with text behind", "[a] b\nx = 1"],
  ["a header with = behind", "[a] = b\nx = 1"],
  ["a header with =", "[a=b]\nx = 1"],
  ["a header with :", "[a:b]\nx = 1"],
  ["a header with #", "[a#b]\nx = 1"],
  ["a header with a dot", "[a.b]\nx = 1\n[a]\ny = 2"],
  ["a header in quotes", '["a"]\nx = 1'],
  ["a header that isn't closed", "[a\nx = 1"],
  ["a header that isn't closed, after a section", "[s]\n[a\nx = 1"],
  ["a header that isn't opened", "a]\nx = 1"],
  ["headers that differ in case", "[s]\na = 1\n[S]\na = 2"],
  ["a header in Unicode", "[Ünï ☃]\nx = 1"],
  ["a header with a line separator", "[a\u2028b]\nx = 1"],
  [
    "names of Object.prototype as headers",
    "[__proto__]\na = 1\n[constructor]\nb = 2\n[toString]\n[hasOwnProperty]\nc = 3",
  ],
  ["[__proto__] twice", "[__proto__]\na = 1\n[__proto__]"],
  ["numbers as headers", "[10]\na = 1\n[2]\n[1]"],
  ["junk before the first section", "junk\n[s]"],
  ["an option before the first section", "a = 1\n[s]"],
  ["an indented option before the first section", "  a = 1\n[s]"],
  ["no section at all", "a = 1"],
  ["a header after text", "x [s]\na = 1"],

  // Duplicates
  ["the same section twice", "[s]\na = 1\n[s]\nb = 2"],
  ["the same section later", "[s]\na = 1\n[t]\n[s]"],
  ["the same option twice", "[s]\na = 1\na = 2"],
  ["the same option with the same value", "[s]\na = 1\n\na = 1"],
  ["the same option with : and =", "[s]\na = 1\na : 2"],
  ["the same option in two sections", "[s]\na = 1\n[t]\na = 2"],
  ["the same name in a value", "[s]\na = 1\n  a = 2"],

  // DEFAULT
  ["DEFAULT", "[DEFAULT]\na = 1\n[s]\nb = 2"],
  ["DEFAULT alone", "[DEFAULT]\na = 1"],
  ["DEFAULT, empty", "[DEFAULT]\n[s]\nb = 2"],
  ["DEFAULT last", "[s]\nb = 2\n[DEFAULT]\na = 1"],
  ["DEFAULT twice", "[DEFAULT]\na = 1\n[DEFAULT]\nb = 2\n[s]"],
  ["DEFAULT twice with the same option", "[DEFAULT]\na = 1\n[s]\n[DEFAULT]\na = 2"],
  ["DEFAULT overridden", "[DEFAULT]\na = 1\nb = 2\n[s]\nb = 3\nc = 4"],
  ["default in small letters is a section", "[default]\na = 1\n[s]"],
  ["DEFAULT with spaces is a section", "[ DEFAULT ]\na = 1\n[s]"],
  ["DEFAULT for a reference", "[DEFAULT]\ndir = /opt\n[s]\npath = %(dir)s/x"],
  ["DEFAULT refers to the section", "[DEFAULT]\npath = %(dir)s/x\n[s]\ndir = /a\n[t]\ndir = /b\n[u]"],
  ["DEFAULT overrides the environment", "[DEFAULT]\nhome = /root\n[s]\na = %(HOME)s"],

  // Interpolation
  ["an escaped %", "[s]\na = 100%%"],
  ["many escaped %", "[s]\na = %%%%%%"],
  ["an odd number of %", "[s]\na = %%%"],
  ["% alone", "[s]\na = %"],
  ["% at the end", "[s]\na = 100%"],
  ["% and a letter", "[s]\na = %d"],
  ["% and a space", "[s]\na = 5 % 3"],
  ["a format of logging", "[formatter_x]\nformat = %(asctime)s [%(levelname)s] %(message)s"],
  ["an escaped reference", "[s]\nb = 1\na = %%(b)s"],
  ["a reference behind an escape", "[s]\nb = 1\na = %%%(b)s"],
  ["a reference", "[s]\na = %(b)s\nb = 1"],
  ["two references", "[s]\na = %(b)s-%(c)s\nb = 1\nc = 2"],
  ["a reference in another case", "[s]\na = %(B)s\nb = 1"],
  ["a reference with spaces", "[s]\na = %( b )s\nb = 1"],
  ["a reference to a name with spaces", "[s]\na = %(b c)s\nb c = 1"],
  ["a reference without a name", "[s]\na = %()s\nb = 1"],
  ["a reference that isn't closed", "[s]\na = %(b\nb = 1"],
  ["a reference without s", "[s]\na = %(b)\nb = 1"],
  ["a reference with d", "[s]\na = %(b)d\nb = 1"],
  ["a reference with [", "[s]\na = %([)s"],
  ["a reference with %", "[s]\na = %(%)s\n% = 1"],
  ["a reference with %%", "[s]\na = %(%%)s\n%% = 1"],
  ["a reference in a reference", "[s]\na = %(%(b)s)s\nb = c\nc = 1"],
  ["a reference that isn't there", "[s]\na = %(nope)s"],
  ["a reference into another section", "[s]\na = %(b)s\n[t]\nb = 1"],
  ["a reference to toString", "[s]\na = %(toString)s%(constructor)s"],
  ["a reference to __proto__", "[s]\na = %(__proto__)s\n__proto__ = 1"],
  ["a reference that isn't there, behind a bad %", "[s]\na = %x %(nope)s"],
  ["a bad % behind a reference that isn't there", "[s]\na = %(nope)s %x"],
  ["nested references", "[s]\na = <%(b)s>\nb = (%(c)s)\nc = 1"],
  ["a nested escape", "[s]\na = %(b)s\nb = 5%%"],
  ["a nested bad %", "[s]\na = %(b)s\nb = 5%"],
  ["a nested reference that isn't there", "[s]\na = %(b)s\nb = %(nope)s"],
  ["an option that refers to itself", "[s]\na = %(a)s"],
  ["options that refer to each other", "[s]\na = %(b)s\nb = %(a)s"],
  ["references 9 deep", chain(9)],
  ["references 10 deep", chain(10)],
  ["references 11 deep", chain(11)],
  ["references 12 deep", chain(12)],
  ["a replacement pattern of JavaScript", "[s]\na = %(b)s\nb = $& $1 $$"],
  ["a reference in a value of two lines", "[s]\na = 1\n  %(b)s\nb = 2\n  3"],

  // Environment
  ["an environment variable", "[s]\na = %(HOME)s/x"],
  ["an environment variable in small letters", "[s]\na = %(home)s/x"],
  ["two environment variables", "[s]\na = %(HOME)s:%(USER)s"],
  ["an environment variable with %", "[s]\na = %(PERCENT)s"],
  ["an environment variable with %%", "[s]\na = %(DOUBLE)s"],
  ["an environment variable with a reference", "[s]\na = %(REFERENCE)s"],
  ["an option named as an environment variable", "[s]\nHOME = /x\na = %(HOME)s"],
  ["an option that refers to the variable of its name", "[s]\nUSER = %(USER)s"],

  // Line ends and spaces
  ["CRLF", "[s]\r\na = 1\r\n  2\r\n\r\nb = 3\r\n"],
  ["lone CR", "[s]\ra = 1\r  2\r\rb = 3\r"],
  ["line ends of all kinds", "[s]\na = 1\r\n  2\r  3\n\r  4"],
  ["a lone CR in a value", "[s]\na = 1\r2"],
  ["CR CR LF", "[s]\r\r\na = 1\r\r\n  2"],
  ["a form feed alone on a line", "[s]\na = 1\n\f\n  2"],
  ["a form feed in a value", "[s]\na = 1\f2\fb = 3"],
  ["a vertical tab in a value", "[s]\na = 1\v2"],
  ["U+001C to U+001F in a value", "[s]\na = 1\x1c2\x1d3\x1e4\x1f5"],
  ["U+001C to U+001F around a value", "[s]\n\x1ca\x1d=\x1e1\x1f"],
  ["next line (U+0085) in a value", "[s]\na = 1\x852"],
  ["next line (U+0085) around a value", "[s]\na\x85=\x851\x85"],
  ["line and paragraph separators in a value", "[s]\na = 1\u20282\u2029b = 3"],
  ["line and paragraph separators around a value", "[s]\na\u2028=\u20291\u2028"],
  ["non-breaking spaces around everything", "[s]\xa0\na\xa0=\xa01\xa0"],
  ["em spaces around a value", "[s]\na =\u20031\u2003"],
  [
    "all other spaces around a value",
    "[s]\na = \u1680\u2000\u200a\u202f\u205f\u30001\u3000\u205f\u202f\u1680",
  ],
  ["a zero-width space around a value", "[s]\na = \u200b1\u200b"],
  ["byte order marks around a value", "[s]\na = \ufeff1\ufeff"],
  ["a byte order mark at the start", "\ufeff[s]\na = 1"],
  ["a byte order mark and nothing else", "\ufeff"],
  ["a byte order mark before a comment", "\ufeff# c\n[s]"],
  ["two byte order marks", "\ufeff\ufeff[s]\na = 1"],
  ["a byte order mark on the second line", "\n\ufeff[s]\na = 1"],
];

/** The table by hand. Only texts that name environment variables get an environment. */
export const readCases: readonly ReadCase[] = texts.map(([name, text]) => {
  const isAboutEnvironment = /%\((HOME|home|USER|PERCENT|DOUBLE|REFERENCE)\)s/.test(text);
  return { name, text, ...(isAboutEnvironment ? { defaults: environment } : {}) };
});

function chain(depth: number): string {
  const links = Array.from({ length: depth }, (_, i) => `o${i} = %(o${i + 1})s`);
  return `[s]\n${links.join("\n")}\no${depth} = end\n`;
}

/** Texts of random pieces, and texts of the table with pieces inserted, removed or doubled. */
export function generateReadCases(count: number, seed: number): ReadCase[] {
  const random = createRandom(seed);
  const pieces = [
    ..."=:#;[]%() \t\n\nabAB1é",
    ...[
      "\n  ",
      "\n\t",
      "\n\n",
      "\r\n",
      "\r",
      "\f",
      "\x1c",
      "\x85",
      "\xa0",
      "\u2028",
      "\ufeff",
      "%%",
      "%(a)s",
      "%(b)s",
    ],
    ...[
      "\n[s]\n",
      "\n[t]\n",
      "\n[DEFAULT]\n",
      "\na = ",
      "\nb: ",
      "\n  c = ",
      "\n# ",
      "\n  ; ",
      "value",
      "%(HOME)s",
    ],
  ];
  const bases = texts.map(([, text]) => text).filter((text) => text.length < 200);
  return Array.from({ length: count }, (_, index) => {
    let text = random(3) === 0 ? "[s]\n" : pick(random, bases);
    for (let edits = 1 + random(index % 3 === 0 ? 12 : 4); edits > 0; edits--) {
      const start = random(8) === 0 ? 0 : text.indexOf("\n") + 1; // A broken first line makes the rest invalid.
      const at = start + random(text.length + 1 - start);
      const length = random(4);
      const cut = text.slice(at, at + length);
      const change = pick(random, ["", cut + cut, pick(random, pieces), cut + pick(random, pieces)]);
      text = text.slice(0, at) + change + text.slice(at + length);
    }
    // A cut inside a surrogate pair leaves what no UTF-8 file can contain.
    return {
      name: `generated text ${index}`,
      text: text.replace(/\p{Surrogate}/gu, ""),
      defaults: environment,
    };
  });
}

/** Sections of random names and values: about half contain something that INI can't represent. */
export function generateWriteCases(count: number, seed: number): WriteCase[] {
  const random = createRandom(seed);
  const word = (alphabet: readonly string[], most: number) =>
    Array.from({ length: random(most + 1) }, () => pick(random, alphabet)).join("");
  const tame = [..."abcXYZ0189 -_.é键😀", "__proto__"];
  const wild = [..."ab=:#;[]% \t\n\r\f\x1c\xa0\ufeff\u2028", "%%", "%(a)s", "\n\n", "\n#", "\n x", '"', "'"];
  const inner = [..."ab=:#;[]", " \n", "%%", "%(a)s", "\n\n", "\na", '"', "\\", "{", "}", "é", "😀"];
  return Array.from({ length: count }, (_, index) => {
    const isWild = index % 2 === 1;
    const name = (prefix: string) =>
      isWild && random(6) === 0 ? word(wild, 4) : `${prefix}${word(tame, 6)}z`;
    const value = () =>
      isWild && random(3) === 0 ? word(wild, 6) : word(inner, 10).replace(/ +\n/g, "\n").trim();
    const sections = Array.from({ length: 1 + random(isWild ? 2 : 4) }, (_, s) => {
      const options = Array.from(
        { length: random(isWild ? 3 : 6) },
        (_, o) => [name(`o${o}`), value()] as const,
      );
      return [s === 0 && random(4) === 0 ? "DEFAULT" : name(`s${s}`), options] as const;
    });
    return { name: `generated values ${index}`, sections };
  });
}

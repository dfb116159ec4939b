// Random registries for state.test.ts, from a seed: names, texts and JSON of every kind that a state file may contain.

import { createRandom, pick, type Random } from "../support/random.ts";

/** An endpoint as text, made without the code that is tested. */
export interface StateCase {
  readonly name: string;
  /** JSON. */
  readonly record: string;
  readonly docstring: string;
  /** Whether TabPy would find the docstring escaped. */
  readonly isEscaped: boolean;
}

const names = [
  "__proto__",
  "constructor",
  "toString",
  "DEFAULT",
  "7",
  "007",
  "-",
  "a b",
  "A B",
  "a-b",
  "x".repeat(255),
];
const textParts = [
  ...[
    ..."ab09 _-%=:;#[]{}\"'\\/\t\n\r\f\0\x1c\x7f\x85\xa0\u2028\ufeff\uffffé日😀",
    "%%",
    "%(name)s",
    "%(",
    "\\n",
  ],
  ...["\n\n", "\n    ", " \n", "\n#", "\n[Meta]\n", "\\u00e9", "\ud800", "\udc00", '"}', "null"],
];
const numbers = ["0", "-0", "1", "1.0", "-1.50", "1e5", "1E+400", "0.1", "1e-7", "9007199254740993"];

/** `count` registries of up to eight endpoints. */
export function generateRegistries(count: number, seed: number): StateCase[][] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => {
    const all = new Set(Array.from({ length: random(8) }, () => endpointName(random)));
    return [...all].map((name) => ({
      name,
      record: record(random),
      docstring: text(random),
      isEscaped: random(2) === 0,
    }));
  });
}

/** The same with docstrings that configparser can store as they are, which TabPy writes raw. */
export function generateRawRegistries(count: number, seed: number): StateCase[][] {
  const random = createRandom(seed + 1);
  const parts = [..."ab=:[]%é日😀. ", "\n", "\n\n", "\n    ", " - ", "%(x)s"];
  return generateRegistries(count, seed).map((endpoints) =>
    endpoints.map((endpoint) => {
      if (endpoint.isEscaped) return endpoint;
      return {
        ...endpoint,
        docstring: Array.from({ length: random(30) }, () => pick(random, parts)).join(""),
      };
    }),
  );
}

function endpointName(random: Random): string {
  if (random(4) === 0) return pick(random, names);
  const inner = [..."abcXYZ019_- "];
  return `n${Array.from({ length: random(12) }, () => pick(random, inner)).join("")}1`;
}

function record(random: Random): string {
  const members = [
    `"description": ${JSON.stringify(text(random))}`,
    `"type": ${JSON.stringify(pick(random, ["model", "alias", "other"]))}`,
    `"version": ${1 + random(1000)}`,
    `"dependencies": [${random(3) === 0 ? JSON.stringify(text(random)) : ""}]`,
    `"target": ${random(2) === 0 ? "null" : JSON.stringify(text(random))}`,
    `"creation_time": ${random(2 ** 31)}`,
    `"last_modified_time": ${random(2 ** 31)}`,
    ...(random(5) === 0 ? [] : [`"schema": ${json(random, 4)}`]),
    ...(random(5) === 0 ? [] : [`"is_public": ${pick(random, ["true", "false"])}`]),
    ...(random(5) === 0 ? [`"methods": ${json(random, 2)}`, `"__proto__": ${json(random, 1)}`] : []),
  ];
  return `{${members.join(", ")}}`;
}

function json(random: Random, depth: number): string {
  const kind = random(depth > 0 ? 7 : 5);
  if (kind === 0) return pick(random, ["null", "true", "false"]);
  if (kind === 1) return pick(random, numbers);
  if (kind === 2) return Array.from({ length: 1 + random(40) }, () => 1 + random(9)).join("");
  if (kind < 5) return JSON.stringify(text(random));
  const items = Array.from({ length: random(4) }, (_, at) =>
    kind === 5
      ? json(random, depth - 1)
      : `${JSON.stringify(`${at}${text(random)}`)}: ${json(random, depth - 1)}`,
  );
  return kind === 5 ? `[${items.join(", ")}]` : `{${items.join(", ")}}`;
}

function text(random: Random): string {
  const any = () => String.fromCodePoint(random(0x110000));
  return Array.from({ length: random(14) }, () => (random(5) === 0 ? any() : pick(random, textParts))).join(
    "",
  );
}

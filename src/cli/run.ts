// Runs a command of the command line: checks what was typed, prints usage, turns errors into one line on standard
// error and an exit code: 0 for success, 1 for a fault, 2 for bad usage.

import { type ArgsDef, type CommandDef, parseArgs, renderUsage } from "citty";
import { errorText, TabPyError } from "../errors.ts";
import { sayFault } from "./words.ts";

/** A command, and what its usage says below the options. */
export interface CliCommand {
  readonly command: CommandDef<ArgsDef>;
  readonly examples: string;
  readonly subCommands?: Readonly<Record<string, CliCommand>>;
  readonly run: (args: Readonly<Record<string, unknown>>) => Promise<number>;
}

/** Run `cli` with the arguments behind the program's name; the exit code. */
export async function runCli(
  cli: CliCommand,
  rawArgs: readonly string[],
  parent?: CliCommand,
): Promise<number> {
  const [first] = rawArgs;
  const subCommand = first === undefined ? undefined : cli.subCommands?.[first];
  if (subCommand !== undefined) return runCli(subCommand, rawArgs.slice(1), cli);
  try {
    if (rawArgs.includes("--help") || rawArgs.includes("-h")) {
      process.stdout.write(await usage(cli, parent));
      return 0;
    }
    const args = cli.command.args as ArgsDef | undefined;
    if (args === undefined) return await cli.run({}); // it takes no notice of what else was typed
    checkUsage(rawArgs, args, cli.subCommands ?? {});
    return await cli.run(parse(rawArgs, args));
  } catch (error) {
    return fail(error);
  }
}

async function usage(cli: CliCommand, parent: CliCommand | undefined): Promise<string> {
  const text = await renderUsage(cli.command, parent?.command);
  return `${process.stdout.isTTY ? text : withoutColours(text)}\n\n${cli.examples}\n`;
}

function parse(rawArgs: readonly string[], args: ArgsDef): Readonly<Record<string, unknown>> {
  try {
    return parseArgs([...rawArgs], args);
  } catch (error) {
    throw new TabPyError("usage", errorText(error), { cause: error });
  }
}

/** citty takes what it doesn't know; a mistyped option must not be taken for none. */
function checkUsage(
  rawArgs: readonly string[],
  args: ArgsDef,
  subCommands: Readonly<Record<string, unknown>>,
): void {
  let positionsLeft = Object.values(args).filter(({ type }) => type === "positional").length;
  for (let at = 0; at < rawArgs.length; at++) {
    const given = rawArgs[at] ?? "";
    if (!given.startsWith("-")) {
      if (positionsLeft-- > 0) continue;
      const known = Object.keys(subCommands);
      const wanted = known.length === 0 ? "options only" : `options, or ${known.join(" or ")}`;
      throw new TabPyError("usage", `Cannot understand "${given}": expected ${wanted}`);
    }
    const [name = "", value] = given.split(/=(.*)/s);
    const found = Object.entries(args).find(
      ([long, arg]) => name === `--${long}` || aliasesOf(arg).includes(name),
    );
    if (found === undefined) {
      const known = Object.keys(args).map((long) => `--${long}`);
      throw new TabPyError("usage", `Unknown option "${name}": expected ${known.join(", ")} or --help`);
    }
    if (found[1].type !== "string") continue;
    const next = value ?? rawArgs[++at];
    if (next === undefined || next === "") throw new TabPyError("usage", `Option "${name}" has no value`);
  }
}

function aliasesOf(arg: ArgsDef[string]): string[] {
  const alias = "alias" in arg ? arg.alias : undefined;
  return (alias === undefined ? [] : [alias].flat()).map((letter) => `-${letter}`);
}

function fail(error: unknown): number {
  const text =
    error instanceof TabPyError ? error.message : (error instanceof Error && error.stack) || errorText(error);
  sayFault(text);
  if (!(error instanceof TabPyError) || error.code !== "usage") return 1;
  process.stderr.write('Try "tabpy --help"\n');
  return 2;
}

function withoutColours(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is how colours begin
  return text.replace(/\x1b\[[0-9;]*m/g, "");
}

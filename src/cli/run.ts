// Runs a command: checks its arguments, prints usage, and turns errors into one line on standard error and an exit
// code: 0 for success, 1 for an error, 2 for wrong usage.

import { type ArgsDef, type CommandDef, type CommandMeta, parseArgs, renderUsage } from "citty";
import { errorText, TabPyError } from "../errors.ts";
import { printError } from "./console.ts";

export type GivenArgs = Readonly<Record<string, unknown>>;

/** A command as citty defines it, but `run` resolves with an exit code, and `examples` ends the usage text. */
export interface CliCommand extends CommandDef<ArgsDef> {
  readonly meta: CommandMeta;
  readonly args: ArgsDef;
  readonly subCommands?: Readonly<Record<string, CliCommand>>;
  readonly examples: string;
  readonly run: (context: { readonly args: GivenArgs }) => Promise<number>;
}

/** The name of the program in messages, and the command of which this is a subcommand. */
export interface CalledAs {
  readonly program: string;
  readonly parent?: CliCommand;
}

/** Run `cli` with the arguments after the program's name; resolves with the exit code. */
export async function runCli(
  cli: CliCommand,
  rawArgs: readonly string[],
  { program, parent }: CalledAs = { program: "tabpy" },
): Promise<number> {
  const [first] = rawArgs;
  const subCommand = first === undefined ? undefined : cli.subCommands?.[first];
  if (subCommand !== undefined) return runCli(subCommand, rawArgs.slice(1), { program, parent: cli });
  try {
    if (rawArgs.includes("--help") || rawArgs.includes("-h")) {
      process.stdout.write(await usage(cli, parent));
      return 0;
    }
    return await cli.run({ args: parse(checkUsage(rawArgs, cli), cli.args) });
  } catch (error) {
    return fail(error, program);
  }
}

async function usage(cli: CliCommand, parent: CliCommand | undefined): Promise<string> {
  const text = await renderUsage(cli, parent);
  return `${process.stdout.isTTY ? text : withoutColours(text)}\n\n${cli.examples}\n`;
}

function parse(rawArgs: string[], args: ArgsDef): GivenArgs {
  try {
    return parseArgs(rawArgs, args);
  } catch (error) {
    throw new TabPyError("usage", withoutColours(errorText(error)), { cause: error });
  }
}

/**
 * Refuses unknown options, which citty ignores. Returns the arguments with each option as `--name=value`, so that a value
 * may start with a hyphen.
 */
function checkUsage(rawArgs: readonly string[], { args, subCommands = {} }: CliCommand): string[] {
  let positionsLeft = Object.values(args).filter(({ type }) => type === "positional").length;
  const checked: string[] = [];
  for (let at = 0; at < rawArgs.length; at++) {
    const given = rawArgs[at] ?? "";
    if (!given.startsWith("-")) {
      if (positionsLeft-- > 0) {
        checked.push(given);
        continue;
      }
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
    const [long, { type }] = found;
    if (type === "boolean") {
      checked.push(value === undefined ? `--${long}` : `--${long}=${value}`);
      continue;
    }
    const next = value ?? rawArgs[++at];
    if (next === undefined || next === "") throw new TabPyError("usage", `Option "${name}" has no value`);
    checked.push(`--${long}=${next}`);
  }
  return checked;
}

function aliasesOf(arg: ArgsDef[string]): string[] {
  const alias = "alias" in arg ? arg.alias : undefined;
  return (alias === undefined ? [] : [alias].flat()).map((letter) => `-${letter}`);
}

function fail(error: unknown, program: string): number {
  const text =
    error instanceof TabPyError ? error.message : (error instanceof Error && error.stack) || errorText(error);
  printError(program, text);
  if (!(error instanceof TabPyError) || error.code !== "usage") return 1;
  process.stderr.write(`Try "${program} --help"\n`);
  return 2;
}

function withoutColours(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the start of an escape sequence
  return text.replace(/\x1b\[[0-9;]*m/g, "");
}

// `args` and `kwargs` of a handler: Python literals (python-literal.ts), bound to the parameters of its class as
// Python binds arguments to a signature, and converted to the types that handler-classes.ts expects.

import { TabPyError } from "../../errors.ts";
import { levelNames } from "../levels.ts";
import type { Address } from "../spec.ts";
import { type Literal, parseLiteral } from "./python-literal.ts";

/** Names of numbers in the namespace in which Python evaluates arguments: that of its logging module. */
const numbers: ReadonlyMap<string, number> = new Map([
  ...Object.entries(levelNames),
  ["handlers.SYSLOG_UDP_PORT", 514],
  ["handlers.SYSLOG_TCP_PORT", 514],
  ["handlers.socket.SOCK_STREAM", 1],
  ["handlers.socket.SOCK_DGRAM", 2],
  ["socket.SOCK_STREAM", 1],
  ["socket.SOCK_DGRAM", 2],
]);

/** syslog's facilities by Python's names, without `LOG_`. */
const facilities: readonly (readonly [name: string, number: number])[] = [
  ...["KERN", "USER", "MAIL", "DAEMON", "AUTH", "SYSLOG", "LPR", "NEWS", "UUCP", "CRON", "AUTHPRIV", "FTP"],
  ...["NTP", "SECURITY", "CONSOLE", "SOLCRON"],
  ...["LOCAL0", "LOCAL1", "LOCAL2", "LOCAL3", "LOCAL4", "LOCAL5", "LOCAL6", "LOCAL7"],
].map((name, number) => [name, number]);

/** The number of a facility by its name in a string: `local0` or `solaris-cron`. */
function facilityOf(text: string): number | undefined {
  return facilities.find(
    ([name]) => name === (text === "solaris-cron" ? "SOLCRON" : text.toUpperCase()),
  )?.[1];
}

/** The arguments of one handler, by parameter. Each method throws TabPyError `config` for a value that doesn't fit. */
export class HandlerArguments {
  readonly #values: ReadonlyMap<string, Literal>;
  readonly #place: string;

  private constructor(values: ReadonlyMap<string, Literal>, place: string) {
    this.#values = values;
    this.#place = place;
  }

  /**
   * @param parameters the names of the class's parameters, in Python's order.
   * @param place the section's name in messages.
   */
  static bind(
    args: string | undefined,
    kwargs: string | undefined,
    parameters: readonly string[],
    place: string,
  ): HandlerArguments {
    const fault = (option: string, text: string, wanted: string) =>
      new TabPyError("config", `Cannot use ${option} ${JSON.stringify(text)} (${place}): expected ${wanted}`);
    const read = (option: string, text: string) =>
      parseLiteral(text, (wanted) => fault(option, text, wanted));
    const values = new Map<string, Literal>();
    const positional = read("args", args ?? "()");
    if (positional.kind !== "tuple" && positional.kind !== "list")
      throw fault("args", args ?? "", "a tuple, such as (sys.stdout,) with its comma");
    for (const [index, value] of positional.items.entries()) {
      const name = parameters[index];
      if (name === undefined) throw fault("args", args ?? "", `at most ${parameters.join(", ")}`);
      values.set(name, value);
    }
    const named = read("kwargs", kwargs ?? "{}");
    if (named.kind !== "dict")
      throw fault("kwargs", kwargs ?? "", "a dictionary, such as {'filename': 'tabpy.log'}");
    for (const [key, value] of named.entries) {
      if (key.kind !== "text" || !parameters.includes(key.value))
        throw fault("kwargs", kwargs ?? "", `keys of ${parameters.join(", ") || "nothing"}`);
      if (values.has(key.value))
        throw fault("kwargs", kwargs ?? "", `"${key.value}" in args or kwargs, not both`);
      values.set(key.value, value);
    }
    return new HandlerArguments(values, place);
  }

  fault(parameter: string, wanted: string): TabPyError {
    return new TabPyError(
      "config",
      `Cannot use the argument "${parameter}" (${this.#place}): expected ${wanted}`,
    );
  }

  /** The value of a parameter; undefined when it is missing or None. */
  given(parameter: string): Literal | undefined {
    const value = this.#values.get(parameter);
    return value?.kind === "none" ? undefined : value;
  }

  text(parameter: string): string | undefined {
    const value = this.given(parameter);
    if (value === undefined || value.kind === "text") return value?.value;
    throw this.fault(parameter, "text in quotes");
  }

  integer(parameter: string, defaultValue: number): number {
    const value = this.given(parameter);
    if (value === undefined) return defaultValue;
    const number = this.#numberOf(value);
    if (number !== undefined && Number.isSafeInteger(number)) return number;
    throw this.fault(parameter, "an integer");
  }

  boolean(parameter: string): boolean {
    const value = this.given(parameter);
    if (value === undefined) return false;
    if (value.kind === "boolean" || value.kind === "integer") return Boolean(value.value);
    throw this.fault(parameter, "True or False");
  }

  /** `sys.stdout` or `sys.stderr`, which is Python's default. */
  stream(parameter: string): "stdout" | "stderr" {
    const value = this.given(parameter);
    if (value === undefined) return "stderr";
    if (value.kind === "name" && /^sys\.(__)?stdout\1$/.test(value.name)) return "stdout";
    if (value.kind === "name" && /^sys\.(__)?stderr\1$/.test(value.name)) return "stderr";
    throw this.fault(parameter, "sys.stdout or sys.stderr");
  }

  /** The path of a socket, or host and port. */
  address(parameter: string): string | Address {
    const value = this.given(parameter);
    if (value === undefined) return { host: "localhost", port: 514 };
    if (value.kind === "text" && value.value !== "") return value.value;
    if (value.kind === "tuple" || value.kind === "list") {
      const [host, portLiteral, ...others] = value.items;
      const port = portLiteral === undefined ? undefined : this.#numberOf(portLiteral);
      const isPort = port !== undefined && Number.isInteger(port) && port > 0 && port < 65536;
      if (host?.kind === "text" && isPort && others.length === 0)
        return { host: host.value || "0.0.0.0", port };
    }
    throw this.fault(parameter, "('host', port) or the path of a socket in quotes");
  }

  /** A facility of syslog: a number, its name in quotes, or handlers.SysLogHandler.LOG_*. */
  facility(parameter: string): number {
    const value = this.given(parameter);
    if (value === undefined) return 1;
    const number = value.kind === "text" ? facilityOf(value.value) : this.#numberOf(value);
    if (number !== undefined && Number.isInteger(number) && number >= 0 && number < 128) return number;
    throw this.fault(parameter, "handlers.SysLogHandler.LOG_USER, another LOG_ name, or 'user'");
  }

  #numberOf(value: Literal): number | undefined {
    if (value.kind === "integer") return value.value;
    if (value.kind !== "name") return undefined;
    const name = value.name.replace(/^logging\./, "");
    const [, facility] = /^(?:handlers\.)?SysLogHandler\.LOG_(\w+)$/.exec(name) ?? [];
    return facility === undefined ? numbers.get(name) : facilities.find(([one]) => one === facility)?.[1];
  }
}

// `tabpy config`: prints the effective settings and where each one came from.

import type { ArgsDef } from "citty";
import { originText } from "../config/load.ts";
import { defaultText } from "../config/settings.ts";
import { printWarning } from "./console.ts";
import { configOptions, loadFromOptions } from "./options.ts";
import type { CliCommand } from "./run.ts";

const args: ArgsDef = {
  ...configOptions,
  json: { type: "boolean", description: "Print JSON: {NAME: {value, origin}}" },
};

export const configCommand: CliCommand = {
  meta: { name: "config", description: "Print the effective settings and their origin" },
  args,
  examples: "EXAMPLE\n\n  tabpy config --config /etc/tabpy/tabpy.conf --json",
  run: async ({ args: given }) => {
    const { loaded, config } = loadFromOptions(given);
    for (const warning of loaded.warnings) printWarning(warning);
    process.stdout.write(given.json === true ? asJson(config.effective) : asTable(config.effective));
    return 0;
  },
};

type Rows = ReturnType<typeof loadFromOptions>["config"]["effective"];

function asJson(rows: Rows): string {
  const entries = rows.map(({ setting, value, origin }) => [
    setting.name,
    { value: value ?? null, origin: originText(origin) },
  ]);
  return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`;
}

function asTable(rows: Rows): string {
  const cells = rows.map(({ setting, value, origin }) => {
    const shown = value === undefined ? `(${defaultText(setting)})` : String(value);
    return [setting.name, shown, originText(origin)] as const;
  });
  const nameWidth = Math.max(...cells.map(([name]) => name.length));
  const valueWidth = Math.max(...cells.map(([, value]) => value.length));
  return cells
    .map(([name, value, origin]) => `${name.padEnd(nameWidth)}  ${value.padEnd(valueWidth)}  ${origin}\n`)
    .join("");
}

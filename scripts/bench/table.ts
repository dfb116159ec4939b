// The results of the benchmark, and how they are printed: a table of loads and a table of single figures.

export interface Target {
  readonly text: string;
  readonly isMet: boolean;
}

export function atMost(value: number, limit: number, text: string): Target {
  return { text, isMet: value <= limit };
}

export function below(value: number, limit: number, text: string): Target {
  return { text, isMet: value < limit };
}

/** A load, and the calls per second of the bare Python loop. Processor use in percent of one core. */
export interface LoadRow {
  readonly what: string;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly serverCpuPercent: number;
  readonly workersCpuPercent: number;
  readonly floorPerSecond: number;
  readonly floorModules: string;
  readonly target?: Target;
  /** TabPy 2.13's figures on two cores. */
  readonly tabpy?: string;
}

export interface FigureRow {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly note?: string;
  readonly target?: Target;
  readonly tabpy?: string;
}

/** One figure of two executables. */
export interface ComparisonRow {
  readonly what: string;
  readonly unit: string;
  readonly own: number;
  readonly other: number;
}

export interface Found {
  readonly loads: LoadRow[];
  readonly figures: FigureRow[];
  readonly comparisons: ComparisonRow[];
  /** What should have been measured but could not be; the exit code is 1 if there is any. */
  readonly failures: string[];
  /** What this machine can't measure. */
  readonly skipped: string[];
}

export function formatFound(found: Found): string {
  const loads = found.loads.map((row) => [
    row.what,
    digits(row.perSecond),
    digits(row.p50Ms),
    digits(row.p99Ms),
    row.serverCpuPercent.toFixed(0),
    row.workersCpuPercent.toFixed(0),
    `${digits(row.floorPerSecond)} (${row.floorModules})`,
    ...ending(row),
  ]);
  const figures = found.figures.map((row) => [
    row.what,
    `${digits(row.value)} ${row.unit}`,
    row.note ?? "",
    ...ending(row),
  ]);
  const comparisons = found.comparisons.map(({ what, unit, own, other }) => [
    what,
    `${digits(own)} ${unit}`,
    `${digits(other)} ${unit}`,
    (own / other).toFixed(3),
  ]);
  const titles = ["calls/s", "p50 ms", "p99 ms", "server CPU %", "workers CPU %", "bare Python, calls/s"];
  const endings = ["target", "", "TabPy 2.13"];
  return [
    loads.length === 0 ? "" : formatTable([["load", ...titles, ...endings], ...loads]),
    figures.length === 0 ? "" : formatTable([["figure", "measured", "", ...endings], ...figures]),
    comparisons.length === 0
      ? ""
      : formatTable([["figure", "this", "other", "this / other"], ...comparisons]),
    [
      ...found.skipped.map((text) => `skipped: ${text}`),
      ...found.failures.map((text) => `NOT MEASURED: ${text}`),
    ].join("\n"),
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

function ending(row: { readonly target?: Target; readonly tabpy?: string }): string[] {
  const verdict = row.target === undefined ? "" : row.target.isMet ? "met" : "missed";
  return [row.target?.text ?? "", verdict, row.tabpy ?? ""];
}

/** Three significant digits without an exponent: 0.174, 12.3, 4567. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString();
}

function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

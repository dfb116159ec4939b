// The hierarchy of loggers: for a name, which handlers take records of which level. By Python's rules: the first level
// that is set on the way up counts for the logger, and handlers are asked on the way up until one logger keeps its
// records to itself.

import { type Level, levels } from "./levels.ts";
import type { Emit, Routes } from "./logger.ts";

/** A logger that is configured. */
export interface LoggerNode {
  /** Empty for the root. */
  readonly name: string;
  /** 0: the level of the logger above. */
  readonly levelNumber: number;
  readonly handlers: readonly { readonly levelNumber: number; readonly emit: Emit }[];
  readonly isPropagating: boolean;
}

/**
 * Looks up routes, and keeps them: names are the program's own and few.
 *
 * @param lastResort takes records of a logger that has no handler anywhere on the way up, from WARNING on.
 */
export function createRoutes(nodes: readonly LoggerNode[], lastResort: Emit): (name: string) => Routes {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const kept = new Map<string, Routes>();
  return (name) => {
    const found = kept.get(name);
    if (found !== undefined) return found;
    const routes = computeRoutes(lineOf(name, byName), lastResort);
    kept.set(name, routes);
    return routes;
  };
}

/** The logger and those above it, as far as they are configured, the root last. */
function lineOf(name: string, byName: ReadonlyMap<string, LoggerNode>): LoggerNode[] {
  const parts = name.split(".");
  // Python's "root" is a logger below the root, but getLogger("root") is the root since 3.9.
  const names =
    name === "root" || name === ""
      ? [""]
      : parts.map((_, index) => parts.slice(0, parts.length - index).join("."));
  return [...new Set([...names, ""])].flatMap((one) => byName.get(one) ?? []);
}

function computeRoutes(line: readonly LoggerNode[], lastResort: Emit): Routes {
  const effective = line.find((node) => node.levelNumber > 0)?.levelNumber ?? 0;
  const end = line.findIndex((node) => !node.isPropagating);
  const asked = end === -1 ? line : line.slice(0, end + 1);
  const handlers = asked.flatMap((node) => node.handlers);
  const routes: { [level in Level]?: readonly Emit[] } = {};
  for (const level of Object.keys(levels) as Level[]) {
    const number = levels[level];
    if (number < effective) continue;
    const emits =
      handlers.length === 0
        ? number >= levels.WARNING
          ? [lastResort]
          : []
        : handlers.filter((handler) => number >= handler.levelNumber).map((handler) => handler.emit);
    if (emits.length > 0) routes[level] = emits;
  }
  return routes;
}

// Home folders: of the user that runs the program, and of others, for `~` at the start of a path. As Python's
// os.path.expanduser, except that users are looked up in /etc/passwd only.

import { readFileSync } from "node:fs";
import { homedir } from "node:os";

type Env = Readonly<Record<string, string | undefined>>;

/** The home folder of the program's user: `HOME`, otherwise the one that the system knows. */
export function homeFolder(env: Env): string {
  if (process.platform !== "win32" && env.HOME) return env.HOME;
  try {
    return homedir();
  } catch {
    return "/"; // a container's user without an entry in /etc/passwd; container runtimes set HOME to this
  }
}

/** `~/x` and `~alice/x` with the home folder in place of `~` or `~alice`; other paths, and those of unknown users, as they are. */
export function expandHome(path: string, env: Env): string {
  const [start, user] = /^~([^/\\]*)/.exec(path) ?? [];
  if (start === undefined) return path;
  const home = user ? homeOf(user) : homeFolder(env);
  return home === undefined ? path : `${home.replace(/\/+$/, "")}${path.slice(start.length)}` || "/";
}

function homeOf(user: string): string | undefined {
  try {
    const users = readFileSync("/etc/passwd", "utf8").split("\n");
    return users.map((line) => line.split(":")).find(([name]) => name === user)?.[5] || undefined;
  } catch {
    return undefined; // there is no such file on Windows
  }
}

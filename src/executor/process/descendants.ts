// The processes below another one, from /proc (Linux); elsewhere none are found.

import { readdir, readFile } from "node:fs/promises";

/** Further processes are left out: reading them all would take too long. */
const maxProcesses = 1000;

/** Process ids below `root`, by the children of each thread. */
export async function descendants(root: number): Promise<number[]> {
  const found: number[] = [];
  for (let next: number[] = [root]; next.length > 0 && found.length < maxProcesses; ) {
    next = (await Promise.all(next.map(children))).flat();
    found.push(...next);
  }
  return found.slice(0, maxProcesses);
}

async function children(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = threads.map((thread) =>
    readFile(`/proc/${pid}/task/${thread}/children`, "latin1").catch(() => ""),
  );
  return (await Promise.all(lists)).flatMap((list) =>
    list
      .split(" ")
      .filter((each) => each !== "")
      .map(Number),
  );
}

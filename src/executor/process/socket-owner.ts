// Which workers connections to this server come from, by the tables of the kernel in /proc (Linux): a script that calls the
// server is in a process of its worker. Elsewhere no worker is found.

import { readdir, readFile, readlink } from "node:fs/promises";
import type { LocalConnection } from "../executor.ts";
import { descendants } from "./descendants.ts";

interface Tree {
  readonly reaperPid: number | undefined;
}

/** For each of `connections` that comes from a process of one of `trees`: that tree. */
export async function ownersOf<C extends LocalConnection, T extends Tree>(
  connections: readonly C[],
  trees: readonly T[],
): Promise<Map<C, T>> {
  const owners = new Map<C, T>();
  const bySocket = await socketsOf(connections);
  if (bySocket.size === 0) return owners;
  const search = async (tree: T) => {
    const processes = tree.reaperPid === undefined ? [] : await descendants(tree.reaperPid);
    for (const link of (await Promise.all(processes.map(openFiles))).flat()) {
      const connection = bySocket.get(link);
      if (connection !== undefined) owners.set(connection, tree);
    }
  };
  await Promise.all(trees.map(search));
  return owners;
}

/** The connections by the links, as /proc/PID/fd has them, of the sockets at their other ends. */
async function socketsOf<C extends LocalConnection>(connections: readonly C[]): Promise<Map<string, C>> {
  const byPorts = new Map(connections.map((each) => [`${each.remotePort} ${each.localPort}`, each]));
  const found = new Map<string, C>();
  for (const name of ["tcp", "tcp6"]) {
    const table = await readFile(`/proc/self/net/${name}`, "latin1").catch(() => "");
    for (const [, own = "", peer = "", inode] of table.matchAll(row)) {
      const connection = byPorts.get(`${Number.parseInt(own, 16)} ${Number.parseInt(peer, 16)}`);
      if (connection !== undefined) found.set(`socket:[${inode}]`, connection);
    }
  }
  return found;
}

/** A socket's address:port, its peer's, and after six columns its inode. */
const row = /^ *\d+: [\dA-F]+:([\dA-F]+) [\dA-F]+:([\dA-F]+) (?:\S+ +){6}(\d+)/gm;

async function openFiles(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  const descriptors = await readdir(folder).catch(() => []);
  return Promise.all(descriptors.map((fd) => readlink(`${folder}/${fd}`).catch(() => "")));
}

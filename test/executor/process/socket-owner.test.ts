// The process at the other end of a connection, by real processes and sockets.

import { expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type Socket } from "node:net";
import { once } from "node:events";
import { ownersOf } from "../../../src/executor/process/socket-owner.ts";

const python = process.env.TABPY_TEST_PYTHON ?? "python3";
const direct =
  "import socket, sys\ns = socket.create_connection((sys.argv[1], int(sys.argv[2])))\nsys.stdin.read()";
/** Connects in a child of its own, as joblib's processes do. */
const below = `import subprocess, sys\nsubprocess.run([sys.executable, "-c", ${JSON.stringify(direct)}, *sys.argv[1:]])`;

/** Starts `sh` as the reaper of a Python that connects; resolves with the server's side of the connection. */
async function connected(host: string, program: string) {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const child = spawn(
    "sh",
    ["-c", '"$0" -c "$1" "$2" "$3"; true', python, program, host, `${address.port}`],
    {
      stdio: ["pipe", "ignore", "inherit"],
    },
  );
  const [socket]: Socket[] = await once(server, "connection");
  if (socket === undefined) throw new Error("no connection");
  return {
    child,
    connection: { remotePort: socket.remotePort ?? 0, localPort: socket.localPort ?? 0 },
    [Symbol.dispose]() {
      child.stdin?.end();
      socket.destroy();
      server.close();
    },
  };
}

const treeOf = ({ pid }: ChildProcess) => ({ reaperPid: pid });

test.each([
  ["127.0.0.1", direct],
  ["127.0.0.1", below],
  ["::1", direct],
])("ownersOf finds the process tree of a connection at %s", async (host, program) => {
  using first = await connected(host, program);
  using second = await connected(host, program);
  const trees = [treeOf(first.child), { reaperPid: undefined }, treeOf(second.child)];
  expect((await ownersOf([first.connection], trees)).get(first.connection)).toBe(trees[0]);
  expect((await ownersOf([second.connection], trees)).get(second.connection)).toBe(trees[2]);
  expect(await ownersOf([first.connection, second.connection], trees.slice(0, 2))).toEqual(
    new Map([[first.connection, treeOf(first.child)]]),
  );
  expect(await ownersOf([{ remotePort: 1, localPort: 2 }], trees)).toEqual(new Map());
});

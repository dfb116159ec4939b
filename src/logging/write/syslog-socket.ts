// A syslog socket of this machine, /dev/log for example. Most are datagram sockets, and node:dgram has no Unix domain
// sockets: a small process of the Python that runs scripts sends the messages (unix_socket.py).

import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { within } from "../../lifecycle.ts";
import program from "./unix_socket.py" with { type: "text" };
import type { Sender } from "./syslog.ts";

type Helper = ChildProcessByStdio<Writable, Readable, null>;

/** Longer than the helper waits for one message. */
const answerTimeoutMs = 15_000;
const endTimeoutMs = 1000;

/** `python` is called for the first message; it returns a command line, or throws when there is no Python. */
export function createSocketSender(
  path: string,
  kind: "datagram" | "stream" | "any",
  python: () => readonly string[],
): Sender {
  let helper: Helper | undefined;
  let answered: (line: string) => void = () => {};
  let rest = "";

  const started = (): Helper => {
    if (helper !== undefined) return helper;
    const [file = "python3", ...args] = python();
    const made = spawn(file, [...args, "-I", "-S", "-c", program, path, kind], {
      stdio: ["pipe", "pipe", "ignore"],
      windowsHide: true,
    });
    const gone = () => {
      if (helper === made) helper = undefined;
      answered("0\t0\tthe process that sends them ended");
    };
    made.on("error", gone);
    made.on("exit", gone);
    made.stdin.on("error", () => {});
    made.stdout.on("data", (chunk: Buffer) => {
      rest += chunk;
      const end = rest.indexOf("\n");
      if (end === -1) return;
      const line = rest.slice(0, end);
      rest = "";
      answered(line);
    });
    made.unref();
    helper = made;
    return made;
  };

  return {
    send: async (messages) => {
      const { stdin } = started();
      const answer = new Promise<string>((resolve) => {
        answered = resolve;
      });
      stdin.write(Buffer.concat([number(messages.length), ...messages.flatMap(framed)]));
      const line = await within(answer, answerTimeoutMs, "nobody reads it");
      const [done = "0", lost = "0", reason = ""] = line.split("\t");
      return { done: Number(done), lost: Number(lost), reason };
    },
    close: async () => {
      const ending = helper;
      if (ending === undefined) return;
      helper = undefined;
      const ended = new Promise((resolve) => ending.once("exit", resolve));
      ending.stdin.end();
      await within(ended, endTimeoutMs, "").catch(() => ending.kill("SIGKILL"));
    },
  };
}

function framed(message: Buffer): Buffer[] {
  return [number(message.length), message];
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

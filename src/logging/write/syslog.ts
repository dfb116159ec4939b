// SysLogHandler's target: each record is one message `<priority>text` with a NUL at its end, as Python sends it, by
// UDP or TCP. syslog-socket.ts sends to a socket of this machine.

import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { connect, type Socket as TcpSocket } from "node:net";
import { errorText } from "../../errors.ts";
import { within } from "../../lifecycle.ts";
import type { Level } from "../levels.ts";
import type { Target } from "./line-buffer.ts";

/** Sends messages, each as a whole; after a failure the next call connects again. May reject when none was sent. */
export interface Sender {
  /** Resolves with how many are done, how many of these can never be sent, and why not all are done. */
  send(messages: readonly Buffer[]): Promise<Sent>;
  close(): Promise<void>;
}

export interface Sent {
  readonly done: number;
  readonly lost: number;
  readonly reason: string;
}

const sendTimeoutMs = 10_000;

/** syslog's severity for a level. */
const severities: Readonly<Record<Level, number>> = { CRITICAL: 2, ERROR: 3, WARNING: 4, INFO: 6, DEBUG: 7 };

/** The prefix of a message. RFC 3164 calls it PRI. */
export function priorityOf(level: Level, facility: number): string {
  return `<${(facility << 3) | severities[level]}>`;
}

/** A target whose lines start with their priority. `address` names it in messages. */
export function createSyslogTarget(address: string, sender: Sender): Target {
  return {
    name: `syslog at ${address}`,
    encode: (line) => Buffer.from(`${line}\0`),
    write: async ({ bytes, ends }, from) => {
      const left = ends.filter((end) => end > from);
      const messages = left.map((end, index) => bytes.subarray(left[index - 1] ?? from, end));
      try {
        const { done, lost, reason } = await sender.send(messages);
        const fault = done < messages.length || lost > 0 ? reason : undefined;
        return { bytes: (left[done - 1] ?? from) - from, lost, fault };
      } catch (error) {
        return { bytes: 0, lost: 0, fault: errorText(error) };
      }
    },
    reopen: async () => {
      await sender.close();
      return false;
    },
    close: () => sender.close(),
  };
}

/** One datagram per message. */
export function createUdpSender(host: string, port: number): Sender {
  let socket: Socket | undefined;
  const opened = async (): Promise<Socket> => {
    if (socket !== undefined) return socket;
    const { address, family } = await lookup(host);
    const made = createSocket(family === 6 ? "udp6" : "udp4");
    made.on("error", () => {}); // each send reports it
    made.unref();
    await new Promise<void>((resolve) => made.connect(port, address, resolve));
    socket = made;
    return made;
  };
  return {
    send: async (messages) => {
      const open = await opened();
      let lost = 0;
      let reason = "";
      for (const message of messages) {
        const failure = await new Promise<Error | null>((resolve) => {
          open.send(message, (error) => resolve(error));
        });
        if (failure === null || failure === undefined) continue;
        reason = failure.message;
        lost++;
      }
      return { done: messages.length, lost, reason }; // as in Python: whether a datagram arrives is unknown
    },
    close: async () => {
      socket?.close();
      socket = undefined;
    },
  };
}

/** One stream for all messages. */
export function createTcpSender(host: string, port: number): Sender {
  let socket: TcpSocket | undefined;
  const opened = async (): Promise<TcpSocket> => {
    if (socket !== undefined && !socket.destroyed) return socket;
    const made = connect({ host, port });
    socket = made;
    made.unref();
    made.on("error", () => made.destroy());
    const connected = new Promise<void>((resolve, reject) => {
      made.once("connect", resolve);
      made.once("close", () => reject(new Error("nobody accepts the connection")));
    });
    await orDestroy(made, connected, "no connection in 10 s");
    return made;
  };
  return {
    send: async (messages) => {
      const open = await opened();
      const written = new Promise<void>((resolve, reject) => {
        open.once("close", () => reject(new Error("the connection was closed")));
        open.write(Buffer.concat(messages), (error) => (error ? reject(error) : resolve()));
      });
      await orDestroy(open, written, "its reader is too slow");
      open.removeAllListeners("close");
      return { done: messages.length, lost: 0, reason: "" };
    },
    close: async () => {
      const closing = socket;
      socket = undefined;
      if (closing === undefined || closing.destroyed) return;
      await new Promise<void>((resolve) => {
        closing.once("close", () => resolve());
        closing.end(() => closing.destroy());
      });
    },
  };
}

async function orDestroy(socket: TcpSocket, promise: Promise<void>, message: string): Promise<void> {
  try {
    await within(promise, sendTimeoutMs, message);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

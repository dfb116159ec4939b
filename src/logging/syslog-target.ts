// SysLogHandler's target: each record is one message `<priority>text` with a NUL at its end, as Python sends it, by
// UDP or TCP. A socket of this machine is unix-socket.ts's affair.

import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { connect, type Socket as TcpSocket } from "node:net";
import { errorText } from "../errors.ts";
import { within } from "../lifecycle.ts";
import type { Level } from "./levels.ts";
import type { Target } from "./line-queue.ts";

/** Sends messages, each whole; the next call connects anew after a failure. May reject, when none was sent. */
export interface Sender {
  /** How many were sent, and why not all. */
  send(messages: readonly Buffer[]): Promise<{ readonly sent: number; readonly reason: string }>;
  close(): Promise<void>;
}

const sendTimeoutMs = 10_000;

/** syslog's severity for a level. */
const severities: Readonly<Record<Level, number>> = { CRITICAL: 2, ERROR: 3, WARNING: 4, INFO: 6, DEBUG: 7 };

/** What stands before the text of a record. */
export function priorityOf(level: Level, facility: number): string {
  return `<${(facility << 3) | severities[level]}>`;
}

/** A target whose lines are messages that begin with their priority. */
export function createSyslogTarget(name: string, sender: Sender): Target {
  return {
    name,
    write: async (lines) => {
      try {
        const { sent, reason } = await sender.send(lines.map((line) => Buffer.from(`${line}\0`)));
        return sent === lines.length ? undefined : { lines: lines.length - sent, reason };
      } catch (error) {
        return { lines: lines.length, reason: errorText(error) };
      }
    },
    reopen: () => sender.close(),
    close: () => sender.close(),
  };
}

/** One datagram a message. */
export function createUdpSender(host: string, port: number): Sender {
  let socket: Socket | undefined;
  const opened = async (): Promise<Socket> => {
    if (socket !== undefined) return socket;
    const { address, family } = await lookup(host);
    const made = createSocket(family === 6 ? "udp6" : "udp4");
    made.on("error", () => {}); // each send says so itself
    made.unref();
    await new Promise<void>((resolve) => made.connect(port, address, resolve));
    socket = made;
    return made;
  };
  return {
    send: async (messages) => {
      const open = await opened();
      let sent = 0;
      let reason = "";
      for (const message of messages) {
        const failure = await new Promise<Error | null>((resolve) => {
          open.send(message, (error) => resolve(error));
        });
        if (failure) reason = failure.message;
        else sent++;
      }
      return { sent, reason };
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
      made.once("close", () => reject(new Error("nobody takes the connection")));
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
      return { sent: messages.length, reason: "" };
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

// The log's lines about requests: the access line of each (`tabpy.access`), and with TABPY_LOG_DETAILS TabPy's line about
// its caller: what the client sends about itself, cut to a bounded length, and the user name that it logged in with.
// Headers with credentials are left out. The lines name the files of old, which people's filters may match.

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Context } from "hono";
import type { Logger } from "../logging/logger.ts";
import type { AppEnv } from "./types.ts";

const maxPartChars = 1000;
const address = Symbol("address of the caller");
/** Of an IPv4 address as IPv6 writes it: ::ffff:127.0.0.1 (RFC 4291, 2.5.5.2). */
const mappedIpv4 = /^::ffff:(?=[\d.]+$)/i;

/** Logs the access line of a request when its connection has taken or lost the answer. */
type LogAccess = (c: Context<AppEnv>, callId: string, startedMs: number, isGone: boolean) => void;

/**
 * The access line is that of Tornado, on which TabPy runs, so that programs which read TabPy's log find it: status, method,
 * URL, address and milliseconds. What is added comes after it: bytes, and the user when `isDetailed`.
 *
 * @returns undefined when no handler takes the lines. `startedMs`: when the request came, by performance.now().
 */
export function createAccessLog(log: Logger, isDetailed: boolean): LogAccess | undefined {
  const accessLog = log.for("frame.ts").named("tabpy.access");
  if (!accessLog.isEnabled("INFO")) return undefined;
  return (c, callId, startedMs, isGone) => {
    const { method, url, socket } = c.env.incoming;
    const { outgoing } = c.env;
    const outcome = isGone ? "client gone" : outgoing.statusCode;
    const caller = addressOf(socket) || "unknown";
    const time = (performance.now() - startedMs).toFixed(2);
    const bytes = outgoing.getHeader("content-length") ?? 0;
    const user = isDetailed ? c.get("user") : undefined;
    const more = user === undefined ? "" : ` user ${user}`;
    accessLog.inCall(callId).info(`${outcome} ${method} ${url} (${caller}) ${time}ms ${bytes} bytes${more}`);
  };
}

/** Logs the caller of a request. */
export function logCaller(c: Context<AppEnv>): void {
  const { headers, method, url, socket } = c.env.incoming;
  const text =
    `Call ID: ${c.get("callId")}${part("Caller", addressOf(socket))}, Method: ${method}` +
    part("URL", `${schemeOf(socket)}://${headers.host ?? ""}${url}`) +
    part("Client", headers["tabpy-client"]) +
    part("Tableau user", headers["tabpy-user"]) +
    part("TabPy user", c.get("user"));
  c.get("log").for("caller.ts").info(text);
}

/** Empty for an unknown value. */
function part(name: string, value: string | string[] | undefined): string {
  if (value === undefined || value === "") return "";
  const text = String(value);
  return `, ${name}: ${text.length > maxPartChars ? `${text.slice(0, maxPartChars)}...` : text}`;
}

/**
 * The peer's address, as IPv4 also on a socket of both families; empty when it had disconnected before it was first asked.
 * Kept with the connection: asking the system takes longer than making the rest of the line, and later it is unknown.
 */
export function addressOf(socket: Socket & { [address]?: string | undefined }): string {
  socket[address] ??= socket.remoteAddress?.replace(mappedIpv4, "");
  return socket[address] ?? "";
}

/** Of the URL at which a connection was asked. */
export function schemeOf(socket: Socket): "http" | "https" {
  return (socket as Partial<TLSSocket>).encrypted === true ? "https" : "http";
}

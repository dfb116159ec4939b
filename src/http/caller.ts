// TABPY_LOG_DETAILS: TabPy's line about the caller of a request, from what the client sends about itself, cut to a bounded
// length, and the user name that it logged in with. Headers with credentials are left out.

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Context } from "hono";
import type { AppEnv } from "./types.ts";

const maxPartChars = 1000;
const address = Symbol("address of the caller");

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
 * The peer's address; empty when it has disconnected. Kept with the connection: asking the system takes longer than
 * making the rest of the line.
 */
export function addressOf(socket: Socket & { [address]?: string | undefined }): string {
  socket[address] ??= socket.remoteAddress;
  return socket[address] ?? "";
}

function schemeOf(socket: Socket): "http" | "https" {
  return (socket as Partial<TLSSocket>).encrypted === true ? "https" : "http";
}

// TABPY_LOG_DETAILS: the line of TabPy that says who calls. Its parts are what the client says about itself, cut to a
// bounded length, and the name that it logged in with. Headers with credentials are not among them.

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Context, MiddlewareHandler } from "hono";
import type { AppEnv } from "./types.ts";

const maxPartChars = 1000;
const address = Symbol("address of the caller");

/** Logs the caller once it is known who has logged in. */
export function caller(): MiddlewareHandler<AppEnv> {
  return function caller(c, next) {
    logCaller(c);
    return next();
  };
}

/** Logs the caller, if that hasn't been done: requests that are refused come here on another way. */
export function logCaller(c: Context<AppEnv>): void {
  if (c.get("isCallerLogged") === true) return;
  c.set("isCallerLogged", true);
  const { headers, method, url, socket } = c.env.incoming;
  const text =
    `Call ID: ${c.get("callId")}${part("Caller", addressOf(socket))}, Method: ${method}` +
    part("URL", `${schemeOf(socket)}://${headers.host ?? ""}${url}`) +
    part("Client", headers["tabpy-client"]) +
    part("Tableau user", headers["tabpy-user"]) +
    part("TabPy user", c.get("user"));
  c.get("log").for("caller.ts").info(text);
}

/** What isn't known is left out. */
function part(name: string, value: string | string[] | undefined): string {
  if (value === undefined || value === "") return "";
  const text = String(value);
  return `, ${name}: ${text.length > maxPartChars ? `${text.slice(0, maxPartChars)}...` : text}`;
}

/** To ask the system for it costs more than the rest of the line: a connection is asked once. */
function addressOf(socket: Socket & { [address]?: string | undefined }): string | undefined {
  socket[address] ??= socket.remoteAddress;
  return socket[address];
}

function schemeOf(socket: Socket): "http" | "https" {
  return (socket as Partial<TLSSocket>).encrypted === true ? "https" : "http";
}

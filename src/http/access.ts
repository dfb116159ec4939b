// Who may come in: with a password file, who has a password; without one, everyone who doesn't send one.

import type { IncomingMessage } from "node:http";
import type { Context, MiddlewareHandler, Next } from "hono";
import type { Verdict } from "../auth/authenticate.ts";
import { parseBasicHeader } from "../auth/basic.ts";
import { TabPyError } from "../errors.ts";
import type { Logger } from "../logging/logger.ts";
import type { AppEnv, AppOptions } from "./types.ts";

/** Refuses requests as the contract says; `realm` is the service's name. Refusals are logged as `tabpy.audit`. */
export function access(
  authenticate: AppOptions["authenticate"],
  log: Logger,
  realm: string,
): MiddlewareHandler<AppEnv> {
  const auditLog = log.for("audit.ts").named("tabpy.audit");
  const challenge = `Basic realm="${realm.replace(/[^\x20-\x7e]|["\\]/g, "")}"`;
  if (authenticate === undefined) {
    return function access(c, next) {
      if (parseBasicHeader(c.env.incoming.headers.authorization) !== undefined)
        throw notAcceptable(challenge);
      return next();
    };
  }
  const admit = (verdict: Verdict, c: Context<AppEnv>, next: Next) => {
    if (verdict.kind === "verified") {
      c.set("user", verdict.user);
      return next();
    }
    const { incoming } = c.env;
    auditLog.warning(`Refused ${callText(incoming)} from ${addressOf(incoming)}: ${verdict.why}`);
    throw refusal(verdict, challenge);
  };
  // Not async, and the address on demand: a remembered credential costs a call next to nothing.
  return function access(c, next) {
    const { incoming } = c.env;
    const asked = authenticate(incoming.headers.authorization, () => addressOf(incoming));
    return asked instanceof Promise
      ? asked.then((verdict) => admit(verdict, c, next))
      : admit(asked, c, next);
  };
}

function addressOf(incoming: IncomingMessage): string {
  return incoming.socket.remoteAddress ?? "";
}

function refusal(verdict: Exclude<Verdict, { kind: "verified" }>, challenge: string): TabPyError {
  switch (verdict.kind) {
    case "refused":
      return new TabPyError("unauthorized", "Invalid credentials provided.", {
        info: "Unauthorized request.",
        headers: { "WWW-Authenticate": challenge },
      });
    case "throttled": {
      const seconds = Math.ceil(verdict.waitMs / 1000);
      return new TabPyError("too-many-attempts", "Too many failed attempts to log in", {
        info: `No user name and password is looked at for the next ${seconds} s`,
        headers: { "Retry-After": String(seconds) },
      });
    }
    default:
      return verdict satisfies never;
  }
}

/** Method and path; a query may hold anything. */
function callText({ method, url = "" }: IncomingMessage): string {
  return `${method} ${url.replace(/[?#].*$/s, "").slice(0, 200)}`;
}

function notAcceptable(challenge: string): TabPyError {
  return new TabPyError(
    "not-acceptable",
    "Username or password provided when authentication not available.",
    {
      info: "Not Acceptable",
      headers: { "WWW-Authenticate": challenge }, // TabPy sends it here too
    },
  );
}

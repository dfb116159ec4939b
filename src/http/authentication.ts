// Authentication: with a password file, only requests with a user's credentials pass; without one, only requests that
// send none. The caller is logged here (TABPY_LOG_DETAILS), where the user is known.

import type { IncomingMessage } from "node:http";
import type { Context, MiddlewareHandler, Next } from "hono";
import type { Verdict } from "../auth/authenticate.ts";
import { parseBasicHeader } from "../auth/basic.ts";
import { TabPyError } from "../errors.ts";
import { addressOf, logCaller } from "./access-log.ts";
import type { AppEnv, AppOptions } from "./types.ts";

/**
 * Refuses requests as the contract requires; `realm` is the service's name. Refusals are logged in refusal-log.ts.
 * `check` throws for a request that is refused for another reason; it is not a middleware of its own, which takes longer.
 */
export function authentication(
  {
    authenticate,
    isLogDetailed,
    refusalLog,
  }: Pick<AppOptions, "authenticate" | "isLogDetailed" | "refusalLog">,
  realm: string,
  check: (request: IncomingMessage) => void,
): MiddlewareHandler<AppEnv> {
  const challenge = `Basic realm="${realm.replace(/[^\x20-\x7e]|["\\]/g, "")}"`;
  const decided = (c: Context<AppEnv>) => {
    if (isLogDetailed) logCaller(c);
  };
  if (authenticate === undefined) {
    return function authentication(c, next) {
      decided(c);
      if (parseBasicHeader(c.env.incoming.headers.authorization) !== undefined)
        throw notAcceptable(challenge);
      check(c.env.incoming);
      return next();
    };
  }
  const admit = (verdict: Verdict, c: Context<AppEnv>, next: Next) => {
    if (verdict.kind === "verified") {
      c.set("user", verdict.user);
      decided(c);
      check(c.env.incoming);
      return next();
    }
    const { incoming } = c.env;
    if (refusalLog.refused(callText(incoming), addressOf(incoming.socket), verdict.why)) decided(c);
    else c.set("isSummedUp", true);
    throw refusal(verdict, challenge);
  };
  const fail = (error: unknown, c: Context<AppEnv>) => {
    decided(c);
    throw error;
  };
  // Not async, and the address only on demand: a call with a cached credential must cost next to nothing.
  return function authentication(c, next) {
    const { headers, socket } = c.env.incoming;
    const verdict = authenticate(headers.authorization, () => addressOf(socket));
    return verdict instanceof Promise
      ? verdict.then(
          (one) => admit(one, c, next),
          (error: unknown) => fail(error, c),
        )
      : admit(verdict, c, next);
  };
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
        info: `No user name or password is checked for the next ${seconds} s`,
        headers: { "Retry-After": String(seconds) },
      });
    }
    default:
      return verdict satisfies never;
  }
}

/** Method and path, without the query, which may contain secrets. */
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

// Who may come in: with a password file, who has a password; without one, everyone who doesn't send one.

import type { MiddlewareHandler } from "hono";
import { type Authenticate, parseBasicHeader } from "../auth/basic.ts";
import { TabPyError } from "../errors.ts";
import type { AppEnv } from "./types.ts";

/** Refuses requests as the contract says; `realm` is the service's name. */
export function access(authenticate: Authenticate | undefined, realm: string): MiddlewareHandler<AppEnv> {
  const challenge = `Basic realm="${realm.replace(/[^\x20-\x7e]|["\\]/g, "")}"`;
  if (authenticate === undefined) {
    return function access(c, next) {
      if (parseBasicHeader(c.env.incoming.headers.authorization) !== undefined) throw notAcceptable();
      return next();
    };
  }
  return async function access(c, next) {
    if (await authenticate(c.env.incoming.headers.authorization)) return next();
    throw new TabPyError("unauthorized", "Invalid credentials provided.", {
      info: "Unauthorized request.",
      headers: { "WWW-Authenticate": challenge },
    });
  };
}

function notAcceptable(): TabPyError {
  return new TabPyError(
    "not-acceptable",
    "Username or password provided when authentication not available.",
    {
      info: "Not Acceptable",
    },
  );
}

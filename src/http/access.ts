// Who may come in: with a password file, who has a password; without one, everyone who doesn't send one.

import type { MiddlewareHandler } from "hono";
import { type Authenticate, parseBasicHeader } from "../auth/basic.ts";
import { TabPyError } from "../errors.ts";
import type { AppEnv } from "./types.ts";

/** Refuses requests as the contract says; `realm` is the service's name. */
export function access(authenticate: Authenticate | undefined, realm: string): MiddlewareHandler<AppEnv> {
  const challenge = `Basic realm="${realm.replace(/[^\x20-\x7e]|["\\]/g, "")}"`;
  return async function access(c, next) {
    const header = c.req.header("authorization");
    if (authenticate === undefined) {
      if (header !== undefined && parseBasicHeader(header) !== undefined) throw notAcceptable();
    } else if (!(await authenticate(header))) {
      throw new TabPyError("unauthorized", "Invalid credentials provided.", {
        info: "Unauthorized request.",
        headers: { "WWW-Authenticate": challenge },
      });
    }
    await next();
  };
}

function notAcceptable(): TabPyError {
  return new TabPyError("not-acceptable", "Username or password provided when authentication not available.", {
    info: "Not Acceptable",
  });
}

// Refuses what a page of another site makes a browser send to a server without a password file: such a page could run
// scripts, because a browser sends a POST of type text/plain without asking first (no preflight), and with a name that
// the page's owner lets point to this machine (DNS rebinding) it could read the answers. Tableau, TabPy's client, curl
// and pip send none of the headers that are checked here, except Host.

import type { IncomingMessage } from "node:http";
import { isLoopback, normalHost } from "../config/hosts.ts";
import { TabPyError } from "../errors.ts";
import { schemeOf } from "./access-log.ts";
import type { AppOptions } from "./types.ts";

/** A header is 32 KiB at most; an answer and the log repeat no more of it than this. */
const maxShownChars = 200;

/**
 * A function that throws TabPyError `forbidden` for requests of pages that are neither this server's own nor allowed by the
 * service's CORS headers, and with `allowedHosts` for those whose Host is neither in it nor loopback.
 */
export function createPageCheck({
  service,
  allowedHosts,
}: Pick<AppOptions, "service" | "allowedHosts">): (request: IncomingMessage) => void {
  const allowedOrigin = service.corsHeaders["Access-Control-Allow-Origin"];
  let servedHost: string | undefined; // most requests have the same
  return (incoming) => {
    const { origin, host = "", "sec-fetch-site": site } = incoming.headers;
    if (allowedHosts !== undefined && host !== servedHost) {
      if (!isServedAt(host, allowedHosts)) throw foreignHost(host);
      servedHost = host;
    }
    if (allowedOrigin === "*" || (origin !== undefined && origin === allowedOrigin)) return;
    if (origin !== undefined && !isOwn(origin, incoming)) throw foreignOrigin(origin);
    if (site === "cross-site") throw crossSite();
  };
}

/** Whether this server was asked at a loopback name or address, or at an allowed one. The port doesn't matter. */
function isServedAt(host: string, allowedHosts: ReadonlySet<string>): boolean {
  const name = normalHost(host.replace(/:\d*$/, ""));
  return isLoopback(name) || allowedHosts.has(name);
}

function isOwn(origin: string, { headers: { host = "" }, socket }: IncomingMessage): boolean {
  return origin.toLowerCase() === `${schemeOf(socket)}://${host.toLowerCase()}`;
}

function foreignHost(host: string): TabPyError {
  return new TabPyError("forbidden", `Cannot be asked as Host "${shown(host)}"`, {
    info: "Expected localhost, a loopback address, or a name of TABPY_ALLOWED_HOSTS",
  });
}

function foreignOrigin(origin: string): TabPyError {
  return new TabPyError("forbidden", `Cannot serve a page of "${shown(origin)}"`, {
    info: "Expected this server's own Origin, or the one that Access-Control-Allow-Origin of state.ini allows",
  });
}

function crossSite(): TabPyError {
  return new TabPyError("forbidden", "Cannot serve a page of another site", {
    info: "Expected a request without Sec-Fetch-Site: cross-site, as from a browser's address bar",
  });
}

function shown(value: string): string {
  return value.length > maxShownChars ? `${value.slice(0, maxShownChars)}...` : value;
}

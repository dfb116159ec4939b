// Refuses requests that a proxy in front may understand otherwise than this server does: with another end of the body or
// for another host, so that a second request could hide in the first (request smuggling). What bun's HTTP parser refuses
// itself never gets here: Content-Length beside Transfer-Encoding, two different lengths, blanks before a colon.

import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { TabPyError } from "../errors.ts";

/**
 * A function that throws TabPyError `bad-request` for requests whose body or host is ambiguous (RFC 9112, 3.2 and 6.1); their
 * connection is closed.
 */
export function createFramingCheck(): (request: IncomingMessage) => void {
  const checked = new WeakSet<Socket>();
  return (incoming) => {
    const coding = incoming.headers["transfer-encoding"];
    if (coding !== undefined) {
      if (coding.trim().toLowerCase() !== "chunked")
        throw refusal(`Transfer-Encoding "${coding.slice(0, 200)}": expected "chunked"`);
      if (incoming.httpVersionMajor === 1 && incoming.httpVersionMinor === 0)
        throw refusal("Transfer-Encoding in HTTP/1.0: expected Content-Length");
    }
    // Listing the headers takes longer than the rest of the middleware. Further requests of a connection that passed no
    // proxy come from one client, which could only deceive itself.
    if (!checked.has(incoming.socket) || isForwarded(incoming.headers)) {
      if (hasTwoHosts(incoming)) throw refusal("two Host headers: expected one");
      checked.add(incoming.socket);
    }
  };
}

/** Whether a proxy has added what proxies usually add. */
function isForwarded(headers: IncomingHttpHeaders): boolean {
  return (
    headers["x-forwarded-for"] !== undefined ||
    headers["x-real-ip"] !== undefined ||
    headers.forwarded !== undefined ||
    headers.via !== undefined
  );
}

/** `headers` has only the first one. */
function hasTwoHosts({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === "host").length > 1;
}

function refusal(what: string): TabPyError {
  return new TabPyError("bad-request", `Cannot read a request with ${what}`, {
    headers: { Connection: "close" },
  });
}

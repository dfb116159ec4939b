// The errors of bodies that can't be taken, for body.ts, inflate.ts and call.ts.

import { TabPyError } from "../errors.ts";

export function tooLarge(size: number, limit: number): TabPyError {
  // Closing the connection saves receiving the rest of the body.
  return new TabPyError("too-large", `Request with size ${size} exceeded limit of ${limit} (bytes).`, {
    info: "Request Entity Too Large",
    headers: { Connection: "close" },
  });
}

export function tooSlow(): TabPyError {
  return new TabPyError("timeout", "The body of the request did not arrive in time", {
    headers: { Connection: "close" },
  });
}

/** What a request or its result needs doesn't fit into the memory account. */
export function outOfMemory(): TabPyError {
  return new TabPyError("unavailable", "The server is busy", {
    info: "the requests in progress use as much memory as TABPY_MAX_BUFFERED_MB allows",
    headers: { "Retry-After": "1", Connection: "close" },
  });
}

export function unsupported(encoding: string): TabPyError {
  const message = `Cannot read a body with Content-Encoding "${encoding.slice(0, 200)}": expected gzip or none`;
  return new TabPyError("unsupported-encoding", message, {
    headers: { "Accept-Encoding": "gzip, identity" }, // RFC 9110, 15.5.16
  });
}

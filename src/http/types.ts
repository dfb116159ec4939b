// What the HTTP layer needs from the rest of the program, and what it keeps for each request.

import type { HttpBindings } from "@hono/node-server";
import type { Authenticate } from "../auth/authenticate.ts";
import type { Logger } from "../logging/logger.ts";
import type { Execute } from "../python/messages.ts";
import type { ServiceInfo } from "../registry/service-info.ts";
import type { PageData } from "../web/page.ts";

/** The Hono environment: Node's own request and answer, and what middleware leaves for routes. */
export interface AppEnv {
  Bindings: HttpBindings;
  Variables: {
    /** Names this request in the log. */
    callId: string;
    /** Fires when the client has gone before its answer was sent. */
    gone: AbortSignal;
    /** Who came in with a password, as the password file writes the name. */
    user: string | undefined;
  };
}

/** A deployed function as `GET /endpoints` shows it. */
export type Endpoints = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface AppOptions {
  readonly service: ServiceInfo;
  readonly execute: Execute;
  /** Undefined: no password file, everyone may come in. */
  readonly authenticate: Authenticate | undefined;
  /** Takes who was refused and why, for those who look after the server. */
  readonly audit: (message: string) => void;
  /** The body of `GET /info`. */
  readonly info: unknown;
  readonly endpoints: () => Endpoints;
  readonly page: () => PageData;
  /** Folder that is served instead of the built-in page. */
  readonly staticPath: string | undefined;
  readonly isEvaluateEnabled: boolean;
  readonly evaluateTimeoutMs: number;
  /** The timeout as the 408 answer writes it, `30` or `3.0`. */
  readonly evaluateTimeoutText: string;
  readonly isGzipEnabled: boolean;
  readonly maxRequestBytes: number;
  readonly maxBufferedBytes: number;
  /** How long a request may take to come. */
  readonly requestTimeoutMs: number;
  readonly log: Logger;
}

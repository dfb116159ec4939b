// What the HTTP layer needs from the rest of the program, and what it keeps for each request.

import type { Readable } from "node:stream";
import type { HttpBindings } from "@hono/node-server";
import type { Authenticate } from "../auth/authenticate.ts";
import type { Logger } from "../logging/logger.ts";
import type { Execute, Model } from "../executor/channel/messages.ts";
import type { ServiceInfo } from "../registry/service-info.ts";
import type { PageData } from "../web/page.ts";

/** The Hono environment: Node's own request and answer, and what middleware leaves for routes. */
export interface AppEnv {
  Bindings: HttpBindings;
  Variables: {
    /** Names this request in the log and in its answer's `X-Request-ID`. */
    callId: string;
    /** Says things about this request. */
    log: Logger;
    /** Fires when the client has gone before its answer was sent. */
    gone: AbortSignal;
    /** Who came in with a password, as the password file writes the name. */
    user: string | undefined;
  };
}

type Shown = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** What stands behind a name. */
export type Resolution =
  | { readonly kind: "model"; readonly model: Model }
  | { readonly kind: "unknown" }
  /** The function `name` is there and can't be called. */
  | { readonly kind: "unusable"; readonly name: string; readonly reason: string };

/** The deployed functions: src/registry as this layer needs it. */
export interface EndpointService {
  /** By name, as GET /endpoints shows them. */
  list(): Shown;
  /** By name, as GET /status shows them. */
  status(): Shown;
  resolve(name: string): Resolution;
  /** Take up what other processes have deployed. */
  refresh(): Promise<void>;
  /** Resolves when no function is being loaded, or `name` isn't, or after `timeoutMs`. */
  settled(timeoutMs: number, name?: string): Promise<void>;
  /** Each takes the JSON of a request's body, and throws TabPyError for what is wrong with it. */
  add(body: unknown): Promise<Shown>;
  update(name: string, body: unknown): Promise<Shown>;
  remove(name: string): Promise<void>;
  readonly staging: {
    readonly path: string;
    checkSize(bytes: number): void;
    receive(name: string, version: string, bytes: Readable): Promise<string>;
  };
}

export interface AppOptions {
  readonly service: ServiceInfo;
  readonly execute: Execute;
  /** Undefined: no password file, everyone may come in. */
  readonly authenticate: Authenticate | undefined;
  /** Takes who was refused and why, for those who look after the server. */
  readonly audit: (message: string) => void;
  /** The body of `GET /info`. */
  readonly info: unknown;
  readonly endpoints: EndpointService;
  readonly page: () => PageData;
  /** Folder that is served instead of the built-in page. */
  readonly staticPath: string | undefined;
  readonly isEvaluateEnabled: boolean;
  readonly evaluateTimeoutMs: number;
  /** The timeout as the 408 answer writes it, `30` or `3.0`. */
  readonly evaluateTimeoutText: string;
  /** Undefined for no limit. */
  readonly queryTimeoutMs: number | undefined;
  readonly queryTimeoutText: string;
  readonly isGzipEnabled: boolean;
  readonly maxRequestBytes: number;
  readonly maxBufferedBytes: number;
  /** How long a request may take to come. */
  readonly requestTimeoutMs: number;
  readonly log: Logger;
  /** Whether the log names the caller of each request. */
  readonly isLogDetailed?: boolean;
}

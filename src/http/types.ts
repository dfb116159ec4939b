// What the HTTP layer needs from the rest of the program, and what it keeps for each request.

import type { HttpBindings } from "@hono/node-server";
import type { Authenticate } from "../auth/authenticate.ts";
import type { Logger } from "../logging/logger.ts";
import type { Execute } from "../executor/executor.ts";
import type { MemoryAccount } from "../memory-account.ts";
import type { Registry } from "../registry/registry.ts";
import type { BodyLimits } from "./body.ts";
import type { RefusalLog } from "./refusal-log.ts";
import type { ServiceInfo } from "../registry/service-info.ts";
import type { PageData } from "../web/page.ts";

/** The Hono environment: Node's own request and answer, and what middleware passes to routes. */
export interface AppEnv {
  Bindings: HttpBindings;
  Variables: {
    /** Names this request in the log and in its answer's `X-Request-ID`. */
    callId: string;
    /** Logs records about this request. */
    log: Logger;
    /** Fires when the client has gone before its answer was sent. */
    gone: AbortSignal;
    /** The user who has logged in, in lower case; undefined without a password file. */
    user: string | undefined;
    /** Whether this request was only counted by the log of refusals, and so has no line of its own anywhere. */
    isSummedUp: boolean | undefined;
  };
}

/** The deployed functions: what this layer needs from the registry. */
export type EndpointService = Pick<
  Registry,
  | "list"
  | "get"
  | "status"
  | "resolve"
  | "resolveCurrent"
  | "refresh"
  | "settled"
  | "add"
  | "update"
  | "remove"
  | "uploadPath"
  | "receiveUpload"
>;

/** The time limit of calls. */
export interface TimeLimit {
  /** Undefined for no limit. */
  readonly timeoutMs: number | undefined;
  /** In seconds as the 408 answer writes it, `30` or `3.0`. */
  readonly timeoutText: string;
}

export interface AppOptions {
  readonly service: ServiceInfo;
  readonly execute: Execute;
  /** Undefined without a password file: every request is allowed. */
  readonly authenticate: Authenticate | undefined;
  readonly refusalLog: RefusalLog;
  /** Where no password is asked for, requests with another Host are refused, unless it is loopback; undefined: none are. */
  readonly allowedHosts: ReadonlySet<string> | undefined;
  /** The body of `GET /info`. */
  readonly info: unknown;
  readonly endpoints: EndpointService;
  readonly page: () => PageData;
  /** Folder that is served instead of the built-in page. */
  readonly staticPath: string | undefined;
  readonly evaluate: TimeLimit & { readonly isEnabled: boolean };
  readonly query: TimeLimit;
  /** For requests; `isGzipEnabled` also applies to answers, and `timeoutMs` to sending large ones. */
  readonly limits: BodyLimits;
  /** Where bodies and answers count. */
  readonly memory: MemoryAccount;
  readonly log: Logger;
  /** Whether the log names the caller of each request. */
  readonly isLogDetailed: boolean;
}

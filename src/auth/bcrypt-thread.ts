// The thread that computes bcrypt hashes for bcrypt.ts: a program of its own, which scripts/build puts into the
// executable beside the main one. It waits for requests and answers each.

import { parentPort } from "node:worker_threads";
import { compareSync, hashSync } from "bcryptjs";

export type BcryptRequest =
  | { readonly kind: "hash"; readonly password: string; readonly cost: number }
  | { readonly kind: "compare"; readonly password: string; readonly hash: string };

/** `fault` says why there is no value; it holds neither password nor hash. */
export interface BcryptReply {
  readonly id: number;
  readonly value?: string | boolean;
  readonly fault?: string;
}

const port = parentPort;
port?.on("message", (request: BcryptRequest & { readonly id: number }) => {
  port.postMessage({ id: request.id, ...answer(request) } satisfies BcryptReply);
});

function answer(request: BcryptRequest): Omit<BcryptReply, "id"> {
  try {
    switch (request.kind) {
      case "hash":
        return { value: hashSync(request.password, request.cost) };
      case "compare":
        return { value: compareSync(request.password, request.hash) };
      default:
        return request satisfies never;
    }
  } catch (error) {
    return { fault: error instanceof Error ? error.name : "unknown" };
  }
}

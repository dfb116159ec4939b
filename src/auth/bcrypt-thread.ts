// The worker thread that computes bcrypt hashes for bcrypt.ts. It is a second entry point, which scripts/build compiles
// into the executable beside the main one.

import { parentPort } from "node:worker_threads";
import { compareSync, hashSync } from "bcryptjs";

export type BcryptRequest =
  | { readonly kind: "hash"; readonly password: string; readonly cost: number }
  | { readonly kind: "compare"; readonly password: string; readonly hash: string };

/** `fault`: why there is no value; it contains neither password nor hash. */
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

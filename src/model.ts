// Which archive serves the name of a deployed function: what the registry answers, and what a worker is told. The
// registry finds it, HTTP and the executor pass it on.

/** One archive of a deployed function. */
export interface Model {
  readonly name: string;
  readonly version: number;
  /** Path of the pickle_archive. */
  readonly archive: string;
  /** Distinguishes it from every other archive that had this name and version. */
  readonly key: string;
}

/** What a name refers to, after following aliases. A worker gets it as JSON (tabpy_object.py). */
export type Resolution =
  | { readonly kind: "model"; readonly model: Model }
  /** No endpoint has this name, or its alias leads to none. */
  | { readonly kind: "unknown" }
  /** The endpoint `name` exists and can't be called. */
  | { readonly kind: "unusable"; readonly name: string; readonly reason: string };

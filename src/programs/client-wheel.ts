// The client library as a wheel: scripts/build packs it (scripts/pack-client.py) and the executable holds its bytes.
// http/client-wheel.ts hands it out, cli/client.ts writes it.

import { readFileSync } from "node:fs";
import packed from "../../dist/client.whl" with { type: "file" };
import packageJson from "../../package.json" with { type: "json" };

export interface ClientWheel {
  /** The file name that pip wants; it tells the version. */
  readonly name: string;
  readonly bytes: Buffer<ArrayBuffer>;
}

/** A hyphen has a meaning of its own in the names of wheels. */
export const clientWheelName = `tabpy_tools-${packageJson.version.replaceAll("-", "_")}-py3-none-any.whl`;

export function readClientWheel(): ClientWheel {
  return { name: clientWheelName, bytes: readFileSync(packed) };
}

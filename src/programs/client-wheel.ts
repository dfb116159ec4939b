// The client library as a wheel: scripts/build packs it (scripts/pack-client.py) and the executable contains its
// bytes. http/client-wheel.ts serves it, cli/client.ts writes it.

import { readFileSync } from "node:fs";
import packed from "../../dist/client.whl" with { type: "file" };
import packageJson from "../../package.json" with { type: "json" };

export interface ClientWheel {
  /** The file name that pip expects; it contains the version. */
  readonly name: string;
  readonly bytes: Buffer<ArrayBuffer>;
}

/** In the name of a wheel, hyphens separate the fields. */
export const clientWheelName = `tabpy_tools-${packageJson.version.replaceAll("-", "_")}-py3-none-any.whl`;

export function readClientWheel(): ClientWheel {
  return { name: clientWheelName, bytes: readFileSync(packed) };
}

// Archives of deployed functions for tests: valid ones, made with the cloudpickle of the tests' Python, and hostile
// ones, which do something when they are loaded. Also uploads them to a server and deploys them.

import { join } from "node:path";
import { testPython } from "../support/interpreters.ts";
import type { Answer, TestServer } from "../support/server.ts";

const programs = join(import.meta.dir, "../../src/programs");

/** An archive of the function `name` that `source` defines, by the client whose package has this name. */
export function functionArchive(source: string, name: string, client = "tabpy.tabpy_tools"): Buffer {
  return pickled(`
scope = {"__name__": "__main__"}
exec(${JSON.stringify(source)}, scope)
CustomQueryObject.__module__ = "${client}.custom_query_object"
sys.modules.setdefault("${client.split(".")[0]}", sys.modules["tabpy"])
sys.modules[CustomQueryObject.__module__] = sys.modules["tabpy.tabpy_tools.custom_query_object"]
made = CustomQueryObject.__new__(CustomQueryObject)
made.__dict__.update(custom_query=scope[${JSON.stringify(name)}], description="")`);
}

/** An archive that refers to the function `name` of a module in `folder`, and doesn't contain its code. */
export function referringArchive(folder: string, module: string, name: string): Buffer {
  return pickled(`
sys.path.insert(0, ${JSON.stringify(folder)})
import importlib
made = CustomQueryObject.__new__(CustomQueryObject)
made.__dict__.update(custom_query=getattr(importlib.import_module(${JSON.stringify(module)}), ${JSON.stringify(name)}), description="")`);
}

/** An archive that evaluates the Python expression `call`, `function(argument, ...)`, when it is loaded. */
export function hostileArchive(imports: string, callable: string, args: string): Buffer {
  return pickled(`
import ${imports}
class Hostile:
    def __reduce__(self):
        return ${callable}, ${args}
made = Hostile()`);
}

function pickled(program: string): Buffer {
  const made = Bun.spawnSync(
    [
      testPython().file,
      "-c",
      `import sys; sys.path.insert(0, ${JSON.stringify(programs)})
import cloudpickle
from tabpy.tabpy_tools.custom_query_object import CustomQueryObject
${program}
sys.stdout.buffer.write(cloudpickle.dumps(made))`,
    ],
    { stdin: "ignore" },
  );
  if (made.exitCode !== 0) throw new Error(`no archive: ${made.stderr}`);
  return made.stdout;
}

export const add = functionArchive("def add(a, b): return a + b", "add");
export const multiply = functionArchive("def add(a, b): return a * b", "add");

/** Upload an archive and deploy it: POST when `version` is 1, else PUT. */
export async function deploy(
  server: TestServer,
  name: string,
  archive: Buffer,
  version = 1,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Answer> {
  const uploaded = await upload(server, name, archive, version);
  if (uploaded.status !== 201) return uploaded;
  const body = { name, type: "model", src_path: uploaded.json.path, should_update_version: true, ...more };
  const [method, path] =
    version === 1 ? ["POST", "/endpoints"] : ["PUT", `/endpoints/${encodeURIComponent(name)}`];
  return server.request(path, { method, body: JSON.stringify(body) });
}

export function upload(
  server: TestServer,
  name: string,
  archive: Buffer | ReadableStream<Uint8Array>,
  version = 1,
): Promise<Answer> {
  const path = `/configurations/endpoint_upload_destination/endpoints/${encodeURIComponent(name)}/${version}/pickle_archive`;
  return server.request(path, {
    method: "PUT",
    body: archive as Buffer<ArrayBuffer> | ReadableStream<Uint8Array>,
  });
}

export function query(server: TestServer, name: string, data: unknown): Promise<Answer> {
  return server.request(`/query/${encodeURIComponent(name)}`, {
    method: "POST",
    body: JSON.stringify({ data }),
  });
}

/** The status of `name`, once it is no longer being loaded. */
export async function loaded(server: TestServer, name: string): Promise<Record<string, unknown>> {
  const answer = await server.request("/status", { headers: { Prefer: "wait=30" } });
  return answer.json[name];
}

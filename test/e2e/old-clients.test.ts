// TabPy's clients from 0.2 to 2.16 on the executable: the requests of old-clients-requests.ts, one after the other.

import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Answer, startServer, type TestServer } from "../support/server.ts";
import { functionArchive } from "./archives.ts";
import { type Exchange, type OldClient, oldClients, places } from "./old-clients-requests.ts";

const testMs = 120_000;
const passwordFile = join(import.meta.dir, "../golden/fixtures/pwdfile.txt");
/** How often a client asks for the status before it gives up: each answer waits for the load. */
const maxPolls = 20;

for (const client of oldClients) {
  // Before: clients without should_update_version waited for their second version until they gave up.
  test(
    `${client.name} deploys, overrides, queries and removes`,
    async () => {
      const env: Record<string, string> = client.hasCredentials ? { TABPY_PWD_FILE: passwordFile } : {};
      await using server = await startServer({ env, init: { headers: client.headers } });
      const { json } = await server.request("/configurations/endpoint_upload_destination");
      for (const exchange of client.exchanges) await replay(server, client, json.path, exchange);
    },
    testMs,
  );
}

async function replay(
  server: TestServer,
  client: OldClient,
  destination: string,
  exchange: Exchange,
): Promise<void> {
  const { method, path, body, archive, status, answer, isPolled } = exchange;
  if (archive !== undefined) {
    const [factor, below] = archive;
    const folder = join(destination, below);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "pickle_archive"), archiveOf(factor, client.package));
  }
  const text =
    body === undefined
      ? undefined
      : JSON.stringify(body).replaceAll(places.destination, destination).replaceAll(places.url, server.url);
  let found = await send(server, client, method, path, text);
  for (let polls = 1; isPolled && polls < maxPolls && !matches(found.json, answer); polls++) {
    found = await send(server, client, method, path, text);
  }
  const what = `${method} ${path} ${text ?? ""}`;
  expect({ what, status: found.status, text: found.text }).toMatchObject({ what, status });
  if (answer === undefined) return;
  const isExact = answer === null || Object.keys(answer).length === 0;
  if (isExact) expect({ what, answer: found.json }).toEqual({ what, answer });
  else expect({ what, answer: found.json }).toMatchObject({ what, answer });
}

const archives = new Map<string, Buffer>();

function archiveOf(factor: number, client: string): Buffer {
  const key = `${factor} ${client}`;
  const source = `def scale(x): return [${factor} * v for v in x]`;
  const archive = archives.get(key) ?? functionArchive(source, "scale", client);
  archives.set(key, archive);
  return archive;
}

function send(
  server: TestServer,
  { headers }: OldClient,
  method: string,
  path: string,
  body?: string,
): Promise<Answer> {
  return server.request(path, { method, headers, ...(body === undefined ? {} : { body }) });
}

function matches(found: unknown, wanted: unknown): boolean {
  try {
    expect(found).toMatchObject(wanted as object);
    return true;
  } catch {
    return false;
  }
}

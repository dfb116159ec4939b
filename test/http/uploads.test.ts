// Uploads of archives over HTTP, into a real folder.

import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { MemoryAccount } from "../../src/memory-account.ts";
import { openRegistry } from "../registry/registry-folder.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { type AppServer, startApp } from "./app-server.ts";

const upload = "/configurations/endpoint_upload_destination/endpoints";

interface UploadServer extends AsyncDisposable {
  readonly server: AppServer;
  readonly folder: string;
  /** Everything in the state folder, folders too. */
  staged(): string[];
}

/** Allows uploads of up to 100,000 bytes, and other bodies of up to 100. */
async function startUploads(): Promise<UploadServer> {
  const folder = temporaryFolder();
  const server = await startApp({
    endpoints: openRegistry({ folder: folder.path, maxArchiveBytes: 100_000 }).registry,
    limits: { maxBytes: 100 },
    memory: new MemoryAccount(1000),
  });
  return {
    server,
    folder: folder.path,
    staged: () => readdirSync(folder.path, { recursive: true }).map(String).sort(),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

const archive = Buffer.alloc(100_000, 0x80);

for (const [what, body] of [
  ["whose size is announced", archive],
  ["in chunks", [archive.subarray(0, 10), archive.subarray(10)]],
] as const) {
  test(`PUT of an archive ${what} has its own limit, and is answered with 201 and its folder`, async () => {
    await using uploads = await startUploads();
    const answer = await uploads.server.send({
      method: "PUT",
      path: `${upload}/two%20words/12/pickle_archive`,
      body,
    });
    const path = join(uploads.folder, "staging", "endpoints", "two words", "12");
    expect([answer.status, answer.json()]).toEqual([201, { path }]);
    expect(readFileSync(join(path, "pickle_archive")).equals(archive)).toBe(true);
  });
}

for (const [what, body, size] of [
  ["whose size is announced", Buffer.alloc(100_001), 100_001],
  ["in chunks", [archive, "x"], 100_001],
] as const) {
  test(`PUT of an archive over the limit ${what} is answered with 413 and leaves nothing`, async () => {
    await using uploads = await startUploads();
    const answer = await uploads.server.send({ method: "PUT", path: `${upload}/f/1/pickle_archive`, body });
    expect([answer.status, answer.headers.get("connection"), answer.json()]).toEqual([
      413,
      "close",
      {
        message: `Archive with size ${size} exceeded limit of 100000 (bytes).`,
        info: "Request Entity Too Large: TABPY_MAX_ARCHIVE_SIZE_MB",
      },
    ]);
    expect(uploads.staged().filter((name) => name.includes("f"))).toEqual([]);
  });
}

test("PUT of an archive that ends early leaves nothing", async () => {
  await using uploads = await startUploads();
  const socket = connect({ host: "127.0.0.1", port: uploads.server.port });
  socket.write(`PUT ${upload}/f/1/pickle_archive HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n12345`);
  while (!uploads.staged().some((name) => name.includes(".tabpy-tmp-"))) await turn();
  socket.destroy();
  while (uploads.staged().some((name) => name.includes("f"))) await turn();
  expect(uploads.staged().filter((name) => name.includes("pickle_archive"))).toEqual([]);
});

const badPlaces = ["..%2f..%2fx/1", "%2e%2e/1", "f/..%2f..%2fx", "f/0", "f/x", "%00/1", "a%2Fb/1", "f%20/1"];
for (const place of badPlaces) {
  test(`PUT of an archive to ${place} is refused and leaves nothing`, async () => {
    await using uploads = await startUploads();
    const path = `${upload}/${place}/pickle_archive`;
    const answer = await uploads.server.send({ method: "PUT", path, body: "x" });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(uploads.staged()).toEqual([]);
  });
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

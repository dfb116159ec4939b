// The built-in page's headers, and TABPY_STATIC_PATH: no path leads to a file outside of it.

import { afterAll, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { contentSecurityPolicy } from "../../src/web/page.ts";
import { folderUntil } from "../support/temporary-folder.ts";
import { sendBytes, service, startApp } from "./app-server.ts";

const secret = "what nobody may read";
const folder = folderUntil(afterAll);
const root = join(folder, "public");
mkdirSync(join(root, "deep"), { recursive: true });
mkdirSync(`${root}-next`);
writeFileSync(join(folder, "secret.txt"), secret);
writeFileSync(join(`${root}-next`, "secret.txt"), secret);
writeFileSync(join(root, "index.html"), "<h1>index</h1>");
writeFileSync(join(root, "deep", "a b.txt"), "deep");
writeFileSync(join(root, "größe.txt"), "umlaut");
symlinkSync(join(folder, "secret.txt"), join(root, "link.txt"));
symlinkSync(folder, join(root, "link"));
symlinkSync(join(root, "deep"), join(root, "inner"));

test("the built-in page is HTML under its own Content-Security-Policy", async () => {
  await using server = await startApp();
  for (const path of ["/", "/index.html"]) {
    const answer = await server.send({ path });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(answer.headers.get("content-security-policy")).toBe(contentSecurityPolicy);
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect(String(answer.body)).toStartWith("<!doctype html>");
  }
});

const served = [
  ["/", "<h1>index</h1>"],
  ["/index.html", "<h1>index</h1>"],
  ["/index.html?x=/../..", "<h1>index</h1>"],
  ["/deep/a%20b.txt", "deep"],
  ["/inner/a%20b.txt", "deep"],
  ["/gr%C3%B6%C3%9Fe.txt", "umlaut"],
] as const;
for (const [path, content] of served) {
  test(`GET ${path} serves the file below the static folder`, async () => {
    await using server = await startApp({ staticPath: root });
    const answer = await server.send({ path });
    expect([answer.status, String(answer.body)]).toEqual([200, content]);
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  });
}

test("files are served below the subdirectory", async () => {
  await using server = await startApp({ staticPath: root, service: { ...service, prefix: "/sub" } });
  expect(String((await server.send({ path: "/sub/deep/a%20b.txt" })).body)).toBe("deep");
  expect(String((await server.send({ path: "/sub/" })).body)).toBe("<h1>index</h1>");
  expect((await server.send({ path: "/deep/a%20b.txt" })).status).toBe(404);
});

test("the routes of the server come before the files", async () => {
  writeFileSync(join(root, "info"), "a file");
  await using server = await startApp({ staticPath: root, info: { ok: true } });
  expect((await server.send({ path: "/info" })).json()).toEqual({ ok: true });
});

test("a file that isn't below the static folder is answered with 404 in JSON", async () => {
  await using server = await startApp({ staticPath: root });
  for (const path of ["/missing.txt", "/deep", "/deep/", "/secret.txt"]) {
    const answer = await server.send({ path });
    expect({ path, status: answer.status, body: answer.json() }).toEqual({
      path,
      status: 404,
      body: { message: "Not found", info: "There is nothing at this URL" },
    });
  }
});

const outside = [
  "/../secret.txt",
  "/deep/../../secret.txt",
  "/..%2fsecret.txt",
  "/%2e%2e/secret.txt",
  "/%2e%2e%2fsecret.txt",
  "/.%2e/secret.txt",
  "/deep/%2e%2e/%2e%2e/secret.txt",
  "/%252e%252e/secret.txt",
  "/%252e%252e%252fsecret.txt",
  "/..\\secret.txt",
  "/..%5csecret.txt",
  "/%2e%2e%5csecret.txt",
  "/../public-next/secret.txt",
  "/%2e%2e/public-next/secret.txt",
  "/link.txt",
  "/link/secret.txt",
  "/link/public-next/secret.txt",
  "/index.html%00.txt",
  "/%00",
  "/..%00/secret.txt",
  "/%c0%ae%c0%ae/secret.txt",
  "/%uff0e%uff0e/secret.txt",
  "/%",
  `//${folder}/secret.txt`,
  `/${encodeURIComponent(`${folder}/secret.txt`)}`,
  "/....//secret.txt",
  "/;/../secret.txt",
  "/./../secret.txt",
];
for (const [number, path] of outside.entries()) {
  // Named without the folder, which differs from run to run.
  test(`path ${number}, ${path.replaceAll(folder, "FOLDER")}, never leads to a file outside`, async () => {
    await using server = await startApp({ staticPath: root });
    const answer = await server.send({ path });
    expect(String(answer.body)).not.toContain(secret);
    expect([400, 403, 404]).toContain(answer.status);
    expect(answer.headers.get("content-type")).toBe("application/json");
  });
}

for (const path of ["/../secret.txt", "/%2e%2e/secret.txt", "/link/secret.txt"]) {
  test(`${path} never leads outside with a subdirectory or as a whole URL`, async () => {
    await using server = await startApp({ staticPath: root, service: { ...service, prefix: "/sub" } });
    for (const target of [`/sub${path}`, `http://127.0.0.1:${server.port}/sub${path}`]) {
      const answer = await sendBytes(
        server.port,
        `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      );
      expect(String(answer.body)).not.toContain(secret);
      expect([400, 403, 404]).toContain(answer.status);
    }
  });
}

test("a file outside isn't served to a Range request or HEAD either", async () => {
  await using server = await startApp({ staticPath: root });
  for (const method of ["GET", "HEAD"]) {
    const answer = await server.send({ method, path: "/link.txt", headers: { Range: "bytes=0-3" } });
    expect(answer.status).toBe(403);
    expect(answer.headers.get("content-range")).toBeNull();
  }
});

// The client library for pip: the wheel, and a page that links to it, as `pip install --find-links` expects it.

import { createHash } from "node:crypto";
import type { Context } from "hono";
import { html } from "hono/html";
import { readClientWheel } from "../programs/client-wheel.ts";
import type { AppEnv } from "./types.ts";

/** After an upgrade of the server the same URL has other content. */
const headers = { "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff" };

/** The handler of /tabpy_tools/. Its link is relative, so that it also works behind a proxy that adds a path. */
export async function clientPage(c: Context<AppEnv>): Promise<Response> {
  const { name, bytes } = readClientWheel();
  const hash = createHash("sha256").update(bytes).digest("hex");
  const page = await html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>tabpy-tools</title>
</head>
<body>
<h1>tabpy-tools</h1>
<p>The client library of this server: it deploys Python functions and calls them.</p>
<p><a href="${name}#sha256=${hash}">${name}</a></p>
<p>With the address of this page:</p>
<pre>pip install tabpy-tools --find-links ADDRESS</pre>
<p>Without https, pip also needs <code>--trusted-host HOST</code>, unless the server is this computer.</p>
</body>
</html>
`;
  const body = Buffer.from(String(page));
  return c.body(body, 200, {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Length": String(body.length),
    "Content-Security-Policy":
      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    ...headers,
  });
}

/** The handler of /tabpy_tools: redirects to the URL with a slash, which the relative link needs. */
export function clientFolder(c: Context<AppEnv>): Response {
  return c.body(null, 308, { Location: "tabpy_tools/", "Content-Length": "0" });
}

/** The handler of the wheel. */
export function clientWheel(c: Context<AppEnv>): Response {
  const { bytes } = readClientWheel();
  return c.body(bytes, 200, {
    "Content-Type": "application/octet-stream",
    "Content-Length": String(bytes.length),
    ...headers,
  });
}

// The page at / of the compiled server in a real browser: that it is shown, that its Content-Security-Policy allows its
// own style, and that hostile text from the state file stays text; and that pages of other sites run no script. Skipped
// without Chromium.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startServer, type TestServer } from "../support/server.ts";
import { folderUntil, temporaryFolder } from "../support/temporary-folder.ts";

const chromium = ["chromium", "chromium-browser", "google-chrome"]
  .map((name) => Bun.which(name))
  .find(Boolean);
const browserMs = 120_000;
const hostile = `</title></style><script>document.title = "run"</script><img src=x onerror="document.title='run'">&amp;"'`;

const quiet = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

/** A page after loading, and what the browser wrote to its console. */
async function load(url: string, more: readonly string[] = []): Promise<{ dom: string; log: string }> {
  using folder = temporaryFolder();
  const flags = [...quiet, ...more, `--user-data-dir=${folder.path}`, "--enable-logging=stderr", "--v=0"];
  const run = Bun.spawn([chromium ?? "", ...flags, "--dump-dom", url], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [dom, log] = await Promise.all([run.stdout.text(), run.stderr.text(), run.exited]);
  return { dom, log };
}

function textOf(dom: string, tag: string): string[] {
  const pattern = new RegExp(`<${tag}(?: [^>]*)?>(.*?)</${tag}>`, "gs");
  return [...dom.matchAll(pattern)].map(([, text = ""]) =>
    text
      .replace(/&lt;/g, "<")
      .replace(/&gt;/g, ">")
      .replace(/&quot;/g, '"')
      .replace(/&amp;/g, "&"),
  );
}

describe.skipIf(chromium === undefined)("the page at / in a browser", () => {
  const state = folderUntil(afterAll);
  let page: { dom: string; log: string };

  beforeAll(async () => {
    mkdirSync(state, { recursive: true });
    writeFileSync(
      join(state, "state.ini"),
      `[Service Info]\nName = ${hostile}\nDescription = About ${hostile}\nCreation Time = 1469511182\n`,
    );
    await using server = await startServer({ env: { TABPY_STATE_PATH: state } });
    page = await load(`${server.url}/`);
  }, browserMs);

  test("shows its headings", () => {
    expect(textOf(page.dom, "h2")).toEqual([
      "Server",
      "Deployed functions",
      "Run a script",
      "Settings",
      "Links",
    ]);
  });

  test("shows hostile text of the state file as text", () => {
    expect(textOf(page.dom, "title")).toEqual([hostile]);
    expect(textOf(page.dom, "h1")).toEqual([hostile]);
    expect(textOf(page.dom, "p")).toContain(`About ${hostile}`);
    expect(page.dom).not.toMatch(/<script|<img/);
  });

  test("complies with its Content-Security-Policy", () => {
    expect(page.log).not.toMatch(/Content[- ]Security[- ]Policy|Refused to/i);
  });

  test("contains settings, links and the address of this server", () => {
    expect(page.dom).toContain("TABPY_EVALUATE_TIMEOUT");
    expect(page.dom).toContain('href="/info"');
    expect(page.dom).toMatch(/localhost:\d+\/evaluate/);
  });

  // Proves that the test of the policy can fail: this is the log of a violation.
  test(
    "a broken rule would be in the browser's log",
    async () => {
      const server = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        fetch: () =>
          new Response("<!doctype html><title>t</title><style>p { color: red }</style><p>text", {
            headers: { "Content-Type": "text/html", "Content-Security-Policy": "default-src 'none'" },
          }),
      });
      try {
        const { log } = await load(server.url.href);
        expect(log).toMatch(/Content[- ]Security[- ]Policy|Refused to/i);
      } finally {
        await server.stop(true);
      }
    },
    browserMs,
  );
});

describe.skipIf(chromium === undefined)("a page of another site in a browser", () => {
  /** Loads a page on another port that posts a script to `target`, and waits until the browser has its answer. */
  async function attack(target: TestServer, script: string): Promise<string> {
    const answered = Promise.withResolvers<string>();
    const body = JSON.stringify(JSON.stringify({ script, data: {} })).replaceAll("<", "\\u003c");
    const page = `<!doctype html><title>t</title><script>
      fetch("${target.url}/evaluate", { method: "POST", mode: "no-cors", headers: { "Content-Type": "text/plain" }, body: ${body} })
        .then((answer) => answer.type, String).then((text) => fetch("/answered", { method: "POST", body: text }));
    </script><img src="/wait">`;
    const site = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      routes: {
        "/": () => new Response(page, { headers: { "Content-Type": "text/html" } }),
        "/answered": async (request) => {
          answered.resolve(await request.text());
          return new Response("");
        },
        "/wait": async () => new Response(await answered.promise), // holds the load event back
      },
      fetch: () => new Response("", { status: 404 }),
    });
    try {
      await load(site.url.href);
      return await answered.promise;
    } finally {
      await site.stop(true);
    }
  }

  test(
    "posts a script as text/plain to a server without a password file, which refuses it",
    async () => {
      await using server = await startServer();
      const script = `open(${JSON.stringify(server.path("ran"))}, "w").write("x")`;
      expect(await attack(server, script)).toBe("opaque");
      expect(server.log).toMatch(/status=403, message="Cannot serve a page of "http:\/\/127\.0\.0\.1:\d+""/);
      expect(existsSync(server.path("ran"))).toBe(false);
    },
    browserMs,
  );

  // Proves that the test above can fail: the browser does send it.
  test(
    "runs a script where Access-Control-Allow-Origin is *",
    async () => {
      using folder = temporaryFolder();
      writeFileSync(folder.file("state.ini"), "[Service Info]\nAccess-Control-Allow-Origin = *\n");
      await using server = await startServer({ state: folder.path });
      const script = `open(${JSON.stringify(server.path("ran"))}, "w").write("x")`;
      expect(await attack(server, script)).toBe("opaque");
      expect(existsSync(server.path("ran"))).toBe(true);
    },
    browserMs,
  );

  test(
    "can't read a server on loopback through a name of its own, unless that is allowed",
    async () => {
      const rule = ["--host-resolver-rules=MAP rebound.example 127.0.0.1"];
      const read = async (env: Readonly<Record<string, string>>) => {
        await using server = await startServer({ env });
        return (await load(`http://rebound.example:${server.port}/info`, rule)).dom;
      };
      expect(await read({})).toContain('Cannot be asked as Host \\"rebound.example:');
      expect(await read({ TABPY_ALLOWED_HOSTS: "rebound.example" })).toContain('"server_version"');
    },
    browserMs,
  );
});

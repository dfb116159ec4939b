// The page at / as text: that no data turns into markup, and that everything is shown.

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { contentSecurityPolicy, type PageData, type PageEndpoint, renderPage } from "../../src/web/page.ts";

const features = { evaluate: true, gzip: true, arrow: false, authentication: false };
const info: PageData["info"] = {
  name: "TabPy Server",
  description: "Scores of the sales team",
  creationTime: "1700000000",
  statePath: "/var/lib/tabpy",
  serverVersion: "2.13.0",
  version: "0.1.0",
  features,
};
const add: PageEndpoint = {
  name: "add",
  type: "model",
  version: 3,
  description: "Adds two columns",
  docstring: "Adds row by row.\n\n    x : list of float",
  schema: { input: ["number"] },
  target: null,
};
const empty: PageData = { info, settings: [], endpoints: [], prefix: "", url: "http://localhost:9004" };

function withInfo(changes: Partial<PageData["info"]>): PageData {
  return { ...empty, info: { ...info, ...changes } };
}

/** The markup between `<tag>` and `</tag>`, in document order. */
function elements(page: string, tag: string): string[] {
  return [...page.matchAll(new RegExp(`<${tag}(?: [^>]*)?>(.*?)</${tag}>`, "gs"))].map(
    (match) => match[1] ?? "",
  );
}

describe("renderPage()", () => {
  const hostile = `</pre></title></style><script>alert(1)</script>" onload="x" 'y' &amp;`;
  const escaped =
    "&lt;/pre&gt;&lt;/title&gt;&lt;/style&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&quot;x&quot; &#39;y&#39; &amp;amp;";
  const inFunction = (changes: Partial<PageEndpoint>): PageData => ({
    ...empty,
    endpoints: [{ ...add, ...changes }],
  });
  const setting = { name: "TABPY_HOST", value: "0.0.0.0", origin: "default" };
  const withSetting = (changes: Partial<typeof setting>): PageData => ({
    ...empty,
    settings: [{ ...setting, ...changes }],
  });
  const fields: Record<string, (text: string) => PageData> = {
    "the name": (name) => withInfo({ name }),
    "the description": (description) => withInfo({ description }),
    "the creation time": (creationTime) => withInfo({ creationTime }),
    "the state path": (statePath) => withInfo({ statePath }),
    "the protocol version": (serverVersion) => withInfo({ serverVersion }),
    "the version": (version) => withInfo({ version }),
    "a function's name": (name) => inFunction({ name }),
    "a function's type": (type) => inFunction({ type }),
    "a function's description": (description) => inFunction({ description }),
    "a function's docstring": (docstring) => inFunction({ docstring }),
    "an alias's target": (target) => inFunction({ target }),
    "a setting's name": (name) => withSetting({ name }),
    "a setting's value": (value) => withSetting({ value }),
    "a setting's origin": (origin) => withSetting({ origin }),
    "the port": (value) => withSetting({ name: "TABPY_PORT", value }),
    "the protocol": (value) => withSetting({ name: "TABPY_TRANSFER_PROTOCOL", value }),
    "the prefix": (prefix) => ({ ...empty, prefix }),
  };
  test.each(Object.entries(fields))("writes %s as text", (_, page) => {
    const text = renderPage(page(hostile));
    expect(text).toContain(escaped);
    expect(text).not.toContain("<script");
    expect(text).not.toContain('" onload="');
    expect(text).not.toContain("'y'");
  });

  test("writes a schema as JSON text", () => {
    const text = renderPage(inFunction({ schema: { [hostile]: ["</pre>"] } }));
    expect(text).not.toContain("<script");
    expect(elements(text, "pre")[1]).toStartWith("{\n  &quot;&lt;/pre&gt;");
  });

  test("shows control characters and direction overrides", () => {
    const text = renderPage(withInfo({ description: "a\0b\x1bc\x7fd\x85e\u202ef" }));
    expect(text).toContain("<p>a\u2400b\u241bc\u2421d\ufffde\ufffdf</p>");
  });

  test("keeps the line breaks of a docstring", () => {
    const text = renderPage(inFunction({ docstring: "one\r\n\ttwo\rthree\n" }));
    expect(elements(text, "pre")[0]).toBe("one\n\ttwo\nthree\n");
  });

  test("shows every deployed function", () => {
    const other: PageEndpoint = {
      ...add,
      name: "sum",
      type: "alias",
      target: "add",
      docstring: "",
      schema: null,
    };
    const text = renderPage({ ...empty, endpoints: [add, other] });
    const [first, second] = elements(text, "article");
    expect(first).toContain("<h3>add</h3>");
    expect(first).toContain("model, version 3<");
    expect(first).toContain("<p>Adds two columns</p>");
    expect(first).toContain("<pre>Adds row by row.\n\n    x : list of float</pre>");
    expect(first).toContain("&quot;input&quot;: [");
    expect(second).toContain("alias, version 3, refers to add<");
    expect(second).not.toContain("<pre>");
    expect(text).not.toContain("No function is deployed yet");
  });

  test("explains how to deploy when there is no function", () => {
    const text = renderPage(empty);
    expect(text).toContain("No function is deployed yet");
    expect(text).toContain('Client("http://localhost:9004/")\nclient.deploy(');
    const closed = renderPage(withInfo({ features: { ...features, authentication: true } }));
    expect(closed).toContain(
      "\nclient.set_credentials(&quot;NAME&quot;, &quot;PASSWORD&quot;)\nclient.deploy(",
    );
  });

  test("shows settings with their origins", () => {
    const text = renderPage(withSetting({}));
    expect(text).toContain(
      '<tr><th scope="row"><code>TABPY_HOST</code></th><td>0.0.0.0</td><td>default</td></tr>',
    );
  });

  test("shows the creation time as a date", () => {
    expect(renderPage(empty)).toContain("<td>2023-11-14T22:13:20Z</td>");
    expect(renderPage(withInfo({ creationTime: "0" }))).toContain("<td>not recorded</td>");
    expect(renderPage(withInfo({ creationTime: "9e99" }))).toContain("<td>9e99</td>");
  });

  test("shows each feature", () => {
    const all = renderPage(
      withInfo({ features: { evaluate: true, gzip: true, arrow: true, authentication: true } }),
    );
    const none = renderPage(
      withInfo({ features: { evaluate: false, gzip: false, arrow: false, authentication: false } }),
    );
    for (const name of ["Scripts", "Compression", "Arrow Flight", "Authentication"]) {
      expect(all).toContain(`<th scope="row">${name}</th><td>on`);
      expect(none).toContain(`<th scope="row">${name}</th><td>off`);
    }
  });

  test("gives an example that runs on this server", () => {
    const page: PageData = { ...empty, prefix: "/sub", url: "https://localhost:9443/sub" };
    expect(renderPage(page)).toContain("curl https://localhost:9443/sub/evaluate ");
    const closed = renderPage(withInfo({ features: { ...features, authentication: true } }));
    expect(closed).toContain("curl -u NAME http://localhost:9004/evaluate ");
    const off = renderPage(withInfo({ features: { ...features, evaluate: false } }));
    expect(off).not.toContain("curl ");
  });

  test("puts the prefix before the server's own links", () => {
    const links = (prefix: string) =>
      [...renderPage({ ...empty, prefix }).matchAll(/href="(\/[^"]*)"/g)].map((match) => match[1]);
    expect(links("")).toEqual(["/info", "/status", "/endpoints"]);
    expect(links("/sub")).toEqual(["/sub/info", "/sub/status", "/sub/endpoints"]);
  });

  test("sends no referrer to other sites", () => {
    const links = renderPage(empty).match(/<a href="https:[^>]*>/g) ?? [];
    expect(links).toHaveLength(3);
    for (const link of links) expect(link).toEndWith(' rel="noreferrer noopener">');
  });

  test("skips no level of headings", () => {
    const text = renderPage({ ...empty, endpoints: [add, add] });
    const headings = [...text.matchAll(/<h([1-6])(?: [^>]*)?>(.*?)<\/h\1>/g)].map(
      (match) => `${match[1]} ${match[2]}`,
    );
    const each = ["3 add", "4 Docstring", "4 Schema"];
    expect(headings).toEqual([
      "1 TabPy Server",
      "2 Server",
      "2 Deployed functions",
      ...each,
      ...each,
      "2 Run a script",
      "2 Settings",
      "2 Links",
    ]);
  });

  test("loads nothing and runs nothing", () => {
    const text = renderPage({ ...empty, endpoints: [add], settings: [setting] });
    expect(text).not.toMatch(/<(script|link|img|iframe|object|form|base)\b/i);
    expect(text).not.toMatch(/ (src|style|on[a-z]+)=/i);
    expect(text).not.toMatch(/url\(|@import/);
  });
});

describe("contentSecurityPolicy", () => {
  test("names the hash of the style element", () => {
    const styles = elements(renderPage(empty), "style");
    expect(styles).toHaveLength(1);
    const hash = createHash("sha256")
      .update(styles[0] ?? "")
      .digest("base64");
    expect(contentSecurityPolicy).toContain(`style-src 'sha256-${hash}'`);
  });

  test("forbids everything else", () => {
    const others = contentSecurityPolicy
      .split("; ")
      .filter((directive) => !directive.startsWith("style-src "));
    expect(others).toEqual([
      "default-src 'none'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ]);
  });
});

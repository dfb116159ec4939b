// The web page at /: the server, its functions, its settings. One HTML document that has no script and makes no
// request. Its data comes from http/info.ts, its headers from http/static.ts.

import { createHash } from "node:crypto";
import { html, raw } from "hono/html";
import css from "./page.css" with { type: "text" };

export interface PageData {
  readonly info: {
    readonly name: string;
    readonly description: string;
    /** Seconds since 1970, as the state file spells them; "0" for unknown. */
    readonly creationTime: string;
    readonly statePath: string;
    /** The TabPy whose protocol this server speaks, "2.13.0". */
    readonly serverVersion: string;
    /** This program's own version. */
    readonly version: string;
    readonly features: {
      readonly evaluate: boolean;
      readonly gzip: boolean;
      readonly arrow: boolean;
      readonly authentication: boolean;
    };
  };
  /** Effective settings as text. All of them are shown, so none may be a secret. */
  readonly settings: readonly PageSetting[];
  readonly endpoints: readonly PageEndpoint[];
  /** The prefix of every path: "" or "/sub". */
  readonly prefix: string;
  /** The server's URL on its own machine, with the prefix, without a trailing slash. */
  readonly url: string;
}

export interface PageSetting {
  readonly name: string;
  readonly value: string;
  readonly origin: string;
}

export interface PageEndpoint {
  readonly name: string;
  readonly type: string;
  readonly version: number;
  readonly description: string;
  readonly docstring: string;
  /** JSON, undefined or null for none. */
  readonly schema: unknown;
  /** The endpoint that an alias refers to; null for a function. */
  readonly target: string | null;
}

type Fragment = ReturnType<typeof html>;

// Escaped as the page is, so that the hash matches the text in the page.
const style = visible(css);
const styleHash = createHash("sha256").update(style).digest("base64");

/** The value of the page's Content-Security-Policy header: its own style element and nothing else. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${styleHash}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The whole document. All data is shown as text, whatever it contains. */
export function renderPage(data: PageData): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${data.info.name}</title>
<style>${raw(style)}</style>
</head>
<body>
<header>
<h1>${data.info.name}</h1>
${data.info.description !== "" && html`<p>${data.info.description}</p>`}
</header>
<main>
${serverSection(data.info)}
${functionsSection(data)}
${scriptSection(data)}
${settingsSection(data.settings)}
${linksSection(data.prefix)}
</main>
</body>
</html>
`;
  // `html` returns a promise only when one of the values is a promise.
  if (page instanceof Promise) throw new Error("the page waits for a promise");
  return visible(page.toString());
}

function serverSection(info: PageData["info"]): Fragment {
  const { features } = info;
  const rows = [
    ["Version", info.version],
    ["TabPy protocol", info.serverVersion],
    ["State folder", info.statePath],
    ["Created", creationText(info.creationTime)],
    ["Scripts", features.evaluate ? "on, at /evaluate" : "off"],
    ["Compression", features.gzip ? "on, gzip" : "off"],
    ["Arrow Flight", features.arrow ? "on" : "off"],
    [
      "Authentication",
      features.authentication ? "on, name and password" : "off, open to everyone who can reach it",
    ],
  ];
  return html`<section>
<h2>Server</h2>
<table class="info">
<tbody>
${rows.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>\n`)}</tbody>
</table>
</section>`;
}

function functionsSection(data: PageData): Fragment {
  return html`<section>
<h2>Deployed functions</h2>
${data.endpoints.length === 0 ? noFunctions(data) : data.endpoints.map(functionArticle)}
</section>`;
}

function noFunctions(data: PageData): Fragment {
  const credentials = '\nclient.set_credentials("NAME", "PASSWORD")';
  return html`<p>No function is deployed yet. Deploy one from Python, a notebook for example:</p>
<pre><code>from tabpy.tabpy_tools.client import Client

def add(x, y):
    """Adds two columns row by row."""
    return [a + b for a, b in zip(x, y)]

client = Client("${data.url}/")${data.info.features.authentication && credentials}
client.deploy("add", add, "Adds two columns")</code></pre>
<p>A calculated field in Tableau then calls it by name:</p>
<pre><code>SCRIPT_REAL("return tabpy.query('add', _arg1, _arg2)['response']", SUM([A]), SUM([B]))</code></pre>`;
}

function functionArticle(endpoint: PageEndpoint): Fragment {
  const schema = jsonText(endpoint.schema);
  return html`<article class="function">
<h3>${endpoint.name}</h3>
<p class="quiet">${endpoint.type}, version ${endpoint.version}${endpoint.target && `, refers to ${endpoint.target}`}</p>
${endpoint.description !== "" && html`<p>${endpoint.description}</p>`}
${endpoint.docstring !== "" && html`<h4>Docstring</h4>\n<pre>${endpoint.docstring}</pre>`}
${schema !== "" && html`<h4>Schema</h4>\n<pre>${schema}</pre>`}
</article>
`;
}

function scriptSection(data: PageData): Fragment {
  const { evaluate, authentication } = data.info.features;
  const body = `{"data": {"_arg1": [1, 2], "_arg2": [10, 20]},
  "script": "return [a + b for a, b in zip(_arg1, _arg2)]"}`;
  const example = html`<p>This command answers <code>[11, 22]</code>${authentication && " after asking for the password of NAME"}:</p>
<pre><code>curl ${authentication && "-u NAME "}${data.url}/evaluate \\
  -H 'Content-Type: application/json' \\
  -d '${body}'</code></pre>
<p>From another machine, replace <code>localhost</code> with this server's name.</p>`;
  return html`<section>
<h2>Run a script</h2>
${evaluate ? example : html`<p>Scripts are switched off on this server: <code>TABPY_EVALUATE_ENABLE</code> is false.</p>`}
</section>`;
}

function settingsSection(settings: readonly PageSetting[]): Fragment {
  const rows = settings.map(
    ({ name, value, origin }) =>
      html`<tr><th scope="row"><code>${name}</code></th><td>${value}</td><td>${origin}</td></tr>\n`,
  );
  return html`<section>
<h2 id="settings">Settings</h2>
<div class="scroll" role="region" aria-labelledby="settings" tabindex="0">
<table>
<thead><tr><th scope="col">Name</th><th scope="col">Value</th><th scope="col">From</th></tr></thead>
<tbody>
${rows}</tbody>
</table>
</div>
</section>`;
}

function linksSection(prefix: string): Fragment {
  const own = [
    ["/info", "what this server offers, as JSON"],
    ["/status", "whether each function is loaded, as JSON"],
    ["/endpoints", "every deployed function, as JSON"],
  ];
  const elsewhere = [
    ["https://tableau.github.io/analytics_extensions/", "Tableau: analytics extensions"],
    [
      "https://help.tableau.com/current/pro/desktop/en-us/r_connection_manage.htm",
      "Tableau: connect to this server",
    ],
    ["https://github.com/tableau/TabPy", "TabPy: the project and its documentation"],
  ];
  return html`<section>
<h2>Links</h2>
<ul>
${own.map(([path, what]) => html`<li><a href="${prefix}${path}">${prefix}${path}</a>: ${what}</li>\n`)}
${elsewhere.map(([url, what]) => html`<li><a href="${url}" rel="noreferrer noopener">${what}</a></li>\n`)}</ul>
</section>`;
}

function creationText(seconds: string): string {
  if (seconds === "0" || seconds === "") return "not recorded";
  const time = new Date(Number(seconds) * 1000);
  return Number.isNaN(time.getTime()) ? seconds : time.toISOString().replace(/\.\d+Z$/, "Z");
}

/** JSON on several lines; "" for null, undefined and what JSON can't express. */
function jsonText(value: unknown): string {
  return value === null ? "" : (JSON.stringify(value, null, 2) ?? "");
}

/** Text with "\n" line ends, control characters replaced by their pictures and text direction overrides by U+FFFD. */
function visible(text: string): string {
  return text
    .replace(/\r\n?/g, "\n")
    .replace(/(?![\n\t])\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, (character) => {
      const code = character.charCodeAt(0);
      if (code < 0x20) return String.fromCharCode(0x2400 + code);
      return code === 0x7f ? "\u2421" : "\ufffd";
    });
}

// Valid requests of every route, with mutations of their structure: method, path, query, headers, framing, body, JSON.
// The same seed gives the same request. What may be answered to them: mutated-requests.test.ts.

import { deflateSync, gzipSync } from "node:zlib";
import { pick, type Random, randomBytes } from "../support/random.ts";

/** What a mutation changes, until it is written as bytes. */
interface Draft {
  method: string;
  path: string;
  version: string;
  headers: [name: string, value: string][];
  /** JSON until it is written, or bytes. */
  body: unknown;
  /** Changes to the text of a JSON body, and to its bytes. */
  texts: ((text: string) => string)[];
  packed: ((bytes: Buffer) => Buffer)[];
  framing: "length" | "chunked";
  /** What Content-Length says beyond the length of the body. */
  lengthError: number;
  /** Changes to a written chunk of a chunked body. */
  chunk: (size: string, bytes: Buffer) => Buffer;
  end: string;
}

export interface Mutated {
  readonly bytes: Buffer;
  /** Whether it lacks its end, so that the server waits for more. */
  readonly isCut: boolean;
}

type Base = readonly [method: string, path: string, body?: unknown];
const upload = "/configurations/endpoint_upload_destination";

const calls: readonly Base[] = [
  ["POST", "/evaluate", { script: "return _arg1", data: { _arg1: [1, 2.5, -3e7] } }],
  [
    "POST",
    "/evaluate",
    {
      script: "return [a + b for a, b in zip(_arg1, _arg2)]",
      data: { _arg1: ["ä", "日本", ""], _arg2: ["a", "b", null] },
    },
  ],
  ["POST", "/evaluate", { script: "return len(_arg1)", data: { _arg1: { a: [true, null], b: [1, 2] } } }],
  ["POST", "/evaluate", { script: "raise ValueError(_arg1)", data: { _arg1: "x" } }],
  ["POST", "/evaluate", { script: "return tabpy.query('add', 1, _arg1)", data: { _arg1: 1 } }],
  ["POST", "/query/add", { data: [1, 2] }],
  ["POST", "/query/add", { data: { a: [1], b: [2] } }],
  ["GET", "/query/add", { data: { a: "x", b: "y" }, method: "m" }],
];
const others: readonly Base[] = [
  ["GET", "/info"],
  ["GET", "/"],
  ["GET", "/index.html"],
  ["GET", "/status"],
  ["GET", "/endpoints"],
  ["GET", "/endpoints/"],
  ["GET", "/endpoints/other"],
  ["GET", "/tabpy_tools/"],
  ["GET", upload],
  ["OPTIONS", "/evaluate"],
];
/** Rare, because each is written to disk before the next one begins. */
const changes: readonly Base[] = [
  ["PUT", `${upload}/endpoints/other/1/pickle_archive`, Buffer.from("no pickle")],
  [
    "POST",
    "/endpoints",
    { name: "other", type: "alias", target: "add", description: "ä", schema: { a: 1 }, methods: ["query"] },
  ],
  [
    "POST",
    "/endpoints",
    { name: "other", type: "model", src_path: "/nowhere", dependencies: [], is_public: true },
  ],
  [
    "PUT",
    "/endpoints/other",
    { name: "other", type: "alias", target: "add", should_update_version: true, docstring: "a%b" },
  ],
  ["DELETE", "/endpoints/other"],
];

function basesOf(percent: number): readonly Base[] {
  if (percent < 60) return calls;
  return percent < 98 ? others : changes;
}

/** One mutated request. Its `X-Request-ID`, where it keeps one, is `id`. */
export function mutatedRequest(random: Random, id: string): Mutated {
  const [method, path, body] = pick(random, basesOf(random(100)));
  const draft: Draft = {
    method,
    path,
    version: "HTTP/1.1",
    headers: [
      ["Host", "localhost"],
      ["Content-Type", "application/json"],
      ["X-Request-ID", id],
    ],
    body,
    texts: [],
    packed: [],
    framing: "length",
    lengthError: 0,
    chunk: (size, bytes) => Buffer.concat([Buffer.from(`${size}\r\n`), bytes, Buffer.from("\r\n")]),
    end: "0\r\n\r\n",
  };
  for (let left = random(4); left > 0; left--) pick(random, mutations)(random, draft);
  const bytes = written(random, draft);
  if (random(25) === 0) return { bytes: bytes.subarray(0, random(bytes.length)), isCut: true };
  return { bytes: random(12) === 0 ? spoiled(random, bytes) : bytes, isCut: draft.lengthError > 0 };
}

const odd = [
  "\0",
  "\t",
  "\x7f",
  "\x80",
  "\xff",
  "%",
  "%00",
  "%2f",
  "%zz",
  "..",
  "/",
  "\\",
  "?",
  "#",
  ";",
  "😀",
  "é",
  "\u2028",
  "__proto__",
  "constructor",
  " ",
];

const mutations: readonly ((random: Random, draft: Draft) => void)[] = [
  mutateJson,
  mutateJson,
  mutateJson,
  mutateText,
  (random, draft) => {
    draft.method = pick(random, [
      "GET",
      "POST",
      "PUT",
      "DELETE",
      "HEAD",
      "OPTIONS",
      "PATCH",
      "TRACE",
      "CONNECT",
      "get",
      "M-SEARCH",
      "PRI",
      "COW",
      "",
      "P".repeat(300),
      "G\0T",
    ]);
  },
  (random, draft) => {
    const at = random(draft.path.length + 1);
    draft.path = draft.path.slice(0, at) + pick(random, odd) + draft.path.slice(at + random(2));
  },
  (random, draft) => {
    draft.path = pick(random, [
      "",
      "*",
      "//",
      "/".repeat(2000),
      "http://localhost/info",
      "http://[/",
      "//a/b",
      "/../../etc/passwd",
      "/%2e%2e/x",
      "/query/",
      "/query/%ff",
      "/query/a%20b",
      "/endpoints/%00",
      `/query/${"n".repeat(9000)}`,
      "/?".repeat(50),
      "/query/add/x",
      `${upload}/endpoints/../1/pickle_archive`,
      `${upload}/endpoints/other/-1/pickle_archive`,
      "/evaluate/",
    ]);
  },
  (random, draft) => {
    draft.path += pick(random, [
      "?",
      "?type=alias",
      "?type=%zz",
      "?a=b&a=c",
      `?${"q".repeat(5000)}`,
      "?__proto__=1",
      "?\xff",
      "#x",
      "?type=alias&type=model",
    ]);
  },
  (random, draft) => {
    draft.headers.push([pick(random, names), pick(random, values)]);
  },
  (random, draft) => {
    const name = pick(random, names);
    for (let left = random(60); left >= 0; left--) draft.headers.push([name, pick(random, values)]);
  },
  (random, draft) => {
    const header = pick(random, draft.headers);
    if (random(2) === 0)
      header[0] = pick(random, [
        header[0].toUpperCase(),
        `${header[0]} `,
        ` ${header[0]}`,
        "",
        `${header[0]}\0`,
        "é",
        "X".repeat(3000),
      ]);
    else
      header[1] = pick(random, [
        "",
        " ".repeat(3000),
        "a".repeat(9000),
        "\x01",
        "a\rb",
        "a\nb: c",
        "\xff\xfe",
        "a, b",
        'a;b="c',
      ]);
  },
  (random, draft) => {
    draft.headers.splice(random(draft.headers.length), 1);
  },
  (random, draft) => {
    draft.version = pick(random, [
      "HTTP/1.0",
      "HTTP/1.2",
      "HTTP/2.0",
      "HTTP/0.9",
      "http/1.1",
      "HTTP/1.1 ",
      "HTTP/11",
      "",
      "HTTP/1.",
      "COW/1.1",
    ]);
  },
  (_, draft) => {
    draft.framing = "chunked";
  },
  (_, draft) => {
    draft.framing = "chunked";
  },
  (random, draft) => {
    draft.framing = "chunked";
    const size = pick(random, [
      "",
      "zz",
      "-1",
      "+1",
      "0x1",
      "1 ",
      " 1",
      "ffffffffffffffff",
      "7fffffffffffffff",
      "1;a=b",
      "1;",
      "01",
      "0",
    ]);
    draft.chunk = (_, bytes) => Buffer.concat([Buffer.from(`${size}\r\n`), bytes, Buffer.from("\r\n")]);
  },
  (random, draft) => {
    draft.framing = "chunked";
    const [first, second] = [
      pick(random, ["\r\n", "\n", "\r", ";x=y\r\n", '; "a\r\n']),
      pick(random, ["\r\n", "\n", "", "x\r\n"]),
    ];
    draft.chunk = (text, bytes) => Buffer.concat([Buffer.from(text + first), bytes, Buffer.from(second)]);
  },
  (random, draft) => {
    draft.framing = "chunked";
    draft.end = pick(random, [
      "0\n\n",
      "0\r\nX-A: b\r\n\r\n",
      "0\r\nX A\r\n\r\n",
      "0\r\n\n",
      "00\r\n\r\n",
      "0;a\r\n\r\n",
      "0\r\nContent-Length: 5\r\n\r\n",
    ]);
  },
  (random, draft) => {
    draft.lengthError = pick(random, [1, -1, 5, -5, 100, 1_000_000_000]);
  },
  (random, draft) => {
    draft.headers.push([
      "Content-Length",
      pick(random, ["0", "1", "-1", "+5", "abc", "", "1e3", "99999999999999999999", "5, 5", "0x10", "1 1"]),
    ]);
  },
  (random, draft) => {
    draft.headers.push([
      "Transfer-Encoding",
      pick(random, ["chunked", "gzip", "cow", "chunked, chunked", "Chunked", "identity", "", " chunked "]),
    ]);
  },
  (random, draft) => {
    draft.headers.push([
      "Content-Encoding",
      pick(random, ["gzip", "GZIP", "x-gzip", "gzip, gzip", "deflate", "br", "", "identity"]),
    ]);
    if (random(4) > 0) draft.packed.push(pick(random, packers)(random));
  },
];

const names = [
  "Accept-Encoding",
  "Authorization",
  "Connection",
  "Content-Type",
  "Cookie",
  "Expect",
  "Forwarded",
  "Host",
  "If-None-Match",
  "Origin",
  "Prefer",
  "Range",
  "Sec-Fetch-Site",
  "Sec-WebSocket-Key",
  "TabPy-Client",
  "TE",
  "Trailer",
  "Upgrade",
  "Upgrade-Insecure-Requests",
  "User-Agent",
  "X-Forwarded-For",
  "X-HTTP-Method-Override",
  "X-Request-ID",
  "__proto__",
];
const values = [
  "",
  "*",
  "close",
  "keep-alive",
  "gzip",
  "gzip;q=0",
  "br, gzip;q=0.001",
  "100-continue",
  "200-ok",
  "websocket",
  "h2c",
  "Basic YTpi",
  "Basic !!",
  "Bearer x.y.z",
  "bytes=0-1",
  "bytes=5-1,-1",
  "cross-site",
  "http://a",
  "null",
  "localhost",
  "a b",
  "[::1",
  "127.0.0.1:99999",
  "text/html",
  "wait=0",
  "wait=x",
  "trailers",
  "\t",
  "é",
  "\xff",
  "a".repeat(2000),
  "__proto__",
];

const packers: readonly ((random: Random) => (bytes: Buffer) => Buffer)[] = [
  () => (bytes) => gzipSync(bytes, { level: 1 }),
  () => (bytes) => Buffer.concat([gzipSync(bytes, { level: 1 }), gzipSync(bytes, { level: 1 })]),
  () => (bytes) => Buffer.concat([gzipSync(bytes, { level: 1 }), Buffer.from("behind")]),
  () => (bytes) => deflateSync(bytes, { level: 1 }),
  (random) => (bytes) => {
    const packed = gzipSync(bytes, { level: 1 });
    return packed.subarray(0, random(packed.length));
  },
  (random) => (bytes) => spoiled(random, gzipSync(bytes, { level: 1 })),
  (random) => (bytes) => gzipSync(random(20) === 0 ? Buffer.alloc(2 ** 21) : bytes, { level: 1 }),
];

/** Texts in the place of a JSON value. */
const oddJson = [
  "NaN",
  "Infinity",
  "-Infinity",
  "1e999",
  "-0",
  "01",
  "1.",
  ".5",
  "9".repeat(400),
  `0.${"1".repeat(5000)}`,
  "1e-400",
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u0000"',
  '"\\x"',
  '"\t"',
  "'a'",
  "[".repeat(5000),
  `${"[".repeat(900)}${"]".repeat(900)}`,
  `${'{"a":'.repeat(3000)}1${"}".repeat(3000)}`,
  '{"a":1,"a":2}',
  '{"__proto__":{"a":1}}',
  '{"constructor":null}',
  "{,}",
  "[1,]",
  "undefined",
  "None",
  "True",
  "/**/1",
  "\ufeff1",
  '"\xff"',
  '"\ud83d\ude00"',
  "null",
  "true",
  "[]",
  "{}",
  '""',
  "{1:2}",
  "1 2",
  `"${"x".repeat(3000)}"`,
];

/** Puts something else in the place of a member of the body, or of a member of a member. */
function mutateJson(random: Random, draft: Draft): void {
  if (typeof draft.body !== "object" || draft.body === null || Buffer.isBuffer(draft.body)) return;
  const text = pick(random, oddJson);
  const copy: unknown = structuredClone(draft.body);
  let at = copy as Record<string, unknown>;
  for (;;) {
    const keys = Object.keys(at);
    if (keys.length === 0) return;
    const key = pick(random, keys);
    const child = at[key];
    if (typeof child === "object" && child !== null && random(2) === 0) {
      at = child as Record<string, unknown>;
      continue;
    }
    switch (random(6)) {
      case 0:
        delete at[key];
        break;
      case 1:
        at[
          pick(random, [
            "_arg1",
            "_arg2",
            "_arg01",
            "_arg0",
            "_argx",
            "data",
            "script",
            "method",
            "a",
            "name",
            "type",
            "target",
            "",
          ])
        ] = child;
        break;
      case 2:
        at[key] = pick<unknown>(random, [null, true, 0, "", [], {}, [[]], "x".repeat(500), -1, 1e300]);
        break;
      default: {
        const mark = `mark-${draft.texts.length}`;
        at[key] = mark;
        draft.texts.push((json) => json.replace(`"${mark}"`, () => text));
      }
    }
    draft.body = copy;
    return;
  }
}

/** Changes the text of a JSON body. */
function mutateText(random: Random, draft: Draft): void {
  const at = random(1000) / 1000;
  const insert = pick(random, [...oddJson, ...odd, "{", "}", "]", ",", ":", '"']);
  const drop = random(4);
  draft.texts.push((json) => {
    const cut = Math.floor(at * json.length);
    return json.slice(0, cut) + insert + json.slice(cut + drop);
  });
}

function written(random: Random, draft: Draft): Buffer {
  let body = bodyBytes(draft);
  for (const pack of draft.packed) body = pack(body);
  if (random(3000) === 0) body = Buffer.alloc(1_100_000, body.length === 0 ? " " : body);
  const { method, path, version, headers } = draft;
  let framed = body;
  if (draft.framing === "chunked") {
    headers.push(["Transfer-Encoding", "chunked"]);
    const parts: Buffer[] = [];
    const step = Math.max(1, Math.ceil(body.length / (1 + random(4))));
    for (let at = 0; at < body.length; at += step) {
      const part = body.subarray(at, at + step);
      parts.push(draft.chunk(part.length.toString(16), part));
    }
    framed = Buffer.concat([...parts, Buffer.from(draft.end)]);
  }
  if (draft.framing === "length" && (body.length > 0 || draft.lengthError !== 0))
    headers.push(["Content-Length", String(body.length + draft.lengthError)]);
  const head = `${method} ${path} ${version}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  return Buffer.concat([Buffer.from(head, random(2) === 0 ? "latin1" : "utf8"), framed]);
}

function bodyBytes({ body, texts }: Draft): Buffer {
  if (Buffer.isBuffer(body)) return body;
  let text = body === undefined ? "" : JSON.stringify(body);
  for (const change of texts) text = change(text);
  return Buffer.from(text);
}

/** The bytes with one to three of them changed, doubled, dropped or exchanged. */
function spoiled(random: Random, bytes: Buffer): Buffer {
  let changed = Buffer.from(bytes);
  for (let left = random(4); left > 0; left--) {
    const at = random(changed.length + 1);
    const to = Math.min(changed.length, at + random(8));
    const [before, behind] = [changed.subarray(0, at), changed.subarray(to)];
    const middle = pick(random, [
      randomBytes(random, random(4)),
      changed.subarray(at, Math.min(changed.length, at + 2 * (to - at))),
    ]);
    changed = Buffer.concat([before, middle, behind]);
  }
  return changed;
}

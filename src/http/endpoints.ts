// The management API: /endpoints, /status and the upload destination. Reads requests and writes answers; the rules are
// in src/registry.

import type { Context } from "hono";
import { errorText, TabPyError } from "../errors.ts";
import { parseExactJson } from "../python-json.ts";
import { pythonJsonFault } from "../python-json-fault.ts";
import { jsonAnswer } from "./answers.ts";
import type { ReadBody } from "./body.ts";
import type { AppEnv, AppOptions } from "./types.ts";

type Handler = (c: Context<AppEnv>) => Promise<Response>;

/** How long the answer to a deployment waits for its load, so that most clients find it loaded. */
const deployWaitMs = 5000;
/** The same for GET /status, which clients poll. */
const statusWaitMs = 1000;
/** The longest wait that a client may request. */
const maxWaitSeconds = 60;
const waitPreference = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?/i;

/** GET /endpoints; `?type=alias` filters by type. */
export function listEndpoints({ endpoints }: AppOptions): Handler {
  return async (c) => {
    await endpoints.refresh();
    const type = c.req.query("type") ?? "";
    const all = Object.entries(endpoints.list());
    return jsonAnswer(Object.fromEntries(all.filter(([, one]) => type === "" || one.type === type)));
  };
}

/** GET /endpoints/{name} */
export function getEndpoint({ endpoints }: AppOptions): Handler {
  return async (c) => {
    await endpoints.refresh();
    const name = c.req.param("name") ?? "";
    const found = endpoints.get(name);
    if (found !== undefined) return jsonAnswer(found);
    throw new TabPyError("not-found", "Unknown endpoint", { info: `Endpoint ${name} is not found` });
  };
}

/** POST /endpoints */
export function addEndpoint({ endpoints }: AppOptions, readBody: ReadBody): Handler {
  return async (c) => {
    const added = await endpoints.add(await readJson(c, readBody));
    await endpoints.settled(deployWaitMs, Object.keys(added)[0]);
    return jsonAnswer(added, 201);
  };
}

/** PUT /endpoints/{name} */
export function updateEndpoint({ endpoints }: AppOptions, readBody: ReadBody): Handler {
  return async (c) => {
    const name = c.req.param("name") ?? "";
    const updated = await endpoints.update(name, await readJson(c, readBody));
    await endpoints.settled(deployWaitMs, name);
    return jsonAnswer(updated);
  };
}

/** DELETE /endpoints/{name} */
export function removeEndpoint({ endpoints }: AppOptions): Handler {
  return async (c) => {
    await endpoints.remove(c.req.param("name") ?? "");
    return new Response(null, { status: 204 });
  };
}

/** GET /status; waits for running loads, as long as `Prefer: wait=seconds` requests (RFC 7240). */
export function status({ endpoints }: AppOptions): Handler {
  return async (c) => {
    await endpoints.refresh();
    const wait = waitPreference.exec(c.req.header("Prefer") ?? "")?.[1];
    await endpoints.settled(
      wait === undefined ? statusWaitMs : Math.min(Number(wait), maxWaitSeconds) * 1000,
    );
    return jsonAnswer(endpoints.status(), 200, wait === undefined ? {} : { "Preference-Applied": "wait" });
  };
}

/** GET /configurations/endpoint_upload_destination */
export function uploadDestination({ endpoints }: AppOptions): Handler {
  return async () => jsonAnswer({ path: endpoints.uploadPath }, 200, { "TabPy-Upload": "1" });
}

/** PUT /configurations/endpoint_upload_destination/endpoints/{name}/{version}/pickle_archive */
export function uploadArchive({ endpoints }: AppOptions): Handler {
  return async (c) => {
    const { incoming } = c.env;
    const encoding = incoming.headers["content-encoding"]?.trim().toLowerCase() ?? "identity";
    if (encoding !== "identity") {
      // It would be stored compressed, and fail to load.
      throw new TabPyError(
        "bad-request",
        `Cannot take an archive with Content-Encoding "${encoding}": expected none`,
      );
    }
    const size = Number(incoming.headers["content-length"] ?? 0);
    const [name, version] = [c.req.param("name") ?? "", c.req.param("version") ?? ""];
    const path = await endpoints.receiveUpload(name, version, incoming, size, c.get("gone"));
    return jsonAnswer({ path }, 201);
  };
}

async function readJson(c: Context<AppEnv>, readBody: ReadBody): Promise<unknown> {
  const body = await readBody(c.env.incoming, c.get("gone"));
  try {
    const bytes = Buffer.concat(body.pieces);
    if (bytes.length === 0) throw new TabPyError("bad-request", "Input body cannot be empty");
    return parseBody(bytes);
  } finally {
    body.release();
  }
}

function parseBody(bytes: Buffer): unknown {
  try {
    return parseExactJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const info = pythonJsonFault(bytes) ?? errorText(error);
    throw new TabPyError("bad-request", "Failed to decode input body", { info });
  }
}

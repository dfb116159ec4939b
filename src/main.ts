// The composition root: builds the parts from the configuration, hands one to another, starts and stops them.

import { existsSync, statSync } from "node:fs";
import packageJson from "../package.json" with { type: "json" };
import { createAuthenticate } from "./auth/authenticate.ts";
import { Bcrypt } from "./auth/bcrypt.ts";
import { createHashing } from "./auth/hashes.ts";
import { loadUsers } from "./auth/users.ts";
import { type Config, serverUrl, type TlsConfig } from "./config/config.ts";
import { originText } from "./config/load.ts";
import { defaultText } from "./config/settings.ts";
import { configError } from "./errors.ts";
import { createApp } from "./http/app.ts";
import { HttpServer } from "./http/server.ts";
import { expiryWatch, loadTls } from "./http/tls.ts";
import { type Service, startAll, stopAll } from "./lifecycle.ts";
import type { Logger } from "./logging/logger.ts";
import { findCommands } from "./executor/process/interpreter.ts";
import { Loader } from "./executor/trial-load.ts";
import type { Resolved } from "./executor/channel/messages.ts";
import { Pool } from "./executor/pool.ts";
import { spawnWorker } from "./executor/process/spawn.ts";
import { Registry, type Resolution } from "./registry/registry.ts";
import { readServiceInfo, type ServiceInfo } from "./registry/service-info.ts";
import { type Reloadable, Reloader } from "./reload.ts";
import type { PageData, PageEndpoint } from "./web/page.ts";

/** This program's own version. */
export const version: string = packageJson.version;
/** The TabPy whose protocol this is: what clients look at. */
export const protocolVersion = "2.13.0";

export interface TabPy {
  /** Where it listens. */
  readonly url: string;
  /** Rejects (TabPyError `config`) when no Python was found that can run scripts. */
  readonly pythonFound: Promise<void>;
  /** Read again what may change while the server runs: the password file, certificate and key. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Start the server. It listens when this resolves; scripts wait until the first worker is ready.
 *
 * @throws TabPyError `config` for what stands in the way: files, ports, certificates, Python.
 */
export async function startTabPy(config: Config, log: Logger): Promise<TabPy> {
  if (config.staticPath !== undefined && !isFolder(config.staticPath)) {
    throw configError("TABPY_STATIC_PATH", config.staticPath, undefined, "a folder");
  }
  if (config.isArrowWanted)
    log.warning("TABPY_ARROW_ENABLE is on, but Arrow Flight is not offered: data comes as JSON");
  const service = readServiceInfo(config.statePath);
  const auditLog = log.for("audit.ts").named("tabpy.audit");
  const path = config.passwordFile;
  const users =
    path === undefined
      ? undefined
      : await loadUsers({ path, audit: (message) => auditLog.info(message), log: log.for("users.ts") });
  const tls = config.tls === undefined ? undefined : await loadTls(config.tls, log.for("tls.ts"));

  const registry: Registry = new Registry({
    ...config,
    load: (model, process) => loader.load(model, process),
    log: log.for("registry.ts"),
    audit: (message) => auditLog.info(message),
  });
  const pool = new Pool({
    ...config,
    commands: findCommands(config.python, process.env),
    spawn: (command) => spawnWorker(command, withoutSecrets(process.env)),
    size: config.workers,
    useOrjson: true,
    endpoints: {
      revision: () => registry.revision,
      resolve: (name) => resolved(registry.resolve(name)),
    },
    log: log.for("pool.ts"),
  });
  const loader = new Loader({ startWorker: () => pool.startExtra(), timeoutMs: config.loadTimeoutMs });
  const bcrypt = new Bcrypt();
  const app = createApp({
    ...config,
    service,
    execute: pool.execute,
    authenticate:
      users === undefined
        ? undefined
        : createAuthenticate({
            users: users.current,
            hashing: createHashing(bcrypt),
            failuresPerUser: config.loginFailuresPerUser,
            failuresPerAddress: config.loginFailuresPerAddress,
            now: () => performance.now(),
          }),
    audit: (message) => auditLog.warning(message),
    info: infoBody(config, service),
    endpoints: registry,
    page: () => pageData(config, service, registry.list()),
    log: log.for("app.ts"),
  });
  const server = new HttpServer({ ...config, fetch: app.fetch, tls });
  const parts: Reloadable[] = [];
  const services: Service[] = [bcrypt, pool, registry, server];
  if (users !== undefined) parts.push({ what: "password file", files: [users.path], reload: users.reload });
  if (config.tls !== undefined) {
    parts.push(certificateOf(config.tls, server, log.for("tls.ts")));
    services.unshift(expiryWatch(config.tls, log.for("tls.ts")));
  }
  const reloader = new Reloader(parts, (message) => log.error(message));
  services.unshift(reloader);
  await startAll(services);
  registry.loadedAtStart.then(() => loader.end());
  return {
    url: `${serverUrl(config, service.prefix)}/`,
    pythonFound: pool.interpreterFound,
    reload: () => reloader.reload(),
    stop: () => stopAll(services),
  };
}

/** The certificate and key, for the reloader. */
function certificateOf(settings: TlsConfig, server: HttpServer, log: Logger): Reloadable {
  return {
    what: "certificate and key",
    files: [settings.certificateFile, settings.keyFile].filter((file) => file !== undefined),
    reload: async () => {
      server.useTls(await loadTls(settings, log));
      log.info("Took the certificate and key that the files hold now");
    },
  };
}

/** Scripts get the server's environment, but for what opens its private key. */
function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { TABPY_KEY_PASSPHRASE: _, ...others } = env;
  return others;
}

/** The body of GET /info, as the contract has it. */
function infoBody(config: Config, service: ServiceInfo): unknown {
  const authentication = { required: true, methods: { "basic-auth": {} } };
  return {
    description: service.description,
    creation_time: service.creationTime,
    state_path: config.statePath,
    server_version: protocolVersion,
    name: service.name,
    versions: {
      v1: {
        features: {
          ...(config.passwordFile === undefined ? {} : { authentication }),
          evaluate_enabled: config.isEvaluateEnabled,
          gzip_enabled: config.isGzipEnabled,
          arrow_enabled: false,
        },
      },
    },
  };
}

/** What the registry knows of a name, for a worker. */
function resolved(resolution: Resolution): Resolved {
  switch (resolution.kind) {
    case "model":
      return { model: resolution.model };
    case "unknown":
      return { unknown: true };
    case "unusable":
      return { unusable: resolution.reason, name: resolution.name };
    default:
      return resolution satisfies never;
  }
}

function pageData(config: Config, service: ServiceInfo, endpoints: ReturnType<Registry["list"]>): PageData {
  return {
    info: {
      name: service.name,
      description: service.description,
      creationTime: service.creationTime,
      statePath: config.statePath,
      serverVersion: protocolVersion,
      version,
      features: {
        evaluate: config.isEvaluateEnabled,
        gzip: config.isGzipEnabled,
        arrow: false,
        authentication: config.passwordFile !== undefined,
      },
    },
    settings: config.effective.map(({ setting, value, origin }) => ({
      name: setting.name,
      value: value === undefined ? defaultText(setting) : String(value),
      origin: originText(origin),
    })),
    endpoints: Object.entries(endpoints).map(([name, endpoint]) => pageEndpoint(name, endpoint)),
    prefix: service.prefix,
    url: serverUrl({ ...config, host: "localhost" }, service.prefix),
  };
}

function pageEndpoint(name: string, endpoint: Readonly<Record<string, unknown>>): PageEndpoint {
  const { target } = endpoint;
  return {
    name,
    type: String(endpoint.type),
    version: Number(endpoint.version),
    description: String(endpoint.description),
    docstring: String(endpoint.docstring),
    schema: endpoint.schema,
    ...(typeof target === "string" ? { target } : {}),
  };
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

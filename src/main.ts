// The composition root: builds the parts from the configuration, connects them, starts and stops them.

import { existsSync, statSync } from "node:fs";
import packageJson from "../package.json" with { type: "json" };
import { createAuthenticate } from "./auth/authenticate.ts";
import { Bcrypt } from "./auth/bcrypt.ts";
import { createHashing } from "./auth/hashes.ts";
import { loadUsers } from "./auth/users.ts";
import { type Config, serverUrl, type TlsConfig } from "./config/config.ts";
import { configError } from "./errors.ts";
import { createApp } from "./http/app.ts";
import { infoBody, pageData } from "./http/info.ts";
import { boundConnections, createRefusals } from "./http/open-files.ts";
import { RefusalLog } from "./http/refusal-log.ts";
import { HttpServer } from "./http/server.ts";
import { expiryWatch, loadTls } from "./http/tls.ts";
import { type Service, startAll, stopAll } from "./lifecycle.ts";
import type { Logger } from "./logging/logger.ts";
import { createLocalExecutor } from "./executor/local-executor.ts";
import { findCommands } from "./executor/process/interpreter.ts";
import { serverMark } from "./executor/process/leftovers.ts";
import { spawnWorker } from "./executor/process/spawn.ts";
import { Registry } from "./registry/registry.ts";
import { MemoryAccount } from "./memory-account.ts";
import { readServiceInfo } from "./registry/service-info.ts";
import { type Reloadable, Reloader } from "./reload.ts";

/** This program's own version. */
export const version: string = packageJson.version;

export interface TabPy {
  /** Where it listens. */
  readonly url: string;
  /** Rejects (TabPyError `config`) when no Python was found that can run scripts. */
  readonly pythonFound: Promise<void>;
  /** Read again what may change while the server runs: the password file, certificate and key, modules of scripts. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Start the server. It listens when this resolves; scripts wait until the first worker is ready.
 *
 * @throws TabPyError `config` for whatever prevents the start: files, ports, certificates, Python.
 */
export async function startTabPy(config: Config, log: Logger): Promise<TabPy> {
  if (config.staticPath !== undefined && !isFolder(config.staticPath)) {
    throw configError("TABPY_STATIC_PATH", config.staticPath, undefined, "a folder");
  }
  if (config.isArrowWanted)
    log.warning("TABPY_ARROW_ENABLE is on, but Arrow Flight is not available: data is transferred as JSON");
  const service = readServiceInfo(config.statePath);
  const path = config.passwordFile;
  const users = path === undefined ? undefined : await loadUsers({ path, log: log.for("users.ts") });
  const tls = config.tls === undefined ? undefined : await loadTls(config.tls, log.for("tls.ts"));

  const memory = new MemoryAccount(config.maxBufferedBytes);
  const registry: Registry = new Registry({
    ...config,
    tryAlone: (model) => executor.tryAlone(model),
    tryShared: (model) => executor.tryShared(model),
    log: log.for("registry.ts"),
  });
  const executor = createLocalExecutor(
    {
      ...config,
      commands: findCommands(config.python, process.env),
      spawn: (command) => spawnWorker(command, { ...withoutSecrets(process.env), ...serverMark() }),
      functions: {
        revision: () => registry.revision,
        resolve: (name) => registry.resolve(name),
      },
      memory,
      url: serverUrl(config, service.prefix),
      size: config.workers,
      log: log.for("pool.ts"),
    },
    config.loadTimeoutMs,
  );
  const bcrypt = new Bcrypt();
  const refusalLog = new RefusalLog(log.for("audit.ts").named("tabpy.audit"));
  const app = createApp({
    service,
    staticPath: config.staticPath,
    isLogDetailed: config.isLogDetailed,
    execute: executor.execute,
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
    refusalLog,
    allowedHosts: config.allowedHosts ?? (config.isLoopbackOnly ? new Set() : undefined),
    evaluate: {
      isEnabled: config.isEvaluateEnabled,
      timeoutMs: config.evaluateTimeoutMs,
      timeoutText: config.evaluateTimeoutText,
    },
    query: { timeoutMs: config.queryTimeoutMs, timeoutText: config.queryTimeoutText },
    limits: {
      maxBytes: config.maxRequestBytes,
      timeoutMs: config.requestTimeoutMs,
      isGzipEnabled: config.isGzipEnabled,
    },
    memory,
    info: infoBody(config, service),
    endpoints: registry,
    page: () => pageData(config, service, version, registry.list()),
    log: log.for("app.ts"),
  });
  const serverLog = log.for("server.ts");
  const { maxConnections, warning } = boundConnections(config.maxConnections, config.workers);
  if (warning !== undefined) serverLog.warning(warning);
  const onRefused = createRefusals(maxConnections, (message) => serverLog.warning(message));
  const server = new HttpServer({ ...config, maxConnections, onRefused, fetch: app.fetch, tls });
  const parts: Reloadable[] = [];
  const services: Service[] = [bcrypt, executor, registry, refusalLog, server];
  if (users !== undefined) parts.push({ what: "password file", files: [users.path], reload: users.reload });
  if (config.tls !== undefined) {
    parts.push(certificateOf(config.tls, server, log.for("tls.ts")));
    services.unshift(expiryWatch(config.tls, log.for("tls.ts")));
  }
  const reloader = new Reloader(parts, (message) => log.error(message));
  services.unshift(reloader);
  await startAll(services);
  registry.loadedAtStart.then(executor.endShared);
  return {
    url: `${serverUrl(config, service.prefix)}/`,
    pythonFound: executor.interpreterFound,
    reload: () => {
      executor.renew("the server was asked to read its files again");
      return reloader.reload();
    },
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
      log.info("Loaded the new certificate and key");
    },
  };
}

/** Scripts get the server's environment, except for the passphrase of its private key. */
function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { TABPY_KEY_PASSPHRASE: _, ...others } = env;
  return others;
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

// The compiled server as a user runs it: a process with its own folder, port and log. When it is stopped, a check that
// no process and no temporary file is left.

import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { binary, cleanEnvironment, type Outcome, run } from "./binary.ts";
import { freePort } from "./network.ts";
import { describeProcess, killProcess, processesOf } from "./processes.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { until } from "./until.ts";

const python = process.env.TABPY_TEST_PYTHON ?? "python3";

export interface Answer {
  readonly status: number;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly json: any;
  readonly headers: Headers;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Text of a config file. */
  readonly config?: string;
  readonly args?: readonly string[];
  /** The server starts with a copy of this state folder. */
  readonly state?: string;
  /** For every request: credentials, or the authority that signed the certificate of a server with https. */
  readonly init?: BunFetchRequestInit;
  readonly scheme?: "http" | "https";
  /** The limit of open files, soft and hard. */
  readonly openFiles?: number;
}

export class TestServer {
  readonly port: number;
  readonly folder: string;
  readonly marker: string;
  readonly process: ChildProcess;
  /** Resolves with the exit code, or the signal's name. */
  readonly exited: Promise<number | string>;
  readonly #init: BunFetchRequestInit;
  readonly #scheme: string;
  readonly #temporary = temporaryFolder();
  #log = "";
  #isChecked = false;

  constructor(port: number, options: StartOptions) {
    this.port = port;
    this.#init = options.init ?? {};
    this.#scheme = options.scheme ?? "http";
    this.folder = this.#temporary.path;
    this.marker = `TABPY_TEST_RUN=${randomUUID()}`;
    if (options.state !== undefined) cpSync(options.state, join(this.folder, "state"), { recursive: true });
    const config = join(this.folder, "tabpy.conf");
    writeFileSync(config, options.config ?? "[TabPy]\n");
    const temporary = mkdtempSync(join(this.folder, "tmp-"));
    const env = cleanEnvironment({
      TABPY_HOST: "127.0.0.1",
      TABPY_PORT: String(port),
      TABPY_STATE_PATH: join(this.folder, "state"),
      TABPY_PYTHON: python,
      TMPDIR: temporary,
      TABPY_TEST_RUN: this.marker.slice("TABPY_TEST_RUN=".length),
      ...options.env,
    });
    const command = [binary, "--config", config, ...(options.args ?? [])];
    const { openFiles } = options;
    if (openFiles !== undefined) command.unshift("sh", "-c", `ulimit -n ${openFiles}; exec "$0" "$@"`);
    const [file = binary, ...args] = command;
    this.process = spawn(file, args, {
      env,
      cwd: this.folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#log += chunk;
      });
    }
    this.exited = new Promise((resolve) => {
      this.process.on("exit", (code, signal) => resolve(code ?? String(signal)));
    });
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`;
  }

  get log(): string {
    return this.#log;
  }

  get pid(): number {
    if (this.process.pid === undefined) throw new Error("the server has no process");
    return this.process.pid;
  }

  async request(path: string, init?: RequestInit): Promise<Answer> {
    const response = await fetch(this.url + path, { ...this.#init, ...init });
    const text = await response.text();
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: response.status, text, json, headers: response.headers };
  }

  evaluate(script: string, data: unknown = {}, init: RequestInit = {}): Promise<Answer> {
    return this.request("/evaluate", { method: "POST", body: JSON.stringify({ data, script }), ...init });
  }

  /** Processes of this run besides the server itself. */
  children(): number[] {
    return processesOf(this.marker).filter((pid) => pid !== this.pid);
  }

  waitForLog(text: string | RegExp): Promise<void> {
    return until(
      () => `${text} in the log:\n${this.#log.slice(-5000)}`,
      () => (typeof text === "string" ? this.#log.includes(text) : text.test(this.#log)),
    );
  }

  /** Path of a file in this server's folder, for communication between scripts and tests. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** The text that a script has written to the file `name`, once there is some. */
  async written(name: string): Promise<string> {
    const path = this.path(name);
    const text = () => (existsSync(path) ? readFileSync(path, "utf8") : "");
    await until(
      () => `${name} to be written; the log:\n${this.#log.slice(-5000)}`,
      () => text() !== "",
    );
    return text();
  }

  /** Run the binary once more with this server's folder and settings, on a port of its own, until it ends. */
  async runAgain(): Promise<Outcome> {
    return run(["--config", join(this.folder, "tabpy.conf")], {
      TABPY_HOST: "127.0.0.1",
      TABPY_PORT: String(await freePort()),
      TABPY_STATE_PATH: join(this.folder, "state"),
      TABPY_PYTHON: python,
    });
  }

  /** Stop with SIGTERM and check that no process and no temporary file is left. */
  async stop(): Promise<number | string> {
    if (!this.#hasEnded) {
      this.process.kill("SIGTERM");
      await until(
        () => `the end of the server; the log:\n${this.#log.slice(-5000)}`,
        () => this.#hasEnded,
      ).finally(() => this.process.kill("SIGKILL"));
    }
    const code = await this.exited;
    await this.expectNothingLeft();
    return code;
  }

  /** Check once that a server that has ended left nothing, and remove its folder. Kills any process that is left. */
  async expectNothingLeft(timeoutMs = 8000): Promise<void> {
    if (this.#isChecked) return;
    this.#isChecked = true;
    try {
      await until(
        () => `the end of all processes, left:\n${processesOf(this.marker).map(describeProcess).join("\n")}`,
        () => processesOf(this.marker).length === 0,
        timeoutMs,
      );
      const temporary = readdirSync(this.folder).filter((name) => name.startsWith("tmp-"));
      const left = temporary.flatMap((name) => readdirSync(join(this.folder, name)));
      if (left.length > 0) throw new Error(`temporary files are left: ${left.join(", ")}`);
    } finally {
      for (const pid of processesOf(this.marker)) killProcess(pid);
      this.#temporary[Symbol.dispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  get #hasEnded(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }
}

/** Start the binary and wait until it answers scripts. */
export async function startServer(options: StartOptions = {}): Promise<TestServer> {
  const server = new TestServer(await freePort(), options);
  try {
    await until(
      () => `the server, its log:\n${server.log}`,
      async () => {
        if (server.process.exitCode !== null) throw new Error(`the server ended: ${server.log}`);
        return server.evaluate("return 1").then(
          (answer) => answer.status === 200,
          () => false,
        );
      },
    );
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Stop a server, and start another one with a copy of its state folder. */
export async function restart(server: TestServer, options: StartOptions = {}): Promise<TestServer> {
  server.process.kill("SIGTERM");
  await server.exited;
  const next = await startServer({ ...options, state: server.path("state") });
  await server.stop();
  return next;
}

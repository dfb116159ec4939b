// The compiled server as a user runs it: a process of its own with a folder, a port and a log, and the proof at the
// end that it left nothing behind.

import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const binary = process.env.TABPY_TEST_BINARY ?? join(import.meta.dir, "../../dist/tabpy");
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
  /** A state folder to begin with a copy of. */
  readonly state?: string;
  /** How requests are sent: credentials, or the authority that a server with https is trusted by. */
  readonly init?: BunFetchRequestInit;
  readonly scheme?: "http" | "https";
}

/** Poll until `isTrue` holds; throws after `timeoutMs` what was waited for, a function's text as it is then. */
export async function until(
  what: string | (() => string),
  isTrue: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isTrue())) {
    if (Date.now() > deadline) {
      throw new Error(`waited ${timeoutMs / 1000} s for ${typeof what === "string" ? what : what()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** The environment of a test's server: nothing of TabPy's but what the test sets. */
export function cleanEnvironment(extra: Readonly<Record<string, string>>): Record<string, string> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("TABPY_"));
  return { ...Object.fromEntries(inherited), ...extra } as Record<string, string>;
}

/** What a command of the binary came to. */
export interface Outcome {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run the binary until it ends by itself; after `timeoutMs` it is killed, and the code is `SIGKILL`. */
export async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { file = binary, cwd = tmpdir(), timeoutMs = 15_000 } = {},
): Promise<Outcome> {
  const child = spawn(file, args, {
    env: cleanEnvironment(env),
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const outcome = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    outcome.stdout += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    outcome.stderr += chunk;
  });
  const code = await new Promise<number | string>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode, signal) => resolve(exitCode ?? String(signal)));
  });
  return { code, ...outcome };
}

/** Send bytes and nothing more but what `more` sends; what comes back until the server ends the connection. */
export function sendRaw(port: number, bytes: string, more?: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(bytes);
      more?.(socket);
    });
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(answer));
  });
}

/** Whether nobody listens on a port of 127.0.0.1. */
export function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(false);
    });
    socket.on("error", () => resolve(true));
  });
}

/** Ids of the processes whose environment holds `marker`, orphans included. */
export function processesOf(marker: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "latin1").includes(marker) && !isZombie(pid);
      } catch {
        return false;
      }
    })
    .map(Number);
}

function isZombie(pid: string): boolean {
  return / Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\)/s, ""));
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
  #log = "";
  #isChecked = false;

  constructor(port: number, options: StartOptions) {
    this.port = port;
    this.#init = options.init ?? {};
    this.#scheme = options.scheme ?? "http";
    this.folder = mkdtempSync(join(tmpdir(), "tabpy-e2e-"));
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
    this.process = spawn(binary, ["--config", config, ...(options.args ?? [])], {
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

  /** Path of a file in this server's folder, for scripts that tell or ask something. */
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

  /** Stop with SIGTERM and see that nothing is left: no process, no temporary file. */
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

  /** The proof for a server that has ended, once; then its folder goes. What is left is killed, and a fault. */
  async expectNothingLeft(timeoutMs = 8000): Promise<void> {
    if (this.#isChecked) return;
    this.#isChecked = true;
    try {
      await until(
        () => `the end of all processes, left:\n${processesOf(this.marker).map(commandLine).join("\n")}`,
        () => processesOf(this.marker).length === 0,
        timeoutMs,
      );
      const temporary = readdirSync(this.folder).filter((name) => name.startsWith("tmp-"));
      const left = temporary.flatMap((name) => readdirSync(join(this.folder, name)));
      if (left.length > 0) throw new Error(`temporary files are left: ${left.join(", ")}`);
    } finally {
      for (const pid of processesOf(this.marker)) kill(pid);
      rmSync(this.folder, { recursive: true, force: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  get #hasEnded(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }
}

function commandLine(pid: number): string {
  try {
    return `${pid} ${readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").slice(0, 200)}`;
  } catch {
    return `${pid} (gone by now)`;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // gone by now
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

/** Stop a server, and start another one with what it left in its state folder. */
export async function restart(server: TestServer, options: StartOptions = {}): Promise<TestServer> {
  server.process.kill("SIGTERM");
  await server.exited;
  const next = await startServer({ ...options, state: server.path("state") });
  await server.stop();
  return next;
}

/** Other clients' calls: four at a time until `stop`, which says how many failed. */
export function startTraffic(server: TestServer): {
  stop: () => Promise<{ calls: number; failures: string[] }>;
} {
  let isRunning = true;
  let calls = 0;
  const failures: string[] = [];
  const client = async (number: number) => {
    while (isRunning) {
      const wanted = number * 1_000_000 + calls++;
      try {
        const answer = await server.evaluate("return _arg1", { _arg1: wanted });
        if (answer.status !== 200 || answer.json !== wanted)
          failures.push(`${answer.status} ${answer.text.slice(0, 200)}`);
      } catch (error) {
        failures.push(String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  const clients = [1, 2, 3, 4].map(client);
  return {
    stop: async () => {
      isRunning = false;
      await Promise.all(clients);
      return { calls, failures };
    },
  };
}

// How the executable stops while clients call it, and which signals do not end it. Other stops: lifecycle.test.ts.

import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { readFileSync } from "node:fs";
import { createAuthority } from "../support/certificates.ts";
import { sendRaw } from "../support/network.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const testMs = 60_000;
const callBody = JSON.stringify({ script: "return _arg1", data: { _arg1: 7 } });
const call = `POST /evaluate HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${callBody.length}\r\n\r\n${callBody}`;

interface Client {
  readonly socket: Socket;
  /** Resolves when the connection has closed, with what was sent but not answered, in calls. */
  readonly closed: Promise<number>;
  readonly answered: () => number;
  readonly text: () => string;
}

/** Makes one small call after the other on a kept connection, until an answer says that it closes. */
function startClient(port: number, ca?: string): Client {
  let [sent, answered, text] = [0, 0, ""];
  const socket =
    ca === undefined
      ? connect(port, "127.0.0.1")
      : connectTls({ port, host: "127.0.0.1", ca, servername: "localhost" });
  const send = () => {
    sent++;
    text = "";
    socket.write(call);
  };
  socket.on(ca === undefined ? "connect" : "secureConnect", send);
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => {
    text += chunk;
    if (!text.endsWith("\r\n\r\n7")) return;
    answered++;
    if (!/^connection: close\r$/im.test(text)) send();
  });
  const closed = new Promise<number>((resolve) => socket.on("close", () => resolve(sent - answered)));
  return { socket, closed, answered: () => answered, text: () => text };
}

for (const scheme of ["http", "https"] as const) {
  test(
    `four stops under small calls on kept connections lose none of them, with ${scheme}`,
    async () => {
      using authority = createAuthority();
      const { certificateFile, keyFile } = authority.make("server");
      const ca = readFileSync(authority.caFile, "utf8");
      const env: Record<string, string> = { TABPY_WORKERS: "2" };
      if (scheme === "https") {
        env.TABPY_TRANSFER_PROTOCOL = "https";
        env.TABPY_CERTIFICATE_FILE = certificateFile;
        env.TABPY_KEY_FILE = keyFile;
      }
      let stops = 0;
      let answered = 0;
      for (; stops < 4; stops++) {
        await using server = await startServer({ env, scheme, init: { tls: { ca } } });
        const clients = Array.from({ length: 32 }, () =>
          startClient(server.port, scheme === "https" ? ca : undefined),
        );
        await until("calls on every connection", () => clients.every((one) => one.answered() >= 3));
        server.process.kill("SIGTERM");
        const lost = await Promise.all(clients.map((one) => one.closed));
        expect(lost).toEqual(clients.map(() => 0));
        for (const one of clients) expect(one.text()).toMatch(/^connection: close\r$/im);
        expect(await server.exited).toBe(0);
        answered += clients.reduce((sum, one) => sum + one.answered(), 0);
      }
      expect(stops).toBe(4);
      expect(answered).toBeGreaterThan(4 * 32 * 3);
    },
    testMs,
  );
}

test(
  "of pipelined calls, only the answer to the last one closes the connection of a server that stops",
  async () => {
    await using server = await startServer({ env: { TABPY_WORKERS: "1" } });
    const body = JSON.stringify({ script: "import time; time.sleep(0.3)", data: {} });
    const slow = `POST /evaluate HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const answers = sendRaw(server.port, slow + call + call);
    await server.request("/info"); // sent later and answered: the calls have arrived
    server.process.kill("SIGTERM");
    const text = await answers;
    expect(text.match(/HTTP\/1.1 200/g)).toHaveLength(3);
    expect(text.match(/^connection: close\r$/gim)).toHaveLength(1);
    expect(text).toEndWith("\r\n\r\n7");
    expect(await server.exited).toBe(0);
  },
  testMs,
);

test(
  "half-sent requests do not keep the server that stops",
  async () => {
    await using server = await startServer({ env: { TABPY_DRAIN_TIMEOUT: "600" } });
    const halves = [
      "POST /evaluate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf",
      "POST /evaluate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
      "POST /evaluate HTTP/1.1\r\nHo",
    ].map((half) => sendRaw(server.port, half));
    await server.request("/info");
    server.process.kill("SIGTERM");
    expect(await server.exited).toBe(0); // long before TABPY_DRAIN_TIMEOUT, as this test has a time limit
    await Promise.all(halves);
  },
  testMs,
);

test(
  "signals that mean nothing to the server do not end it",
  async () => {
    await using server = await startServer();
    for (const signal of [
      "SIGUSR1",
      "SIGUSR2",
      "SIGALRM",
      "SIGVTALRM",
      "SIGPROF",
      "SIGIO",
      "SIGHUP",
    ] as const)
      server.process.kill(signal);
    await server.waitForLog("Reading files again on SIGHUP");
    expect((await server.evaluate("return 1")).json).toBe(1);
    expect(server.process.exitCode).toBeNull();
  },
  testMs,
);

/** What a script does to its reaper, after it has started a process in a session of its own. */
const attacks = { "has stopped": "SIGSTOP", "has killed": "SIGKILL" };
for (const [attack, signal] of Object.entries(attacks)) {
  test(
    `a second SIGTERM leaves nothing of a script that ${attack} its reaper`,
    async () => {
      await using server = await startServer({
        env: { TABPY_WORKERS: "1", TABPY_DRAIN_TIMEOUT: "600", TABPY_EVALUATE_TIMEOUT: "600" },
      });
      const script = `
import os, signal, subprocess, time
subprocess.Popen(['sleep', '1000'], start_new_session=True)
os.kill(os.getppid(), signal.${signal})
open(${JSON.stringify(server.path("runs"))}, 'w').write('yes')
time.sleep(1000)`;
      const held = server.evaluate(script).catch((error: Error) => error);
      // A worker whose reaper was killed is killed too, before or after it has written.
      if (signal === "SIGSTOP") await server.written("runs");
      else await server.waitForLog("is lost and replaced");
      server.process.kill("SIGTERM");
      await server.waitForLog("Stopping on SIGTERM");
      server.process.kill("SIGTERM");
      const code = await server.exited;
      if (signal === "SIGSTOP") expect(code).toBe(1); // the other one may have ended before
      await held;
      await server.expectNothingLeft();
    },
    testMs,
  );
}

// More connections than the limit of open files allows.

import { expect, test } from "bun:test";
import { connect } from "node:net";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const testMs = 60_000;

for (const [openFiles, count] of [
  [64, 164],
  [128, 300],
  [1024, 1124],
] as const) {
  test(
    `a server with ulimit -n ${openFiles} closes some of ${count} connections, serves the others, and all later ones`,
    async () => {
      await using server = await startServer({ openFiles, env: { TABPY_WORKERS: "2" } });
      let closed = 0;
      const open = new Set(Array.from({ length: count }, () => connect(server.port, "127.0.0.1")));
      for (const socket of open) {
        socket.on("error", () => {});
        socket.on("close", () => {
          closed++;
          open.delete(socket);
        });
      }
      await until("connections that are closed", () => closed >= count - openFiles);
      await server.waitForLog(
        /\[WARNING\].*Cannot accept TABPY_MAX_CONNECTIONS "10000" connections, only \d+: expected/,
      );
      await server.waitForLog(
        /\[WARNING\].*Too many of \d+ connections are those of 127\.0\.0\.1: further ones are closed at once/,
      );
      let text = "";
      for (const socket of open) {
        socket.on("data", (chunk) => {
          text += chunk;
        });
        socket.write("GET /info HTTP/1.1\r\nHost: localhost\r\n\r\n");
      }
      await until("an answer to the others", () => text.includes("HTTP/1.1 200"));
      for (const socket of open) socket.destroy();
      await until(
        "an answer to a new connection",
        () =>
          server.evaluate("return 1").then(
            ({ status }) => status === 200,
            () => false,
          ),
        5000,
      );
      expect(server.log.match(/further ones are closed at once/g)).toHaveLength(1);
    },
    testMs,
  );
}

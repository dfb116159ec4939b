// Requests of other clients while a test does something else to the server.

import type { TestServer } from "../support/server.ts";

/** Call the server from four concurrent clients until `stop()`, which resolves with the failed calls. */
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

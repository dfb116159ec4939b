// The load of https.test.ts, in its own process: clients that keep their connection, and clients that open one for each
// call, until a file exists. Arguments: port, the authority's file, that file's path. The Authorization
// value comes by environment. Prints {"calls": number, "failures": texts}.

import { existsSync, readFileSync } from "node:fs";
import { Agent, request } from "node:https";

const [, , port = "", caFile = "", stopFile = ""] = process.argv;
const ca = readFileSync(caFile);
const failures: string[] = [];
let calls = 0;

function call(agent: Agent, number: number): Promise<void> {
  return new Promise((resolve) => {
    const body = JSON.stringify({ script: "return _arg1", data: { _arg1: number } });
    const fail = (text: string) => {
      failures.push(text);
      resolve();
    };
    const headers = { Authorization: process.env.AUTHORIZATION ?? "", "Content-Length": body.length };
    const options = { port, host: "127.0.0.1", ca, agent, method: "POST", path: "/evaluate", headers };
    const sent = request(options, (answer) => {
      let text = "";
      answer.on("data", (chunk) => {
        text += chunk;
      });
      answer.on("error", (error) => fail(`answer: ${error.message}`));
      answer.on("end", () => {
        if (answer.statusCode === 200 && text === String(number)) resolve();
        else fail(`${answer.statusCode} ${text}`);
      });
    });
    sent.on("error", (error) => fail(`request: ${error.message}`));
    sent.end(body);
  });
}

async function client(agent: Agent): Promise<void> {
  while (!existsSync(stopFile)) await call(agent, calls++);
  agent.destroy();
}

const keeping = () => client(new Agent({ keepAlive: true, maxSockets: 1 }));
const reconnecting = () => client(new Agent({ keepAlive: false }));
await Promise.all([keeping(), keeping(), reconnecting(), reconnecting()]);
process.stdout.write(JSON.stringify({ calls, failures: failures.slice(0, 20) }));

// How containers, Procfiles and services start the executable: with variables of service links, with paths below ~ and
// the working directory, without a home folder, and with a user who is added at each start.

import { expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { binary, run } from "../support/binary.ts";
import { createAuthority } from "../support/certificates.ts";
import { freePort } from "../support/network.ts";
import { passwordHash } from "../support/password-hash.ts";
import { type StartOptions, startServer, TestServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { add, deploy, query } from "./archives.ts";

const testMs = 40_000;
const python = process.env.TABPY_TEST_PYTHON ?? "python3";

const tabpyService = {
  TABPY_PORT: "tcp://10.96.14.7:9004",
  TABPY_PORT_9004_TCP: "tcp://10.96.14.7:9004",
  TABPY_PORT_9004_TCP_ADDR: "10.96.14.7",
  TABPY_PORT_9004_TCP_PORT: "9004",
  TABPY_PORT_9004_TCP_PROTO: "tcp",
  TABPY_SERVICE_HOST: "10.96.14.7",
  TABPY_SERVICE_PORT: "9004",
  TABPY_SERVICE_PORT_HTTP: "9004",
};
const { TABPY_PORT: _, ...withoutPort } = tabpyService;
const linked: Record<string, Record<string, string>> = {
  "a service of Kubernetes named tabpy": tabpyService,
  "the same without a variable that is a setting": { TABPY_PORT: "", ...withoutPort },
  "services named tabpy and tabpy-arrowflight, with IPv6": {
    TABPY_PORT: "tcp://[fd00::7]:9004",
    TABPY_SERVICE_HOST: "fd00::7",
    TABPY_ARROWFLIGHT_PORT: "tcp://[fd00::7]:13622",
    TABPY_ARROWFLIGHT_SERVICE_HOST: "fd00::7",
  },
  "another port and protocol": {
    TABPY_PORT: "udp://10.96.14.7:514",
    TABPY_PORT_514_UDP_ADDR: "10.96.14.7",
    TABPY_PORT_36412_SCTP: "sctp://10.96.14.7:36412",
  },
  "docker --link": {
    TABPY_NAME: "/flow/tabpy",
    TABPY_PORT: "tcp://172.17.0.2:9004",
    TABPY_PORT_9004_TCP: "tcp://172.17.0.2:9004",
    TABPY_ENV_TABPY_PWD_FILE: "/passwords",
  },
};
// Before: TABPY_PORT=tcp://... stopped the start, and each other variable gave a warning, seven for one service.
for (const [what, env] of Object.entries(linked)) {
  test(
    `the server listens on the port of the config file beside the variables of ${what}`,
    async () => {
      const port = await freePort();
      await using server = new TestServer(port, { config: `[TabPy]\nTABPY_PORT = ${port}\n`, env });
      await server.waitForLog(`Web service listening on port ${port}`);
      expect((await server.request("/info")).status).toBe(200);
      const warnings = server.log
        .split("\n")
        .filter((line) => line.includes("[WARNING]") && !line.includes("TABPY_TEST_RUN"));
      expect(warnings).toEqual([
        expect.stringContaining(
          "Ignored variables of service links (Kubernetes, Docker), which are no settings: ",
        ),
      ]);
    },
    testMs,
  );
}

/** A home folder with what the settings of `belowHome` name. */
function homeFolder() {
  const home = temporaryFolder();
  const authority = createAuthority();
  const { certificateFile, keyFile } = authority.make("server");
  copyFileSync(certificateFile, home.file("server.crt"));
  copyFileSync(keyFile, home.file("server.key"));
  const ca = readFileSync(authority.caFile, "utf8");
  authority[Symbol.dispose]();
  writeFileSync(home.file("passwords"), `maria ${passwordHash("maria", "secret")}\n`, { mode: 0o600 });
  writeFileSync(home.file("python"), `#!/bin/sh\nexec "${python}" "$@"\n`, { mode: 0o755 });
  mkdirSync(home.file("pages"));
  writeFileSync(home.file("pages/index.html"), "a page at home");
  return Object.assign(home, { ca });
}
const belowHome = {
  TABPY_STATE_PATH: "~/state",
  TABPY_QUERY_OBJECT_PATH: "~/objects",
  TABPY_STATIC_PATH: "~/pages",
  TABPY_PWD_FILE: "~/passwords",
  TABPY_CERTIFICATE_FILE: "~/server.crt",
  TABPY_KEY_FILE: "~/server.key",
  TABPY_PYTHON: "~/python",
};
const unset = Object.fromEntries(Object.keys(belowHome).map((name) => [name, ""]));
const inFile = (settings: Readonly<Record<string, string>>) =>
  `[TabPy]\n${Object.entries(settings)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join("")}`;
const places: Record<string, Pick<StartOptions, "config" | "env">> = {
  "the config file": { config: inFile(belowHome), env: unset },
  "the environment": { env: belowHome },
  both: {
    config: inFile({ ...belowHome, TABPY_STATE_PATH: "~/elsewhere", TABPY_KEY_FILE: "~/none" }),
    env: { ...unset, TABPY_STATE_PATH: "~/state", TABPY_KEY_FILE: "~/server.key" },
  },
};
// Before: a folder named ~ was made in the working directory for the state, and other settings stopped the start.
for (const [place, given] of Object.entries(places)) {
  test(
    `~ in every path setting of ${place} is the home folder`,
    async () => {
      using home = homeFolder();
      await using server = await startServer({
        ...given,
        env: { ...given.env, HOME: home.path, TABPY_TRANSFER_PROTOCOL: "https" },
        init: { headers: { Authorization: `Basic ${btoa("maria:secret")}` }, tls: { ca: home.ca } },
        scheme: "https",
      });
      expect((await deploy(server, "sum", add)).status).toBe(201);
      expect((await query(server, "sum", { a: 1, b: 2 })).json.response).toBe(3);
      expect((await server.request("/")).text).toBe("a page at home");
      expect((await server.request("/info")).json.state_path).toBe(home.file("state"));
      expect(readdirSync(home.file("state"))).toEqual(expect.arrayContaining(["state.ini", "tabpy_log.log"]));
      expect(readdirSync(home.file("objects/sum/1"))).toEqual(["pickle_archive"]);
      expect(readdirSync(server.folder).filter((name) => name.startsWith("~"))).toEqual([]);
      expect(existsSync(home.file("elsewhere"))).toBe(false);
    },
    testMs,
  );
}

const relative: [what: string, options: Pick<StartOptions, "config" | "env">, folder: string][] = [
  [". in the config file", { config: inFile({ TABPY_STATE_PATH: "." }), env: { TABPY_STATE_PATH: "" } }, "."],
  [". in the environment", { env: { TABPY_STATE_PATH: "." } }, "."],
  ["./", { env: { TABPY_STATE_PATH: "./" } }, "."],
  ["a folder below it", { env: { TABPY_STATE_PATH: "data/../data/tabpy" } }, "data/tabpy"],
];
for (const [what, options, folder] of relative) {
  test(
    `the state path ${what} is in the working directory, with archives and log`,
    async () => {
      await using server = await startServer(options);
      expect((await deploy(server, "sum", add)).status).toBe(201);
      expect((await query(server, "sum", { a: 1, b: 2 })).json.response).toBe(3);
      const state = join(server.folder, folder);
      expect((await server.request("/info")).json.state_path).toBe(state);
      const names = ["state.ini", "tabpy_log.log", "query_objects"];
      expect(readdirSync(state)).toEqual(expect.arrayContaining(names));
      expect(readdirSync(join(state, "query_objects/sum/1"))).toEqual(["pickle_archive"]);
    },
    testMs,
  );
}

/** Run a shell script that ends with `exec` of the server; `isUp` polls it, and then it is stopped. */
async function runUntilUp(
  script: string,
  env: Record<string, string>,
  cwd: string,
  isUp: () => Promise<boolean>,
) {
  const pidFile = join(cwd, "pid");
  rmSync(pidFile, { force: true });
  const ended = run(["-c", `echo $$ > pid; ${script}`], env, { file: "sh", cwd, timeoutMs: 30_000 });
  const outcome = await Promise.race([until("the server", isUp).catch(() => undefined), ended]);
  if (outcome === undefined) process.kill(Number(readFileSync(pidFile, "utf8")), "SIGTERM");
  return ended;
}

const isAnswered = (port: number, pair: string) => () =>
  fetch(`http://127.0.0.1:${port}/info`, { headers: { Authorization: `Basic ${btoa(pair)}` } }).then(
    ({ status }) => status === 200,
    () => false,
  );

const starts: Record<string, string> = {
  "a Procfile that needs the user added": "tabpy-user add -u Maria -p Pass0rd -f ./file.txt && exec tabpy",
  "an entry point that stops at an error":
    "set -e; tabpy-user add -f file.txt -u maria -p Pass0rd; exec tabpy",
  "a container that is given the password on standard input":
    "printf Pass0rd | tabpy user add -u MARIA --password-stdin -f file.txt && exec tabpy --disable-auth-warning",
};
// Before: at the second start tabpy-user ended with exit code 1, and the server was not started.
for (const [what, script] of Object.entries(starts)) {
  test(
    `the server starts each time with ${what}`,
    async () => {
      using folder = temporaryFolder();
      mkdirSync(folder.file("bin"));
      for (const name of ["tabpy", "tabpy-user"]) symlinkSync(binary, folder.file(`bin/${name}`));
      const port = await freePort();
      const env = {
        PATH: `${folder.file("bin")}:${process.env.PATH}`,
        TABPY_HOST: "127.0.0.1",
        TABPY_PORT: String(port),
        TABPY_PWD_FILE: "./file.txt",
        TABPY_STATE_PATH: "./state",
        TABPY_PYTHON: python,
      };
      const line = `maria ${passwordHash("maria", "Pass0rd")}\n`;
      for (const wanted of ['Added username "maria"', 'Username "maria" is there already']) {
        const up = isAnswered(port, "maria:Pass0rd");
        const { code, stdout, stderr } = await runUntilUp(script, env, folder.path, up);
        expect([code, stderr]).toEqual([0, ""]);
        expect(stdout).toContain(wanted);
        expect(readFileSync(folder.file("file.txt"), "utf8")).toBe(line);
      }
    },
    testMs,
  );
}

// Before: without HOME the start failed with a stack trace, "ENOENT: no such file or directory, uv_os_homedir".
for (const home of ["unset HOME", "HOME=", "HOME=/", "HOME=/nonexistent"]) {
  test.skipIf(process.getuid?.() !== 0)(
    `the server starts with ${home} for a user without an entry in /etc/passwd`,
    async () => {
      using folder = temporaryFolder();
      const port = await freePort();
      const script = `${home}; unset XDG_STATE_HOME STATE_DIRECTORY; exec setpriv --reuid=54321 --regid=54321 --clear-groups "${binary}" --disable-auth-warning`;
      const env = { TABPY_HOST: "127.0.0.1", TABPY_PORT: String(port), TABPY_WORKERS: "1" };
      const isUp = () =>
        fetch(`http://127.0.0.1:${port}/info`).then(
          ({ status }) => status === 200,
          () => false,
        );
      const { code, stdout, stderr } = await runUntilUp(script, env, folder.path, isUp);
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toContain("serves at");
    },
    testMs,
  );
}

const refused: [line: string, message: string][] = [
  [
    'TABPY_PORT = "9004"',
    '""9004"" (tabpy.conf line 2): expected an integer from 1 to 65535, 9004 by default',
  ],
  [
    "TABPY_PORT = '9004'",
    "\"'9004'\" (tabpy.conf line 2): expected an integer from 1 to 65535, 9004 by default",
  ],
  [
    "TABPY_EVALUATE_TIMEOUT = 30   # seconds",
    '"30   # seconds" (tabpy.conf line 2): expected a number of seconds from 0.01 to 604800, 30 by default',
  ],
  [
    "TABPY_PORT = tcp://10.96.14.7:9004",
    '"tcp://10.96.14.7:9004" (tabpy.conf line 2): expected an integer from 1 to 65535, 9004 by default',
  ],
];
for (const [line, message] of refused) {
  test(`${line} in the config file stops the start, and the error names what is wanted`, async () => {
    using folder = temporaryFolder();
    writeFileSync(folder.file("tabpy.conf"), `[TabPy]\n${line}\n`);
    const { code, stdout, stderr } = await run(["--config", "tabpy.conf"], {}, { cwd: folder.path });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(`tabpy: Cannot use ${line.split(" ")[0]} ${message}\n`);
  });
}

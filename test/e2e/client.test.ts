// The client library as a data scientist gets and uses it: pip, from the running server, into an empty environment,
// and then the script notebook.py.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Outcome, run } from "../support/binary.ts";
import { testPython } from "../support/interpreters.ts";
import { freePort } from "../support/network.ts";
import { startServer, TestServer } from "../support/server.ts";
import { folderUntil } from "../support/temporary-folder.ts";
import { testOfAll } from "../support/all.ts";

const folder = folderUntil(afterAll);
const environment = join(folder, "venv");
const python = join(environment, "bin", "python");
const fixtures = join(import.meta.dir, "../golden/fixtures");
const passwordFile = join(folder, "passwords");
/** The hash of the password P@ssw0rd. */
const user1Hash =
  "b8a63cf588cd2399da615042de4732f5b121c4d1042acfb91598a56d2dd3e1d7b9f785213262eddbbd00c7a8c9c3e89d7cb98f31d405cc644b1aeba92c3de40b";
const timeoutMs = 180_000;

/** Run a program of the environment in an empty folder, so that nothing of this repository is importable. */
function runPython(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const cwd = mkdtempSync(join(folder, "cwd-"));
  return run(args, { PYTHONDONTWRITEBYTECODE: "1", ...env }, { file: python, cwd, timeoutMs });
}

function expectSuccess(outcome: Outcome): string {
  if (outcome.code !== 0) throw new Error(`exit code ${outcome.code}\n${outcome.stdout}\n${outcome.stderr}`);
  return outcome.stdout;
}

/** Start a server that a call without prefix, credentials or certificate doesn't reach. */
async function startListening(env: Readonly<Record<string, string>>): Promise<TestServer> {
  const server = new TestServer(await freePort(), { env });
  await server.waitForLog(" serves at ");
  return server;
}

/** Install the wheel with pip from the server only: no index has it. */
async function pipInstall(links: string, env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const options = [
    "--no-index",
    "--no-deps",
    "--no-cache-dir",
    "--disable-pip-version-check",
    "--find-links",
    links,
  ];
  return runPython(["-m", "pip", "install", "--force-reinstall", ...options, "tabpy-tools"], env);
}

beforeAll(async () => {
  writeFileSync(passwordFile, `user1 ${user1Hash}\n`);
  const made = await run(["-m", "venv", environment], {}, { file: testPython().file, timeoutMs });
  expectSuccess(made);
  // The folders of the notebook's own modules and of common data science packages, which the tests' Python has.
  const notebook = join(folder, "notebook");
  mkdirSync(notebook);
  cpSync(join(import.meta.dir, "notebook.py"), join(notebook, "notebook.py"));
  writeFileSync(join(notebook, "notebook_module.py"), "def add(x, y):\n    return x + y\n");
  const program = "import cloudpickle, os; print(os.path.dirname(cloudpickle.__path__[0]))";
  const packages = Bun.spawnSync([testPython().file, "-c", program]).stdout.toString().trim();
  const [version = ""] = readdirSync(join(environment, "lib"));
  writeFileSync(join(environment, "lib", version, "site-packages", "borrowed.pth"), `${packages}\n`);
}, timeoutMs);

test(
  "a notebook deploys, queries, overrides and removes with the client that pip takes from the server",
  async () => {
    await using server = await startServer();
    expectSuccess(await pipInstall(`${server.url}/tabpy_tools/`));
    const shown = await runPython(["-m", "pip", "show", "--files", "tabpy-tools"]);
    expect(expectSuccess(shown)).toContain("tabpy/tabpy_tools/client.py");
    const ran = await runPython([join(folder, "notebook", "notebook.py"), `${server.url}/`]);
    expect(expectSuccess(ran)).toBe("passed\n");
  },
  timeoutMs,
);

testOfAll(
  "the same notebook passes on a server elsewhere, below a subdirectory",
  async () => {
    const state = join(folder, "somebody's", "state folder");
    mkdirSync(state, { recursive: true, mode: 0o700 });
    writeFileSync(join(state, "state.ini"), "[Service Info]\nName = Elsewhere\nSubdirectory = sub/dir\n");
    await using server = await startListening({ TABPY_STATE_PATH: state });
    expectSuccess(await pipInstall(`${server.url}/sub/dir/tabpy_tools`));
    const ran = await runPython([join(folder, "notebook", "notebook.py"), `${server.url}/sub/dir/`]);
    expect(expectSuccess(ran)).toBe("passed\n");
  },
  timeoutMs,
);

test(
  "the client deploys to a server with https and a password file, and trusts only the given authority",
  async () => {
    await using server = await startListening({
      TABPY_TRANSFER_PROTOCOL: "https",
      TABPY_CERTIFICATE_FILE: join(fixtures, "server.crt"),
      TABPY_KEY_FILE: join(fixtures, "server.key"),
      TABPY_PWD_FILE: passwordFile,
    });
    const url = `https://localhost:${server.port}/`;
    const ca = join(fixtures, "server.crt");
    const program = `
import sys
from tabpy.tabpy_tools.client import Client, ResponseError
url, ca = sys.argv[1:]
client = Client(url, verify=ca)
try:
    client.deploy("add", lambda x, y: x + y)
    raise AssertionError("let in without credentials")
except ResponseError as error:
    assert error.status_code == 401, error
client.set_credentials("user1", "P@ssw0rd")
client.deploy("add", lambda x, y: x + y)
assert client.query("add", 3, 4)["response"] == 7
stranger = Client(url)
stranger.set_credentials("user1", "P@ssw0rd")
try:
    stranger.query("add", 3, 4)
    raise AssertionError("trusted a stranger")
except ConnectionError as error:
    assert "Cannot trust the certificate" in str(error), error
# A function that contains its client: the password isn't deployed. Its query needs none, as it stays in the worker.
client.deploy("calls", lambda: [client._service._authorization, client.query("add", 3, 4)["response"]])
assert client.query("calls")["response"] == [None, 7]
`;
    // The wheel as a file, for a machine where pip can't reach the server.
    const wheels = join(folder, "wheels");
    const written = await run(["client", "--output", wheels]);
    expect(expectSuccess(written)).toStartWith(`${wheels}/tabpy_tools-`);
    expectSuccess(await pipInstall(wheels));
    expectSuccess(await runPython(["-c", program, url, ca]));
    expect(server.log).not.toContain("P@ssw0rd");
  },
  timeoutMs,
);

test(
  "pip takes the client from a server with a password file",
  async () => {
    await using server = await startListening({ TABPY_PWD_FILE: passwordFile });
    const links = (who: string) => `http://${who}127.0.0.1:${server.port}/tabpy_tools/`;
    expectSuccess(await pipInstall(links("user1:P%40ssw0rd@")));
    expect((await pipInstall(links("user1:wrong@"), { PIP_NO_INPUT: "1" })).code).toBe(1);
  },
  timeoutMs,
);

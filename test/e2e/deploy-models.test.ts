// `tabpy deploy-models` and its link, on running servers: the deployed functions, the messages, and no secret in them.

import { afterAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { binary, cleanEnvironment, run } from "../support/binary.ts";
import { testPython } from "../support/interpreters.ts";
import { freePort } from "../support/network.ts";
import { type Answer, TestServer } from "../support/server.ts";
import { folderUntil } from "../support/temporary-folder.ts";
import { testOfAll } from "../support/all.ts";

const folder = folderUntil(afterAll);
/** A home folder without a lexicon in it. */
const home = join(folder, "home");
mkdirSync(home);
const fixtures = join(import.meta.dir, "../golden/fixtures");
const passwordFile = join(folder, "passwords");
const link = join(dirname(binary), "tabpy-deploy-models");
/** The hash of the password P@ssw0rd. */
const user1Hash =
  "b8a63cf588cd2399da615042de4732f5b121c4d1042acfb91598a56d2dd3e1d7b9f785213262eddbbd00c7a8c9c3e89d7cb98f31d405cc644b1aeba92c3de40b";
writeFileSync(passwordFile, `user1 ${user1Hash}\n`);
const timeoutMs = 120_000;
const all = ["PCA", "Sentiment Analysis", "ttest", "anova"];

// nltk's own lexicon has this form; the tests' machine needn't have it.
const nltkData = join(folder, "nltk_data");
const lexicon = join(nltkData, "sentiment", "vader_lexicon", "vader_lexicon.txt");
mkdirSync(dirname(lexicon), { recursive: true });
writeFileSync(lexicon, "good\t1.9\t0.9\t[2, 1]\nbad\t-2.5\t0.7\t[-3, -2]");
Bun.spawnSync([
  testPython().file,
  "-c",
  "import shutil, sys; shutil.make_archive(sys.argv[1], 'zip', sys.argv[2], 'vader_lexicon')",
  dirname(lexicon),
  dirname(dirname(lexicon)),
]);

/** A server, and the config file that it and the command are given. */
async function startWithConfig(settings: Readonly<Record<string, string>>) {
  const port = await freePort();
  const lines = Object.entries({ TABPY_PORT: port, ...settings }).map(
    ([name, value]) => `${name} = ${value}`,
  );
  const config = `[TabPy]\n${lines.join("\n")}\n`;
  const server = new TestServer(port, { config });
  await server.waitForLog(" serves at ");
  const file = join(folder, `${port}.conf`);
  writeFileSync(
    file,
    `${config}TABPY_STATE_PATH = ${server.path("state")}\nTABPY_PYTHON = ${testPython().file}\n`,
  );
  return { server, file };
}

/** Run the command with answers on its standard input. */
async function deploy(args: readonly string[], typed = "", env: Readonly<Record<string, string>> = {}) {
  const [file = link, ...rest] = args;
  const child = Bun.spawn([file, ...rest], {
    env: cleanEnvironment({ NLTK_DATA: nltkData, HOME: home, ...env }),
    cwd: folder,
    stdin: Buffer.from(typed),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, printed, errors] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, lines: printed.trimEnd().split("\n"), errors };
}

const succeeded = (names: readonly string[]) => names.map((name) => `Successfully deployed ${name}`);

async function query(server: TestServer, name: string, data: unknown): Promise<Answer> {
  return server.request(`/query/${encodeURIComponent(name)}`, {
    method: "POST",
    body: JSON.stringify({ data }),
  });
}

test(
  "tabpy-deploy-models deploys the four functions, prints one line for each, and they can be queried",
  async () => {
    const { server, file } = await startWithConfig({});
    await using _ = server;
    expect(await deploy([link, file])).toEqual({ code: 0, lines: succeeded(all), errors: "" });

    const component = (await query(server, "PCA", [1, [1, 2, 3, 4], [2, 4, 6, 9], ["a", "b", "a", "b"]]))
      .json;
    expect(component.response).toHaveLength(4);
    const scores = await server.evaluate("return tabpy.query('Sentiment Analysis', _arg1)['response']", {
      _arg1: ["a good day", "a bad day", "a day"],
    });
    expect(scores.json.map(Math.sign)).toEqual([1, -1, 0]);
    // The values in scipy's documentation and in tables of the distributions.
    const same = (
      await query(server, "ttest", [
        [1, 2, 3],
        [1, 2, 3],
      ])
    ).json;
    expect(same.response).toBeCloseTo(1, 9);
    const grouped = await query(server, "ttest", {
      _arg1: [1, 2, 3, 4, 5, 6],
      _arg2: ["a", "a", "a", "b", "b", "b"],
    });
    expect(grouped.json.response).toBeCloseTo(0.02131164, 7);
    const mean = await query(server, "ttest", [[1, 2, 3, 4, 5, 6], 3.5]);
    expect(mean.json.response).toBeCloseTo(1, 9);
    const anova = await query(server, "anova", [
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(anova.json.response).toBeCloseTo(0.02131164, 7);
    const refused = await query(server, "PCA", [3, [1, 2], [3, 4]]);
    expect(refused.json.info.error).toBe(
      "ValueError : component 3: expected an integer from 1 to the number of columns, 2",
    );

    // Again, as the subcommand, without a lexicon: the rest is deployed, and the exit code reports it.
    const again = await deploy([binary, "deploy-models", "--config", file], "", { NLTK_DATA: home });
    expect([again.code, again.lines]).toEqual([1, succeeded(["PCA", "ttest", "anova"])]);
    expect(again.errors).toBe(
      `Cannot deploy Sentiment Analysis: nltk's lexicon is missing: ${testPython().file} -m nltk.downloader vader_lexicon\n`,
    );
    const versions = (await server.request("/endpoints")).json;
    expect([versions.PCA.version, versions["Sentiment Analysis"].version]).toEqual([2, 1]);
  },
  timeoutMs,
);

testOfAll(
  "tabpy deploy-models reads credentials from standard input, and trusts the server's own certificate alone",
  async () => {
    const { server, file } = await startWithConfig({
      TABPY_PWD_FILE: passwordFile,
      TABPY_TRANSFER_PROTOCOL: "https",
      TABPY_CERTIFICATE_FILE: join(fixtures, "server.crt"),
      TABPY_KEY_FILE: join(fixtures, "server.key"),
    });
    await using _ = server;
    expect(await deploy([link, file], "user1\nP@ssw0rd\n")).toEqual({
      code: 0,
      lines: succeeded(all),
      errors: "",
    });
    const wrong = await deploy([link, file], "user1\r\nwrong\r\n");
    expect([wrong.code, wrong.lines]).toEqual([1, [""]]);
    expect(wrong.errors).toBe(`https://localhost:${server.port}/ refused: Invalid credentials provided.\n`);
    for (const typed of ["", "user1", "\nP@ssw0rd\n", "us:er\nP@ssw0rd\n"]) {
      const none = await deploy([link, file], typed);
      expect({ typed, code: none.code }).toEqual({ typed, code: 2 });
      expect(none.errors).not.toContain("P@ssw0rd");
    }
    expect(server.log).not.toContain("P@ssw0rd");

    // A different certificate from the one in the config file.
    const other = join(folder, "other.conf");
    const authorities = Bun.spawnSync([testPython().file, "-c", "import certifi; print(certifi.contents())"]);
    const [certificate = ""] =
      /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n/s.exec(authorities.stdout.toString()) ?? [];
    writeFileSync(join(folder, "other.crt"), certificate);
    const text = await Bun.file(file).text();
    writeFileSync(other, text.replace(join(fixtures, "server.crt"), join(folder, "other.crt")));
    const stranger = await deploy([link, other], "user1\nP@ssw0rd\n");
    expect(stranger.code).toBe(1);
    expect(stranger.errors).toContain("Cannot trust the certificate");
  },
  timeoutMs,
);

testOfAll(
  "tabpy deploy-models asks at a terminal, and doesn't show the password",
  async () => {
    const { server, file } = await startWithConfig({ TABPY_PWD_FILE: passwordFile });
    await using _ = server;
    const program = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
shown = b""
def until(text):
    global shown
    while text not in shown:
        try:
            more = os.read(terminal, 4096)
        except OSError:
            more = b""
        if not more:
            break
        shown += more
until(b"User name: ")
os.write(terminal, b"user1\\r")
until(b"Password: ")
os.write(terminal, b"P@ssw0rd\\r")
until(b"never")
sys.stdout.write(shown.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;
    const env = { NLTK_DATA: nltkData, HOME: home };
    const outcome = await run(["-c", program, link, file], env, { file: testPython().file, timeoutMs });
    expect(outcome.stdout).toContain("User name: ");
    expect(outcome.stdout).toContain("Password: ");
    for (const line of succeeded(all)) expect(outcome.stdout).toContain(line);
    expect(outcome.stdout).not.toContain("P@ss");
    expect(outcome.code).toBe(0);
  },
  timeoutMs,
);

test("tabpy deploy-models reports in one line why it can't deploy", async () => {
  const file = join(folder, "nobody.conf");
  const port = await freePort();
  writeFileSync(file, `[TabPy]\nTABPY_PORT = ${port}\nTABPY_PYTHON = ${testPython().file}\n`);
  const nobody = await deploy([link, file]);
  expect([nobody.code, nobody.lines]).toEqual([1, [""]]);
  expect(nobody.errors).toMatch(/^Cannot reach http:\/\/localhost:\d+\/: .*Connection refused\n$/);
  const table = [
    [["--config", file, file], 2, "expected one config file"],
    [[file, file], 2, `Cannot understand "${file}"`],
    [["--user", "me"], 2, 'Unknown option "--user"'],
    [[join(folder, "missing.conf")], 1, "missing.conf"],
  ] as const;
  for (const [args, code, message] of table) {
    const outcome = await deploy([link, ...args]);
    expect({ args, code: outcome.code }).toEqual({ args, code });
    expect(outcome.errors).toContain(message);
  }
  const old = await deploy([link, file], "", { TABPY_PYTHON: "/bin/sh" });
  expect(old.code).toBe(1);
  expect(old.errors).toContain("expected CPython 3.9 or newer");
  const help = await deploy([binary, "deploy-models", "--help"]);
  expect(help.code).toBe(0);
  expect(help.lines.join("\n")).toContain("CONFIG");
});

test("tabpy client writes the wheel, or reports the path that it can't write", async () => {
  const target = join(folder, "new", "wheels");
  const outcome = await run(["client", "-o", target]);
  expect(outcome.code).toBe(0);
  expect(outcome.stdout).toMatch(/\/new\/wheels\/tabpy_tools-[\w.]+-py3-none-any\.whl\n$/);
  const refused = await run(["client", "--output", join(passwordFile, "below")]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toStartWith(`tabpy: Cannot write "${passwordFile}/below/tabpy_tools-`);
});

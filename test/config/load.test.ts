import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Config, createConfig, serverUrl } from "../../src/config/config.ts";
import { expandHome } from "../../src/config/home-folder.ts";
import { loadSettings, nearestName, originText, type Sources } from "../../src/config/load.ts";
import { type SettingName, settings } from "../../src/config/settings.ts";
import { folderUntil } from "../support/temporary-folder.ts";

const folder = folderUntil(afterAll);
const file = join(folder, "tabpy.conf");

function load(text: string | undefined, env: Sources["env"] = {}, commandLine: Sources["commandLine"] = {}) {
  if (text !== undefined) writeFileSync(file, text);
  return loadSettings({ configPath: text === undefined ? undefined : file, env, commandLine });
}

function config(text: string | undefined, env: Record<string, string> = {}): Config {
  return createConfig(load(text, env), env);
}

function portAndOrigin(loaded: ReturnType<typeof load>): [unknown, string] {
  const row = loaded.values.get("TABPY_PORT");
  return [row?.value, row === undefined ? "" : originText(row.origin)];
}

test("loadSettings() prefers the command line to the environment, to the file, to the default", () => {
  const text = "[TabPy]\n# a comment\nTABPY_PORT = 1\n";
  expect(portAndOrigin(load("[TabPy]\n"))).toEqual([9004, "default"]);
  expect(portAndOrigin(load(text))).toEqual([1, `${file} line 3`]);
  expect(portAndOrigin(load(text, { TABPY_PORT: "2" }))).toEqual([2, "environment"]);
  expect(portAndOrigin(load(text, { TABPY_PORT: "2" }, { TABPY_PORT: "3" }))).toEqual([3, "command line"]);
});

test("loadSettings() treats an empty variable as not set", () => {
  const loaded = load("[TabPy]\nTABPY_PWD_FILE = /users\n", { TABPY_PWD_FILE: " " });
  expect(loaded.values.get("TABPY_PWD_FILE")?.value).toBe("/users");
});

test("loadSettings() treats an empty path in the file as not set", () => {
  expect(load("[TabPy]\nTABPY_PYTHON =\n").values.get("TABPY_PYTHON")?.value).toBeUndefined();
});

test("loadSettings() finds %(NAME)s in the environment, with its percent signs", () => {
  const loaded = load("[TabPy]\nTABPY_PYTHON = %(VENV)s/bin/python\n", { VENV: "/opt/100%", venv2: "x" });
  expect(loaded.values.get("TABPY_PYTHON")?.value).toBe("/opt/100%/bin/python");
});

test("loadSettings() refuses a %(NAME)s that isn't defined", () => {
  expect(() => load("[TabPy]\nTABPY_PYTHON = %(VENV)s/bin/python\n")).toThrow(`(${file} line 2)`);
});

test("loadSettings() tolerates variables that differ only in case, and reads only those in upper case", () => {
  expect(portAndOrigin(load("[TabPy]\nTABPY_PORT = 5\n", { a: "1", A: "2" }))[0]).toBe(5);
  const env = { tabpy_port: "1", TABPY_PORT: "2", Tabpy_Port: "3" };
  expect(portAndOrigin(load("[TabPy]\n", env))).toEqual([2, "environment"]);
});

test("loadSettings() refuses a bad value on the command line", () => {
  expect(() => load(undefined, {}, { TABPY_PORT: "x" })).toThrow('Cannot use TABPY_PORT "x" (command line)');
});

const bad: [SettingName, value: string, wanted: string][] = [
  ["TABPY_PORT", "http", "an integer from 1 to 65535, 9004 by default"],
  ["TABPY_PORT", "0", "an integer from 1 to 65535"],
  ["TABPY_PORT", "65536", "an integer from 1 to 65535"],
  ["TABPY_PORT", "9004.5", "an integer from 1 to 65535"],
  ["TABPY_PORT", "0x10", "an integer from 1 to 65535"],
  ["TABPY_PORT", '"9004"', "an integer from 1 to 65535, 9004 by default"],
  ["TABPY_PORT", "'9004'", "an integer from 1 to 65535, 9004 by default"],
  ["TABPY_PORT", "9004 # http", "an integer from 1 to 65535, 9004 by default"],
  ["TABPY_EVALUATE_TIMEOUT", "30   ; seconds", "a number of seconds from 0.01 to 604800, 30 by default"],
  ["TABPY_WORKERS", "-1", "an integer from 1 to 1024, one per core, at least 2 by default"],
  ["TABPY_EVALUATE_ENABLE", "maybe", "true or false, true by default"],
  ["TABPY_TRANSFER_PROTOCOL", "ftp", "http or https, http by default"],
  ["TABPY_EVALUATE_TIMEOUT", "soon", "a number of seconds from 0.01 to 604800, 30 by default"],
  ["TABPY_EVALUATE_TIMEOUT", "nan", "a number of seconds"],
  ["TABPY_EVALUATE_TIMEOUT", "0", "a number of seconds"],
  ["TABPY_MAX_REQUEST_SIZE_MB", "1e9", "a number of megabytes from 0.001 to 2048"],
];
for (const [name, value, wanted] of bad) {
  test(`loadSettings() refuses ${name} "${value}" with its origin and the expected value`, () => {
    expect(() => load(`[TabPy]\n${name} = ${value}\n`)).toThrow(
      `Cannot use ${name} "${value}" (${file} line 2): expected ${wanted}`,
    );
    expect(() => load(undefined, { [name]: value })).toThrow(
      `Cannot use ${name} "${value}" (environment): expected ${wanted}`,
    );
  });
}

test("loadSettings() refuses a number setting that is empty in the file", () => {
  expect(() => load("[TabPy]\nTABPY_PORT =\n")).toThrow('Cannot use TABPY_PORT ""');
});

test("loadSettings() names a missing config file", () => {
  const missing = join(folder, "missing.conf");
  expect(() => loadSettings({ configPath: missing, env: {}, commandLine: {} })).toThrow(
    `Cannot read the config file "${missing}"`,
  );
});

test("loadSettings() names the line of a file that isn't a config file", () => {
  expect(() => load("[TabPy]\nwhat is this\n")).toThrow(`${file}" line 2`);
});

test("loadSettings() warns about unknown names and suggests the nearest known one", () => {
  const { warnings } = load("[TabPy]\nTABPY_PROT = 1\nOTHER = 2\n", {
    TABPY_WORKER: "2",
    tabpy_port: "3",
    PATH: "x",
  });
  expect(warnings).toEqual([
    `Unknown setting TABPY_PROT (${file} line 2) is ignored: did you mean TABPY_PORT?`,
    `Unknown setting OTHER (${file} line 3) is ignored`,
    "Unknown setting TABPY_WORKER (environment) is ignored: did you mean TABPY_WORKERS?",
    "Unknown setting tabpy_port (environment) is ignored: did you mean TABPY_PORT?",
  ]);
});

const kubernetes = {
  TABPY_SERVICE_HOST: "10.96.14.7",
  TABPY_SERVICE_PORT: "9004",
  TABPY_SERVICE_PORT_HTTP: "9004",
  TABPY_PORT: "tcp://10.96.14.7:9004",
  TABPY_PORT_9004_TCP: "tcp://10.96.14.7:9004",
  TABPY_PORT_9004_TCP_PROTO: "tcp",
  TABPY_PORT_9004_TCP_PORT: "9004",
  TABPY_PORT_9004_TCP_ADDR: "10.96.14.7",
};
const links: Record<string, [env: Record<string, string>, line: string]> = {
  "a service of Kubernetes named tabpy": [kubernetes, 'TABPY_PORT "tcp://10.96.14.7:9004" and 7 more'],
  "a service without a variable that is a setting": [
    { TABPY_SERVICE_HOST: "10.96.14.7", TABPY_SERVICE_PORT: "9004" },
    "TABPY_SERVICE_HOST and 1 more",
  ],
  "a service named tabpy-arrowflight": [
    { TABPY_ARROWFLIGHT_PORT: "tcp://10.96.14.8:13622", TABPY_ARROWFLIGHT_SERVICE_HOST: "10.96.14.8" },
    'TABPY_ARROWFLIGHT_PORT "tcp://10.96.14.8:13622" and 1 more',
  ],
  "a service with IPv6": [{ TABPY_PORT: "tcp://[fd00::7]:9004" }, 'TABPY_PORT "tcp://[fd00::7]:9004"'],
  "another port and protocol": [
    {
      TABPY_PORT: "udp://10.96.14.7:514",
      TABPY_PORT_514_UDP: "udp://10.96.14.7:514",
      TABPY_PORT_514_UDP_ADDR: "10.96.14.7",
      TABPY_PORT_36412_SCTP_PROTO: "sctp",
    },
    'TABPY_PORT "udp://10.96.14.7:514" and 3 more',
  ],
  "a service named tabpy-auth-proxy": [
    {
      TABPY_AUTH_PROXY_SERVICE_PORT: "443",
      TABPY_AUTH_PROXY_PORT: "tcp://10.96.14.9:443",
      TABPY_AUTH_PROXY_PORT_443_TCP_ADDR: "10.96.14.9",
    },
    "TABPY_AUTH_PROXY_SERVICE_PORT and 2 more",
  ],
  "docker run --link": [
    {
      TABPY_NAME: "/flow/tabpy",
      TABPY_PORT: "tcp://172.17.0.2:9004",
      TABPY_PORT_9004_TCP_START: "tcp://172.17.0.2:9004",
      TABPY_PORT_9004_TCP_PORT_END: "9005",
      TABPY_ENV_TABPY_PWD_FILE: "/passwords",
      TABPY_ENV_PATH: "/usr/bin",
    },
    'TABPY_PORT "tcp://172.17.0.2:9004" and 5 more',
  ],
};
for (const [what, [env, line]] of Object.entries(links)) {
  test(`loadSettings() ignores the variables of ${what} with one warning`, () => {
    const { values, warnings } = load("[TabPy]\nTABPY_PORT = 21001\nTABPY_ARROWFLIGHT_PORT = 5\n", env);
    expect([values.get("TABPY_PORT")?.value, values.get("TABPY_ARROWFLIGHT_PORT")?.value]).toEqual([
      21001, 5,
    ]);
    const text = "Ignored variables of service links (Kubernetes, Docker), which are no settings";
    expect(warnings).toEqual([`${text}: ${line}`]);
    expect(portAndOrigin(load(undefined, env))).toEqual([9004, "default"]);
  });
}

test("loadSettings() finds a service link for %(NAME)s", () => {
  const loaded = load("[TabPy]\nTABPY_HOST = %(TABPY_SERVICE_HOST)s\n", kubernetes);
  expect(loaded.values.get("TABPY_HOST")?.value).toBe("10.96.14.7");
});

test("loadSettings() takes for a service link only what has its form", () => {
  for (const value of ["http://10.96.14.7:9004", "10.96.14.7:9004", "x tcp://10.96.14.7:9004", '"9004"'])
    expect(() => load(undefined, { TABPY_PORT: value })).toThrow(
      `Cannot use TABPY_PORT "${value}" (environment)`,
    );
  expect(() => load("[TabPy]\nTABPY_PORT = tcp://10.96.14.7:9004\n")).toThrow("expected an integer");
  expect(() => load(undefined, {}, { TABPY_PORT: "tcp://10.96.14.7:9004" })).toThrow("expected an integer");
  const unknown = {
    TABPY_PORTS: "tcp://1.2.3.4:5",
    TABPY_ENV_X: "1",
    TABPY_NAME: "x",
    TABPY_SERVICE: "x",
    TABPY_PORT_X_TCP: "1",
  };
  expect(load(undefined, unknown).warnings.map((line) => line.split(" (")[0])).toEqual(
    Object.keys(unknown).map((name) => `Unknown setting ${name}`),
  );
});

const paths = settings.filter(({ type }) => type.kind === "path").map(({ name }) => name);

test("loadSettings() replaces ~ in every path of the file and the environment", () => {
  expect(paths.length).toBeGreaterThan(6);
  const text = `[TabPy]\n${paths.map((name) => `${name} = ~/of file`).join("\n")}\n`;
  const given = Object.fromEntries(paths.map((name) => [name, "~/of environment"]));
  const valuesOf = ({ values }: ReturnType<typeof load>) => paths.map((name) => values.get(name)?.value);
  expect(valuesOf(load(text, { HOME: "/home/a" }))).toEqual(paths.map(() => "/home/a/of file"));
  expect(valuesOf(load(text, { HOME: "/home/a", ...given }))).toEqual(
    paths.map(() => "/home/a/of environment"),
  );
});

test("loadSettings() replaces ~ in the path of the config file", () => {
  load("[TabPy]\nTABPY_PORT = 7\n");
  const loaded = loadSettings({ configPath: "~/tabpy.conf", env: { HOME: folder }, commandLine: {} });
  expect(portAndOrigin(loaded)).toEqual([7, "~/tabpy.conf line 2"]);
});

test("expandHome() does as Python's expanduser", () => {
  const texts = [
    "~",
    "~/",
    "~/a/~/b",
    "a/~/b",
    "./~",
    "",
    ".",
    "~root/x",
    "~root",
    "~nobody-1/x",
    "~~/x",
    "/~/x",
    "~ /x",
  ];
  const program =
    "import json, os, sys; print(json.dumps([os.path.expanduser(one) for one in json.loads(sys.argv[1])]))";
  for (const HOME of ["/home/a", "/home/a/", "/", homedir()]) {
    const python = spawnSync("python3", ["-c", program, JSON.stringify(texts)], {
      env: { ...process.env, HOME },
    });
    expect(texts.map((text) => expandHome(text, { HOME }))).toEqual(JSON.parse(python.stdout.toString()));
  }
  expect(expandHome("~/x", {})).toBe(join(homedir(), "x"));
});

test("createConfig() takes a path from the working directory when it doesn't start with /", () => {
  const { statePath, queryObjectPath, passwordFile, logging } = config(
    "[TabPy]\nTABPY_STATE_PATH = .\nTABPY_PWD_FILE = ./passwords\n",
  );
  expect([statePath, queryObjectPath, passwordFile]).toEqual([
    process.cwd(),
    join(process.cwd(), "query_objects"),
    join(process.cwd(), "passwords"),
  ]);
  const log = logging.handlers.flatMap(({ target }) => ("file" in target ? [target.file.path] : []));
  expect(log).toEqual([join(process.cwd(), "tabpy_log.log")]);
});

for (const [text, isOn] of [
  ["true", true],
  ["Yes", true],
  ["on", true],
  ["1", true],
  ["FALSE", false],
  ["no", false],
  ["off", false],
  ["0", false],
] as const) {
  test(`createConfig() reads ${text} as ${isOn}, as Python's getboolean does`, () => {
    expect(config(`[TabPy]\nTABPY_GZIP_ENABLE = ${text}\n`).isGzipEnabled).toBe(isOn);
  });
}

test("createConfig() writes the time limit as Python does, except the default", () => {
  expect(config(undefined).evaluateTimeoutText).toBe("30");
  expect(config("[TabPy]\nTABPY_EVALUATE_TIMEOUT = 3\n").evaluateTimeoutText).toBe("3.0");
  expect(config("[TabPy]\nTABPY_EVALUATE_TIMEOUT = 30\n").evaluateTimeoutText).toBe("30.0");
  expect(config(undefined, { TABPY_EVALUATE_TIMEOUT: "3" }).evaluateTimeoutText).toBe("3.0");
  expect(config("[TabPy]\nTABPY_EVALUATE_TIMEOUT = 2.5\n").evaluateTimeoutText).toBe("2.5");
});

test("createConfig() puts the state into the folder of the service or the user", () => {
  expect(
    config(undefined, { STATE_DIRECTORY: "/var/lib/tabpy:/other", XDG_STATE_HOME: "/x" }).statePath,
  ).toBe("/var/lib/tabpy");
  expect(config(undefined, { XDG_STATE_HOME: "/x" }).statePath).toBe("/x/tabpy");
  expect(config(undefined).statePath).toBe(join(homedir(), ".local/state/tabpy"));
  expect(config("[TabPy]\nTABPY_STATE_PATH = /mine\n").queryObjectPath).toBe("/mine/query_objects");
});

test("createConfig() puts TabPy's log file into the state folder, unless the file has logging sections", () => {
  const paths = (text: string | undefined) =>
    config(text, { XDG_STATE_HOME: "/x" }).logging.loggers.flatMap((logger) =>
      logger.handlers.map(({ target }) => ("file" in target ? target.file.path : target.kind)),
    );
  expect(paths(undefined)).toEqual(["stream", "/x/tabpy/tabpy_log.log"]);
  const sections = "[loggers]\nkeys=root\n[handlers]\nkeys=\n[formatters]\nkeys=\n[logger_root]\nhandlers=\n";
  expect(paths(sections)).toEqual([]);
});

test("createConfig() keeps a passphrase unchanged, and never shows it", () => {
  const https = "[TabPy]\nTABPY_TRANSFER_PROTOCOL = https\n";
  const loaded = config(https, { TABPY_KEY_PASSPHRASE: " geheim " });
  expect(loaded.tls?.keyPassphrase).toBe(" geheim ");
  expect(JSON.stringify(loaded.effective)).not.toContain("geheim");
  const row = loaded.effective.find(({ setting }) => setting.name === "TABPY_KEY_PASSPHRASE");
  expect(row?.value).toBe("(hidden)");
  expect(config(https).tls?.keyPassphrase).toBeUndefined();
});

const urls: [host: string, prefix: string, url: string][] = [
  ["0.0.0.0", "", "http://localhost:9004"],
  ["::", "/sub", "http://localhost:9004/sub"],
  ["", "", "http://localhost:9004"],
  ["127.0.0.1", "", "http://127.0.0.1:9004"],
  ["::1", "", "http://[::1]:9004"],
];
for (const [host, prefix, url] of urls) {
  test(`serverUrl() of host "${host}" and prefix "${prefix}" is ${url}`, () => {
    expect(serverUrl({ ...config(undefined), host }, prefix)).toBe(url);
  });
}

test("serverUrl() has the protocol and the port of the configuration", () => {
  const https = config(undefined, { TABPY_TRANSFER_PROTOCOL: "https", TABPY_PORT: "9443" });
  expect(serverUrl(https, "/sub")).toBe("https://localhost:9443/sub");
});

const known = ["TABPY_PORT", "TABPY_PYTHON", "TABPY_WORKERS"];
const misspelt: [given: string, nearest: string | undefined, why: string][] = [
  ["TABPY_PYHTON", "TABPY_PYTHON", "two letters changed places"],
  ["TABPY_PORTS", "TABPY_PORT", "a letter too many"],
  ["TABPY_WRKERS", "TABPY_WORKERS", "a letter too few"],
  ["tabpy_port", "TABPY_PORT", "case doesn't count"],
  ["TABPYPORT", "TABPY_PORT", "no underscore"],
  ["SOMETHING_ELSE", undefined, "further than a third of its length"],
  ["PORT", undefined, "six letters are missing"],
  ["", undefined, "nothing is near to no name"],
];
for (const [given, nearest, why] of misspelt) {
  test(`nearestName() of "${given}" is ${nearest}: ${why}`, () => {
    expect(nearestName(given, known)).toBe(nearest);
  });
}

test("nearestName() returns the first of two equally near names", () => {
  expect(nearestName("TABPY_A", ["TABPY_B", "TABPY_C"])).toBe("TABPY_B");
});

test("nearestName() of no known names is undefined", () => {
  expect(nearestName("TABPY_PORT", [])).toBeUndefined();
});

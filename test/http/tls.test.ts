import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TlsConfig } from "../../src/config/config.ts";
import { TabPyError } from "../../src/errors.ts";
import { expiryWatch, loadTls } from "../../src/http/tls.ts";
import { createLogger } from "../support/logger.ts";
import { createAuthority, openssl } from "../support/certificates.ts";
import { until } from "../support/until.ts";

const authority = createAuthority();
afterAll(() => authority[Symbol.dispose]());
const sound = authority.make("sound");
const other = authority.make("other");
const passphrase = " geheim % 123 ";

function load(config: Partial<TlsConfig>) {
  const lines: string[] = [];
  const log = createLogger((line) => lines.push(line.replace(/^.*?: /, "")), "INFO", "tls.ts");
  const keyPassphrase = undefined;
  return {
    lines,
    tls: loadTls({ ...sound, keyPassphrase, minimumVersion: "TLSv1_2", ...config }, log),
  };
}

async function faultOf(config: Partial<TlsConfig>): Promise<string> {
  const error = await load(config).tls.then(
    () => undefined,
    (thrown) => thrown,
  );
  if (!(error instanceof TabPyError) || error.code !== "config") throw new Error(`no fault, but ${error}`);
  return error.message;
}

describe("loadTls()", () => {
  test("accepts a certificate with its chain, without a warning", async () => {
    const { tls, lines } = load(authority.make("chained", { isChained: true }));
    expect((await tls).certificate.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(lines).toEqual(["Setting minimum TLS version to TLSv1_2"]);
  });

  test("opens a key with its passphrase", async () => {
    const files = authority.make("locked", { passphrase });
    expect(readFileSync(files.keyFile, "utf8")).toContain("ENCRYPTED");
    const { key } = await load({ ...files, keyPassphrase: passphrase }).tls;
    expect(key).toStartWith("-----BEGIN PRIVATE KEY-----");
  });

  const absent = join(authority.folder, "absent");
  const texts: Record<string, [config: Partial<TlsConfig>, message: string]> = {
    "nothing set": [
      { certificateFile: undefined, keyFile: undefined },
      "The parameter(s) TABPY_CERTIFICATE_FILE and TABPY_KEY_FILE must be set.",
    ],
    "no certificate set": [
      { certificateFile: undefined },
      "The parameter(s) TABPY_CERTIFICATE_FILE must be set.",
    ],
    "no key set": [{ keyFile: undefined }, "The parameter(s) TABPY_KEY_FILE must be set."],
    "no file there": [
      { certificateFile: absent, keyFile: absent },
      "The parameter(s) TABPY_CERTIFICATE_FILE and TABPY_KEY_FILE must point to an existing file.",
    ],
    "no certificate there": [
      { certificateFile: absent },
      "The parameter(s) TABPY_CERTIFICATE_FILE must point to an existing file.",
    ],
    "no key there": [{ keyFile: absent }, "The parameter(s) TABPY_KEY_FILE must point to an existing file."],
    "a folder for a certificate": [
      { certificateFile: authority.folder },
      `TABPY_CERTIFICATE_FILE "${authority.folder}" can't be read: EISDIR`,
    ],
    "a key for a certificate": [
      { certificateFile: sound.keyFile },
      `TABPY_CERTIFICATE_FILE "${sound.keyFile}" contains no PEM certificate`,
    ],
    "a certificate for a key": [
      { keyFile: sound.certificateFile },
      `TABPY_KEY_FILE "${sound.certificateFile}" contains no PEM private key: `,
    ],
    "a key of another certificate": [
      { keyFile: other.keyFile },
      `The key in TABPY_KEY_FILE "${other.keyFile}" is not that of the certificate in TABPY_CERTIFICATE_FILE "${sound.certificateFile}".`,
    ],
  };
  for (const [what, [config, message]] of Object.entries(texts)) {
    test(`reports what is expected for ${what}`, async () =>
      expect(await faultOf(config)).toStartWith(`Error using HTTPS: ${message}`));
  }

  test("reports when a certificate has expired, or is not valid yet", async () => {
    expect(await faultOf(authority.make("old", { startsInDays: -20, endsInDays: -1 }))).toMatch(
      /^Error using HTTPS: The certificate provided expired on \w{3} +\d+ [\d:]+ \d{4} GMT\.$/,
    );
    expect(await faultOf(authority.make("new", { startsInDays: 2 }))).toMatch(
      /^Error using HTTPS: The certificate provided is not valid until \w{3} +\d+ [\d:]+ \d{4} GMT\.$/,
    );
  });

  test("names the certificate of a chain that can't be read", async () => {
    const certificateFile = join(authority.folder, "broken.crt");
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    writeFileSync(certificateFile, readFileSync(sound.certificateFile, "utf8") + broken);
    expect(await faultOf({ certificateFile })).toStartWith(
      `Error using HTTPS: TABPY_CERTIFICATE_FILE "${certificateFile}": certificate 3 of it can't be read: `,
    );
  });

  test("asks for a passphrase, refuses a wrong one, and shows none", async () => {
    const files = authority.make("shut", { passphrase });
    expect(await faultOf(files)).toBe(
      `Error using HTTPS: TABPY_KEY_FILE "${files.keyFile}" is encrypted: expected its passphrase in TABPY_KEY_PASSPHRASE.`,
    );
    const wrong = await faultOf({ ...files, keyPassphrase: "gehe1m" });
    expect(wrong).toStartWith(
      `Error using HTTPS: TABPY_KEY_FILE "${files.keyFile}" can't be opened with the passphrase in TABPY_KEY_PASSPHRASE: `,
    );
    expect(wrong).not.toContain("gehe1m");
  });

  test("warns about a key that is too short", async () => {
    const keyFile = join(authority.folder, "weak.key");
    const certificateFile = join(authority.folder, "weak.crt");
    const names = ["-subj", "/CN=x", "-addext", "subjectAltName=DNS:localhost"];
    openssl(
      "req",
      "-x509",
      "-newkey",
      "rsa:1024",
      "-nodes",
      "-keyout",
      keyFile,
      "-out",
      certificateFile,
      "-days",
      "90",
      ...names,
    );
    const { tls, lines } = load({ keyFile, certificateFile });
    await tls;
    expect(lines).toContain(
      `TABPY_KEY_FILE "${keyFile}" is an RSA key of 1024 bits: clients refuse it; expected 2048 or more`,
    );
  });

  const warnings: Record<
    string,
    [name: string, options: Parameters<typeof authority.make>[1], text: string]
  > = {
    "a certificate that expires soon": ["soon", { endsInDays: 29.5 }, "expires on .*, in 29 days: renew it"],
    "a certificate without subjectAltName": [
      "nameless",
      { names: "" },
      "has no subjectAltName: clients refuse it",
    ],
    "a leaf without its chain": ["alone", { isChained: true, isAlone: true }, "is the only one: clients"],
  };
  for (const [what, [name, options, text]] of Object.entries(warnings)) {
    test(`warns about ${what}, and accepts it`, async () => {
      const { tls, lines } = load(authority.make(name, options));
      await tls;
      expect(lines.filter((line) => !line.startsWith("Setting"))).toEqual([
        expect.stringMatching(new RegExp(`^The certificate in TABPY_CERTIFICATE_FILE ".*" ${text}`)),
      ]);
    });
  }

  test("warns about a chain in the wrong order", async () => {
    const first = readFileSync(
      authority.make("leaf", { isChained: true, isAlone: true }).certificateFile,
      "utf8",
    );
    const certificateFile = join(authority.folder, "disorder.crt");
    writeFileSync(certificateFile, first + readFileSync(authority.caFile, "utf8"));
    const { tls, lines } = load({ certificateFile, keyFile: join(authority.folder, "leaf.key") });
    await tls;
    expect(lines).toContainEqual(expect.stringContaining("is not followed by its issuer's"));
  });

  test("warns about a key that others can read", async () => {
    const files = authority.make("open");
    chmodSync(files.keyFile, 0o644);
    const { tls, lines } = load(files);
    await tls;
    expect(lines).toContain(
      `TABPY_KEY_FILE "${files.keyFile}" can be read or written by everyone on this machine: expected mode 600`,
    );
  });

  test("logs which version it accepts at least, and which it doesn't know", async () => {
    const known = load({ minimumVersion: "TLSv1_3" });
    expect((await known.tls).minimumVersion).toBe("TLSv1.3");
    expect(known.lines).toEqual(["Setting minimum TLS version to TLSv1_3"]);
    const unknown = load({ minimumVersion: "TLSv9" });
    expect((await unknown.tls).minimumVersion).toBe("TLSv1.2");
    expect(unknown.lines).toEqual([
      "Unrecognized value for TABPY_MINIMUM_TLS_VERSION: TLSv9",
      "Setting minimum TLS version to TLSv1_2",
    ]);
  });
});

test("expiryWatch() warns repeatedly while the certificate expires soon", async () => {
  const lines: string[] = [];
  const log = createLogger((line) => lines.push(line), "INFO", "tls.ts");
  const config = {
    ...authority.make("ending", { endsInDays: 3.5 }),
    keyPassphrase: undefined,
    minimumVersion: "",
  };
  const watch = expiryWatch(config, log, 10);
  await watch.start();
  await until("two warnings", () => lines.length >= 2);
  await watch.stop();
  for (const line of lines) expect(line).toMatch(/\[WARNING\].* expires on .*, in 3 days: renew it/);
});

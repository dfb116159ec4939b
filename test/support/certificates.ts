// Certificates for tests, made by the openssl command: a private authority and the certificates that it signs.

import { readFileSync, writeFileSync } from "node:fs";
import { temporaryFolder } from "./temporary-folder.ts";

export interface CertificateOptions {
  /** The subjectAltName, `undefined` for that of this machine, "" for none. */
  readonly names?: string;
  readonly startsInDays?: number;
  readonly endsInDays?: number;
  /** Sign it with the intermediate authority, whose certificate follows it unless `isAlone`. */
  readonly isChained?: boolean;
  readonly isAlone?: boolean;
  readonly passphrase?: string;
  readonly commonName?: string;
}

export interface Certificate {
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface Authority extends Disposable {
  /** The folder of all files. */
  readonly folder: string;
  /** The certificate that clients must trust. */
  readonly caFile: string;
  make(name: string, options?: CertificateOptions): Certificate;
}

const dayMs = 24 * 60 * 60 * 1000;
const ownNames = "DNS:localhost,IP:127.0.0.1";

/** An authority with an intermediate one; all files are removed when it is disposed of. */
export function createAuthority(): Authority {
  const temporary = temporaryFolder();
  const folder = temporary.path;
  const path = temporary.file;
  writeFileSync(
    path("ca.conf"),
    `[ca]
default_ca = own
[own]
dir = ${folder}
database = ${path("index.txt")}
new_certs_dir = ${folder}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
`,
  );
  writeFileSync(path("index.txt"), "");
  openssl(
    "req",
    "-x509",
    ...newKey(path("root.key")),
    "-nodes",
    "-out",
    path("root.crt"),
    "-days",
    "3650",
    "-subj",
    "/CN=Test root",
  );
  const sign = (issuer: string, name: string, extensions: string, start: number, end: number) => {
    writeFileSync(path(`${name}.ext`), extensions);
    openssl(
      ...[
        "ca",
        "-batch",
        "-notext",
        "-config",
        path("ca.conf"),
        "-in",
        path(`${name}.csr`),
        "-out",
        path(`${name}.crt`),
      ],
      ...["-keyfile", path(`${issuer}.key`), "-cert", path(`${issuer}.crt`), "-extfile", path(`${name}.ext`)],
      ...["-startdate", dateText(start), "-enddate", dateText(end)],
    );
  };
  openssl(
    "req",
    ...newKey(path("middle.key")),
    "-nodes",
    "-out",
    path("middle.csr"),
    "-subj",
    "/CN=Test intermediate",
  );
  sign("root", "middle", "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n", -1, 3650);
  return {
    folder,
    caFile: path("root.crt"),
    make(name, options = {}) {
      const {
        names = ownNames,
        startsInDays = -1,
        endsInDays = 90,
        passphrase,
        commonName = "localhost",
      } = options;
      const secrecy = passphrase === undefined ? ["-nodes"] : ["-passout", `pass:${passphrase}`];
      openssl(
        "req",
        ...newKey(path(`${name}.key`)),
        ...secrecy,
        "-out",
        path(`${name}.csr`),
        "-subj",
        `/CN=${commonName}`,
      );
      const extensions = `basicConstraints=CA:FALSE\n${names === "" ? "" : `subjectAltName=${names}\n`}`;
      const isChained = options.isChained === true;
      sign(isChained ? "middle" : "root", name, extensions, startsInDays, endsInDays);
      const behind =
        options.isAlone === true ? "" : readFileSync(path(isChained ? "middle.crt" : "root.crt"), "utf8");
      writeFileSync(path(`${name}.crt`), readFileSync(path(`${name}.crt`), "utf8") + behind);
      return { certificateFile: path(`${name}.crt`), keyFile: path(`${name}.key`) };
    },
    [Symbol.dispose]: () => temporary[Symbol.dispose](),
  };
}

/** Run the openssl command and return its output; throws its error output when it fails. */
export function openssl(...args: string[]): string {
  const ran = Bun.spawnSync(["openssl", ...args], { stdin: "ignore" });
  if (ran.exitCode !== 0) throw new Error(`openssl ${args[0]} failed: ${ran.stderr}`);
  return ran.stdout.toString();
}

function newKey(file: string): string[] {
  return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", file];
}

function dateText(inDays: number): string {
  return new Date(Date.now() + inDays * dayMs).toISOString().replace(/[-:T]|\.\d+/g, "");
}

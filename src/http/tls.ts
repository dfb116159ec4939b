// Reads the certificate and key for HTTPS and checks them before they are used, at start-up and after a change, with
// TabPy's error messages. tls-listener.ts serves the connections.

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import type { TlsConfig } from "../config/config.ts";
import { errnoOf, errorText, TabPyError } from "../errors.ts";
import { isOpenToOthers } from "../files.ts";
import type { Service } from "../lifecycle.ts";
import type { Logger } from "../logging/logger.ts";
import { createContext, type TlsOptions } from "./tls-listener.ts";

const names = "TABPY_CERTIFICATE_FILE and TABPY_KEY_FILE";
const versions: Readonly<Record<string, TlsOptions["minimumVersion"]>> = {
  TLSv1: "TLSv1",
  TLSv1_1: "TLSv1.1",
  TLSv1_2: "TLSv1.2",
  TLSv1_3: "TLSv1.3",
};
const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const dayMs = 24 * 60 * 60 * 1000;
/** The log warns about a certificate that expires sooner. */
const warnDays = 30;
const minRsaBits = 2048;

/** Read certificate and key. Throws TabPyError `config` with TabPy's texts; warns about what clients may refuse. */
export async function loadTls(config: TlsConfig, log: Logger): Promise<TlsOptions> {
  const certificateText = await readPem(config.certificateFile, "TABPY_CERTIFICATE_FILE", config);
  const keyText = await readPem(config.keyFile, "TABPY_KEY_FILE", config);
  const chain = parseChain(certificateText, config);
  const [leaf] = chain;
  checkDates(leaf);
  const key = parseKey(keyText, config);
  if (!leaf.checkPrivateKey(key)) {
    throw httpsError(
      `The key in TABPY_KEY_FILE "${config.keyFile}" is not that of the certificate in TABPY_CERTIFICATE_FILE "${config.certificateFile}".`,
    );
  }
  const tls: TlsOptions = {
    certificate: chain.map((one) => one.toString()).join("\n"),
    key: String(key.export({ type: "pkcs8", format: "pem" })),
    minimumVersion: minimumVersion(config.minimumVersion, log),
  };
  try {
    createContext(tls);
  } catch (error) {
    throw httpsError(`The certificate and the key can't be used: ${errorText(error)}`);
  }
  for (const warning of await findProblems(chain, key, config)) log.warning(warning);
  return tls;
}

async function readPem(path: string | undefined, name: string, config: TlsConfig): Promise<string> {
  if (path === undefined) {
    const missing = config.certificateFile === undefined && config.keyFile === undefined ? names : name;
    throw httpsError(`The parameter(s) ${missing} must be set.`);
  }
  if (await isAbsent(path)) {
    const others = [config.certificateFile, config.keyFile].filter((file) => file !== undefined);
    const areAbsent = others.length === 2 && (await Promise.all(others.map(isAbsent))).every(Boolean);
    throw httpsError(`The parameter(s) ${areAbsent ? names : name} must point to an existing file.`);
  }
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw httpsError(`${name} "${path}" can't be read: ${errorText(error)}`);
  }
}

function isAbsent(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    (error) => errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR",
  );
}

/** The certificates of the file, the server's own first. */
function parseChain(text: string, config: TlsConfig): [X509Certificate, ...X509Certificate[]] {
  const [first, ...others] = text.match(certificateBlock) ?? [];
  const parse = (pem: string, at: number) => {
    try {
      return new X509Certificate(pem);
    } catch (error) {
      throw httpsError(
        `TABPY_CERTIFICATE_FILE "${config.certificateFile}": certificate ${at} of it can't be read: ${errorText(error)}`,
      );
    }
  };
  if (first === undefined) {
    throw httpsError(
      `TABPY_CERTIFICATE_FILE "${config.certificateFile}" contains no PEM certificate: expected -----BEGIN CERTIFICATE-----`,
    );
  }
  return [parse(first, 1), ...others.map((pem, at) => parse(pem, at + 2))];
}

function checkDates(certificate: X509Certificate): void {
  const now = Date.now();
  if (Date.parse(certificate.validTo) < now)
    throw httpsError(`The certificate provided expired on ${certificate.validTo}.`);
  if (Date.parse(certificate.validFrom) > now) {
    throw httpsError(`The certificate provided is not valid until ${certificate.validFrom}.`);
  }
}

function parseKey(text: string, { keyFile, keyPassphrase }: TlsConfig): KeyObject {
  const isEncrypted = /ENCRYPTED/.test(text);
  if (isEncrypted && keyPassphrase === undefined) {
    throw httpsError(
      `TABPY_KEY_FILE "${keyFile}" is encrypted: expected its passphrase in TABPY_KEY_PASSPHRASE.`,
    );
  }
  try {
    return createPrivateKey({ key: text, ...(isEncrypted ? { passphrase: keyPassphrase ?? "" } : {}) });
  } catch (error) {
    if (isEncrypted) {
      throw httpsError(
        `TABPY_KEY_FILE "${keyFile}" can't be opened with the passphrase in TABPY_KEY_PASSPHRASE: ${errorText(error)}`,
      );
    }
    throw httpsError(`TABPY_KEY_FILE "${keyFile}" contains no PEM private key: ${errorText(error)}`);
  }
}

/** Problems that don't stop the server, but that clients refuse or will refuse soon. */
async function findProblems(
  [leaf, ...others]: [X509Certificate, ...X509Certificate[]],
  key: KeyObject,
  { certificateFile, keyFile = "" }: TlsConfig,
): Promise<string[]> {
  const file = `TABPY_CERTIFICATE_FILE "${certificateFile}"`;
  const problems = findExpiry(leaf, file);
  if (leaf.subjectAltName === undefined) {
    problems.push(
      `The certificate in ${file} has no subjectAltName: clients refuse it; expected the names and addresses that they connect to`,
    );
  }
  const isSelfSigned = leaf.checkIssued(leaf);
  const [issuer] = others;
  if (!isSelfSigned && (issuer === undefined || !leaf.checkIssued(issuer))) {
    const found = issuer === undefined ? "is the only one" : "is not followed by its issuer's";
    problems.push(
      `The certificate in ${file} ${found}: clients that don't know its issuer refuse it; expected the rest of its chain after it, issuer after issuer`,
    );
  }
  const bits = key.asymmetricKeyType === "rsa" ? key.asymmetricKeyDetails?.modulusLength : undefined;
  if (bits !== undefined && bits < minRsaBits) {
    problems.push(
      `TABPY_KEY_FILE "${keyFile}" is an RSA key of ${bits} bits: clients refuse it; expected ${minRsaBits} or more`,
    );
  }
  if (await isOpenToOthers(keyFile)) {
    problems.push(
      `TABPY_KEY_FILE "${keyFile}" can be read or written by everyone on this machine: expected mode 600`,
    );
  }
  return problems;
}

function findExpiry({ validTo }: X509Certificate, file: string): string[] {
  const days = (Date.parse(validTo) - Date.now()) / dayMs;
  if (days >= warnDays) return [];
  const when = days < 0 ? `expired on ${validTo}` : `expires on ${validTo}, in ${Math.floor(days)} days`;
  return [`The certificate in ${file} ${when}: renew it; the server loads the new one without a restart`];
}

/** Logs a warning each day when the certificate expires soon: a server may run for longer than that. */
export function expiryWatch(config: TlsConfig, log: Logger, everyMs = dayMs): Service {
  let timer: NodeJS.Timeout | undefined;
  const check = async () => {
    try {
      const text = await readPem(config.certificateFile, "TABPY_CERTIFICATE_FILE", config);
      const [leaf] = parseChain(text, config);
      const file = `TABPY_CERTIFICATE_FILE "${config.certificateFile}"`;
      for (const warning of findExpiry(leaf, file)) log.warning(warning);
    } catch (error) {
      log.warning(errorText(error));
    }
  };
  return {
    name: "certificate watch",
    start: async () => {
      timer = setInterval(() => void check(), everyMs);
    },
    stop: async () => clearInterval(timer),
  };
}

function minimumVersion(setting: string, log: Logger): TlsOptions["minimumVersion"] {
  const known = versions[setting];
  if (known === undefined) log.warning(`Unrecognized value for TABPY_MINIMUM_TLS_VERSION: ${setting}`);
  log.info(`Setting minimum TLS version to ${known === undefined ? "TLSv1_2" : setting}`);
  return known ?? "TLSv1.2";
}

function httpsError(text: string): TabPyError {
  return new TabPyError("config", `Error using HTTPS: ${text}`);
}

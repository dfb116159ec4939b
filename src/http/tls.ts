// Certificate and key for HTTPS, checked before the server listens, with TabPy's words for what is wrong.

import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { TlsConfig } from "../config/config.ts";
import { errorText, TabPyError } from "../errors.ts";
import type { Logger } from "../logging/logger.ts";
import type { TlsOptions } from "./server.ts";

const names = "TABPY_CERTIFICATE_FILE and TABPY_KEY_FILE";
const versions: Readonly<Record<string, TlsOptions["minimumVersion"]>> = {
  TLSv1: "TLSv1",
  TLSv1_1: "TLSv1.1",
  TLSv1_2: "TLSv1.2",
  TLSv1_3: "TLSv1.3",
};

/** Read what HTTPS needs. Throws TabPyError `config` with the contract's texts. */
export function loadTls(config: TlsConfig, log: Logger): TlsOptions {
  const certificate = readPem(config.certificateFile, "TABPY_CERTIFICATE_FILE", config);
  const key = readPem(config.keyFile, "TABPY_KEY_FILE", config);
  checkDates(certificate);
  return { certificate, key, minimumVersion: minimumVersion(config.minimumVersion, log) };
}

function readPem(path: string | undefined, name: string, config: TlsConfig): string {
  if (path === undefined) {
    const missing = config.certificateFile === undefined && config.keyFile === undefined ? names : name;
    throw httpsError(`The parameter(s) ${missing} must be set.`);
  }
  if (!existsSync(path)) {
    const absent = [config.certificateFile, config.keyFile].every(
      (file) => file !== undefined && !existsSync(file),
    );
    throw httpsError(`The parameter(s) ${absent ? names : name} must point to an existing file.`);
  }
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw httpsError(`${name} "${path}" can't be read: ${errorText(error)}`);
  }
}

function checkDates(pem: string): void {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch (error) {
    throw httpsError(`TABPY_CERTIFICATE_FILE holds no PEM certificate: ${errorText(error)}`);
  }
  const now = Date.now();
  if (Date.parse(certificate.validTo) < now)
    throw httpsError(`The certificate provided expired on ${certificate.validTo}.`);
  if (Date.parse(certificate.validFrom) > now) {
    throw httpsError(`The certificate provided is not valid until ${certificate.validFrom}.`);
  }
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

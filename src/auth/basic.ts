// Basic authentication (RFC 7617): from an Authorization header to a name and a password, which authenticate.ts
// verifies.

export interface Credentials {
  readonly name: string;
  readonly password: string;
}

/** Longer headers are refused. */
export const maxHeaderChars = 4096;

const basicHeader = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i;

/** The name and password of a header; undefined when it has another scheme or is malformed. */
export function parseBasicHeader(header: string | undefined): Credentials | undefined {
  if (header === undefined || header.length > maxHeaderChars) return undefined;
  const encoded = basicHeader.exec(header)?.[1];
  if (encoded === undefined || encoded.length % 4 === 1) return undefined;
  const pair = Buffer.from(encoded, "base64").toString("utf8");
  if (pair.includes("\0")) return undefined; // to bcrypt it ends the password
  const colon = pair.indexOf(":");
  return colon === -1 ? undefined : { name: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

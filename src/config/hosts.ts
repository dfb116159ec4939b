// Names and addresses of hosts: which ones are loopback, and the list of TABPY_ALLOWED_HOSTS.

const loopbackName = /^(?:.+\.)?localhost$/; // RFC 6761: names below it are loopback too
const loopbackAddress = /^(?:127\.[\d.]+|::1|0:0:0:0:0:0:0:1)$/;
const hostName = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;
const ipv6Address = /^[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*$/;

/** Whether a client that asks for this host, as `normalHost` writes it, asks its own machine. */
export function isLoopback(host: string): boolean {
  return loopbackAddress.test(host) || loopbackName.test(host);
}

/** Whether a server that listens on this host can be reached from its own machine only. */
export function isLoopbackOnly(host: string): boolean {
  const name = normalHost(host);
  return name === "localhost" || loopbackAddress.test(name);
}

/** A name or an address as it is compared: in lower case, without the brackets of IPv6 and the dot of a full name. */
export function normalHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "");
}

/** The names in a list that is separated by commas; undefined when one of them is no name or has a port. */
export function parseHosts(list: string): ReadonlySet<string> | undefined {
  const hosts = list
    .split(",")
    .map((part) => normalHost(part.trim()))
    .filter((part) => part !== "");
  return hosts.every((host) => hostName.test(host) || ipv6Address.test(host)) ? new Set(hosts) : undefined;
}

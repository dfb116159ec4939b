// Service links: the environment variables by which Kubernetes and Docker tell a container where the services of its
// network are. A service named "tabpy" gives TABPY_PORT=tcp://10.96.14.7:9004, which is no setting of this server.
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables

type Env = Readonly<Record<string, string | undefined>>;

const url = /^(?:tcp|udp|sctp):\/\//i;
const service = "^TABPY(?:_[A-Z0-9_]+?)??";
/** `TABPY_PORT` and `TABPY_ARROWFLIGHT_PORT` are settings too: the value decides. */
const port = new RegExp(`${service}_PORT$`);
const ofOnePort = new RegExp(
  `${service}_PORT_\\d+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PROTO|PORT|START|END|PORT_START|PORT_END))?$`,
);
const ofService = new RegExp(`${service}_SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)$`);
/** Docker's --link also passes the name of the other container and all of its variables. */
const containerName = new RegExp(`${service}_NAME$`);
const containerPath = /^\/[^/]+\/[^/]+$/;

/** The names of the variables that service links have set, those of settings first. */
export function serviceLinks(env: Env, settings: readonly string[]): string[] {
  const given = Object.entries(env).flatMap(([name, value]) =>
    value === undefined ? [] : [{ name, value }],
  );
  const containers = given
    .filter(({ name, value }) => containerName.test(name) && containerPath.test(value))
    .map(({ name }) => name.replace(/_NAME$/, ""));
  const links = given
    .filter(
      ({ name, value }) =>
        (port.test(name) && url.test(value)) ||
        ofOnePort.test(name) ||
        ofService.test(name) ||
        containers.some((one) => name === `${one}_NAME` || name.startsWith(`${one}_ENV_`)),
    )
    .map(({ name }) => name);
  return [
    ...links.filter((name) => settings.includes(name)),
    ...links.filter((name) => !settings.includes(name)),
  ];
}

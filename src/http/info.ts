// What this server is and how it is configured: the body of GET /info, and the data of the page at /.

import { type Config, serverUrl } from "../config/config.ts";
import { originText } from "../config/load.ts";
import { defaultText } from "../config/settings.ts";
import type { EndpointBody } from "../registry/endpoint.ts";
import type { ServiceInfo } from "../registry/service-info.ts";
import type { PageData } from "../web/page.ts";

/** The TabPy whose protocol this server speaks; clients compare it. */
const protocolVersion = "2.13.0";

/** The body of GET /info. */
export function infoBody(config: Config, service: ServiceInfo): unknown {
  const authentication = { required: true, methods: { "basic-auth": {} } };
  return {
    description: service.description,
    creation_time: service.creationTime,
    state_path: config.statePath,
    server_version: protocolVersion,
    name: service.name,
    versions: {
      v1: {
        features: {
          ...(config.passwordFile === undefined ? {} : { authentication }),
          evaluate_enabled: config.isEvaluateEnabled,
          gzip_enabled: config.isGzipEnabled,
          arrow_enabled: false,
        },
      },
    },
  };
}

/** The data of the page. `version` is this program's own. */
export function pageData(
  config: Config,
  service: ServiceInfo,
  version: string,
  endpoints: Readonly<Record<string, EndpointBody>>,
): PageData {
  return {
    info: {
      name: service.name,
      description: service.description,
      creationTime: service.creationTime,
      statePath: config.statePath,
      serverVersion: protocolVersion,
      version,
      features: {
        evaluate: config.isEvaluateEnabled,
        gzip: config.isGzipEnabled,
        arrow: false,
        authentication: config.passwordFile !== undefined,
      },
    },
    settings: config.effective.map(({ setting, value, origin }) => ({
      name: setting.name,
      value: value === undefined ? defaultText(setting) : String(value),
      origin: originText(origin),
    })),
    endpoints: Object.entries(endpoints).map(([name, endpoint]) => ({ name, ...endpoint })),
    prefix: service.prefix,
    url: serverUrl({ ...config, host: "localhost" }, service.prefix),
  };
}

// Aliases: names that stand for other endpoints, in chains that must come to an end.

import type { Endpoint } from "./endpoint.ts";
import { type EndpointRequest, refusedChange } from "./endpoint-request.ts";
import type { Endpoints } from "./state.ts";

/** What `name` stands for in the end; undefined when that isn't there, `circle` when the chain has no end. */
export function followAliases(name: string, endpoints: Endpoints): Endpoint | "circle" | undefined {
  let endpoint = endpoints.get(name);
  for (let steps = 0; endpoint?.type === "alias"; steps++) {
    if (steps > endpoints.size) return "circle";
    endpoint = endpoints.get(endpoint.target ?? "");
  }
  return endpoint;
}

/**
 * The endpoint with what an alias must have: a target that is there and doesn't lead back. A model stays as it is.
 *
 * @throws TabPyError `bad-request`.
 */
export function withTarget(endpoint: Endpoint, request: EndpointRequest, endpoints: Endpoints): Endpoint {
  if (endpoint.type !== "alias") return endpoint;
  const target = request.target ?? request.dependencies?.[0] ?? endpoint.target;
  if (target === null) throw refusedChange("target must be the name of an endpoint.");
  const alias = { ...endpoint, target, dependencies: [target] };
  const found = followAliases(alias.name, new Map(endpoints).set(alias.name, alias));
  if (found === "circle") throw refusedChange(`target ${target} leads back to ${alias.name}.`);
  if (found === undefined) throw refusedChange(`target endpoint ${target} does not exist.`);
  return alias;
}

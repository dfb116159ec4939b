// How many connections each address may have.

import { expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { AddressShare } from "../../src/http/address-share.ts";

/** As much of a socket as is used. */
function socketFrom(remoteAddress: string): Socket {
  return Object.assign(new EventEmitter(), { remoteAddress }) as unknown as Socket;
}

/** Takes until the share is used up. */
function takeAll(share: AddressShare, address: string): Socket[] {
  const sockets: Socket[] = [];
  for (let socket = socketFrom(address); share.take(socket); socket = socketFrom(address)) {
    sockets.push(socket);
    if (sockets.length > 1000) throw new Error("no end");
  }
  return sockets;
}

test("each address leaves a tenth of what was free, and every one gets a connection", () => {
  const share = new AddressShare(1000);
  const counts = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((address) => takeAll(share, address).length);
  expect(counts).toEqual([900, 90, 9]);
  expect(takeAll(share, "10.0.0.4")).toHaveLength(1);
});

test("a closed connection is given back, and a /64 network of IPv6 is one address", () => {
  const share = new AddressShare(100);
  const sockets = takeAll(share, "2001:db8::1");
  expect(share.take(socketFrom("2001:db8::2"))).toBe(false);
  sockets[0]?.emit("close");
  expect(share.take(socketFrom("2001:db8::2"))).toBe(true);
});

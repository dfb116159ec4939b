// How long the server takes to start, and how much memory it and its workers use when nothing is called.

import type { Bench } from "./bench.ts";
import { evaluate } from "./calls.ts";
import { median, socketLoad } from "./load.ts";
import { familyOf, residentMb, type Server } from "./processes.ts";
import { atMost, below } from "./table.ts";

export async function measureStarts(bench: Bench): Promise<void> {
  const listening: number[] = [];
  const answered: number[] = [];
  const first = evaluate({ _arg1: [1] }, "return _arg1", "[1]");
  for (let at = 0; at < 5; at++) {
    const began = performance.now();
    const server = await bench.start();
    await socketLoad(server.port, first, 1, { calls: 1 });
    answered.push(performance.now() - began);
    listening.push(server.listeningMs);
    if (at === 4) await measureIdle(bench, server);
    await server.stop();
  }
  const ready = median(listening);
  const answer = median(answered);
  bench.found.figures.push(
    { what: "exec to listening", value: ready, unit: "ms", target: atMost(ready, 100, "<= 100 ms") },
    {
      what: "exec to first answer",
      value: answer,
      unit: "ms",
      target: atMost(answer, 250, "<= 250 ms"),
      tabpy: "1500 ms",
    },
  );
}

async function measureIdle({ found }: Bench, server: Server): Promise<void> {
  await Bun.sleep(1000);
  const resident = residentMb(server.pid);
  const { reapers, workers } = familyOf(server.pid);
  if (workers.length === 0) throw new Error("the server has no workers");
  found.figures.push({
    what: "server, resident, idle",
    value: resident,
    unit: "MB",
    target: below(resident, 80, "< 80 MB"),
    tabpy: "137 MB",
  });
  workers.map(residentMb).forEach((value, at) => {
    const target = below(value, 20, "< 20 MB");
    found.figures.push({ what: `worker ${at + 1}, resident, idle`, value, unit: "MB", target });
  });
  reapers.map(residentMb).forEach((value, at) => {
    const note = "partly shared with its worker";
    found.figures.push({ what: `reaper ${at + 1}, resident, idle`, value, unit: "MB", note });
  });
}

// What scripts and clients can do to the server: endless loops, crashes, forks, floods of output, slow connections.
// Each may make its own call fail, and no other one.

import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Socket } from "node:net";
import { sendRaw } from "../support/network.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { startTraffic } from "./traffic.ts";
import { testOfAll } from "../support/all.ts";

/** With short time limits, for calls that a limit must end. */
let server: TestServer;
/** With the usual time limits, for calls that no limit may end, even on a busy machine. */
let patient: TestServer;
beforeAll(async () => {
  patient = await startServer({ env: { TABPY_WORKERS: "2" } });
  server = await startServer({
    env: {
      TABPY_WORKERS: "2",
      TABPY_EVALUATE_TIMEOUT: "2",
      TABPY_HEADER_TIMEOUT: "1",
      TABPY_REQUEST_TIMEOUT: "2",
    },
  });
});
afterAll(async () => {
  for (const each of [server, patient]) {
    if (each.process.exitCode !== null) throw new Error(`the server has ended:\n${each.log.slice(-3000)}`);
    expect(await each.stop()).toBe(0);
  }
}, 60_000);

/** Wait until the workers and their reapers are the only processes: nothing that scripts started is left. */
async function expectWorkersOnly(on: TestServer): Promise<void> {
  const workers = 4; // two and their reapers
  await until(
    () => `${workers} processes, there are ${on.children()}`,
    () => on.children().length === workers,
  );
}

/** Run `fault` while other clients call: none of their calls may fail, the next call works, and nothing is left. */
async function withOthers(fault: () => Promise<void>, on: TestServer = server): Promise<void> {
  const traffic = startTraffic(on);
  try {
    await fault();
    expect((await on.evaluate("return 'next'")).json).toBe("next");
  } finally {
    const { calls, failures } = await traffic.stop();
    expect(failures).toEqual([]);
    expect(calls).toBeGreaterThan(0);
  }
  await expectWorkersOnly(on);
}

const loops = {
  busy: "while True: pass",
  sleeping: "import time\ntime.sleep(1000)",
  "in C code that keeps the GIL": "import re\nreturn bool(re.match(r'(a+)+$', 'a' * 40 + 'b'))",
  "in a sum without end": "return sum(iter(int, 1))",
  "in one multiplication": "return len(str((10 ** 100000000) ** 10))",
  "that ignores signals":
    "import signal, time\nfor s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(s, signal.SIG_IGN)\nwhile True: time.sleep(1)",
  "that swallows exceptions": "while True:\n  try:\n    while True: pass\n  except BaseException: pass",
};
for (const [name, script] of Object.entries(loops)) {
  test(`an endless loop, ${name}, is answered at its time limit and killed`, async () => {
    await withOthers(async () => {
      const started = performance.now();
      const answer = await server.evaluate(script);
      expect(answer.status).toBe(408);
      expect(performance.now() - started).toBeGreaterThan(1990);
      expect(answer.json).toEqual({
        message: "User defined script timed out. Timeout is set to 2.0 s.",
        info: {},
      });
    });
  }, 30_000);
}

const endings: Record<string, [script: string, info: string | RegExp]> = {
  "sys.exit": ["import sys\nsys.exit(3)", "SystemExit : 3"],
  "os._exit": ["import os\nos._exit(3)", /WorkerLost : .*exit code 3/],
  "a segmentation fault": ["import ctypes\nctypes.string_at(0)", /WorkerLost : .*SIGSEGV/],
  "os.abort": ["import os\nos.abort()", /WorkerLost : .*SIGABRT/],
  "kill -9 of itself": ["import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", /WorkerLost : .*SIGKILL/],
  "kill -9 of its parent": ["import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(10)", /WorkerLost/],
  "closing all file descriptors": ["import os\nos.closerange(0, 4096)\nreturn 1", /WorkerLost/],
  "recursion to the limit": ["def f(n): return f(n + 1)\nreturn f(0)", /RecursionError/],
  "garbage on all file descriptors": [
    "import os\nfor fd in range(3, 1024):\n  try: os.write(fd, b'\\xff' * 100)\n  except OSError: pass\nreturn 1",
    /WorkerLost/,
  ],
};
for (const [name, [script, info]] of Object.entries(endings)) {
  test(`${name} fails only its own call`, async () => {
    await withOthers(async () => {
      const answer = await patient.evaluate(script);
      expect(answer.status).toBe(500);
      expect(answer.json.message).toBe("Error processing script");
      if (typeof info === "string") expect(answer.json.info).toBe(info);
      else expect(answer.json.info).toMatch(info);
    }, patient);
  }, 30_000);
}

test("recursion beyond a raised limit ends at most its own worker", async () => {
  await withOthers(async () => {
    const script = "import sys\nsys.setrecursionlimit(10**6)\ndef f(n): return [f(n + 1)]\nreturn f(0)";
    expect((await server.evaluate(script)).status).toBeOneOf([408, 500]);
  });
}, 30_000);

test("kill -9 of a busy worker from outside fails only its own call", async () => {
  await withOthers(async () => {
    const marker = `${patient.folder}/busy-pid`;
    const script = `import os, time\nopen(${JSON.stringify(marker)}, 'w').write(str(os.getpid()))\ntime.sleep(1000)`;
    const answer = patient.evaluate(script);
    await until(
      "the worker's pid",
      async () => (await Bun.file(marker).exists()) && (await Bun.file(marker).text()) !== "",
    );
    process.kill(Number(await Bun.file(marker).text()), "SIGKILL");
    expect((await answer).json.info).toMatch(/WorkerLost : .*SIGKILL/);
  }, patient);
}, 30_000);

test("kill -9 of an idle worker from outside fails no call", async () => {
  const pid = (await server.evaluate("import os\nreturn os.getpid()")).json;
  process.kill(pid, "SIGKILL");
  await server.waitForLog(`Worker ${pid} is lost and replaced`);
  expect((await server.evaluate("return 1")).json).toBe(1);
  await expectWorkersOnly(server);
}, 30_000);

test("a memory bomb ends at the worker's limit", async () => {
  await using limited = await startServer({ env: { TABPY_WORKERS: "2", TABPY_WORKER_MEMORY_MB: "200" } });
  await withOthers(async () => {
    const answer = await limited.evaluate("x = []\nwhile True: x.append('a' * 1000000)");
    expect(answer.status).toBe(500);
    expect(answer.json.info).toMatch(/WorkerLost : .*memory of \d+ MB exceeded TABPY_WORKER_MEMORY_MB/);
  }, limited);
}, 60_000);

test("the memory of a worker includes that of the processes that its script started", async () => {
  await using limited = await startServer({ env: { TABPY_WORKERS: "2", TABPY_WORKER_MEMORY_MB: "200" } });
  await withOthers(async () => {
    const script = `
import os, subprocess, sys
fill = "x = bytearray(${80 * 1024 * 1024})\\nfor at in range(0, len(x), 4096): x[at] = 1\\nimport signal\\nsignal.pause()"
children = [subprocess.Popen([sys.executable, "-c", fill], start_new_session=bool(at)) for at in range(3)]
for child in children: child.wait()`;
    const answer = await limited.evaluate(script);
    expect([answer.status, answer.json.info]).toEqual([
      500,
      expect.stringMatching(/WorkerLost : .*memory of \d+ MB exceeded TABPY_WORKER_MEMORY_MB/),
    ]);
  }, limited);
}, 60_000);

test("memory that forks share counts once", async () => {
  await using limited = await startServer({ env: { TABPY_WORKERS: "1", TABPY_WORKER_MEMORY_MB: "200" } });
  const script = `
import os, time
shared = bytearray(${100 * 1024 * 1024})
for at in range(0, len(shared), 4096): shared[at] = 1
children = []
for _ in range(4):
  children.append(os.fork())
  if children[-1] == 0:
    time.sleep(1)
    os._exit(0)
for child in children: os.waitpid(child, 0)
return 'done'`;
  expect((await limited.evaluate(script)).json).toBe("done");
}, 60_000);

const printers = {
  "with print": "for i in range(100):\n  print('x' * 1000000)\nreturn 1",
  "to standard error":
    "import sys\nfor i in range(100):\n  sys.stderr.write('y' * 999999 + chr(10))\nreturn 1",
  "by a subprocess":
    "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'for i in range(100): print(chr(120) * 999999)'])\nreturn 1",
  "below Python": "import os\nfor i in range(100):\n  os.write(1, b'z' * 999999 + bytes([10]))\nreturn 1",
};
for (const [name, script] of Object.entries(printers)) {
  test(`100 MB printed ${name} are truncated in the log and fail no call`, async () => {
    const before = patient.log.length;
    await withOthers(async () => {
      expect((await patient.evaluate(script)).json).toBe(1);
    }, patient);
    await patient.waitForLog(/further bytes of output are not logged/);
    expect(patient.log.length - before).toBeLessThan(10_000_000);
  }, 60_000);
}

const leftovers = {
  "a fork": "import os, time\nif os.fork() == 0: time.sleep(1000)\nreturn 1",
  "a fork of a fork":
    "import os, time\nif os.fork() == 0:\n  if os.fork() == 0: time.sleep(1000)\n  os._exit(0)\nos.wait()\nreturn 1",
  "a subprocess": "import subprocess\nsubprocess.Popen(['sleep', '1000'])\nreturn 1",
  "a daemon in a session of its own":
    "import os\nos.system('setsid sleep 1000 > /dev/null 2>&1 < /dev/null &')\nreturn 1",
  "a fork that returns too": "import os\nos.fork()\nreturn 1",
};
for (const [name, script] of Object.entries(leftovers)) {
  test(`${name} that outlives the call is ended after the answer`, async () => {
    await withOthers(async () => {
      expect((await patient.evaluate(script)).json).toBe(1);
    }, patient);
  }, 30_000);
}

test("threads left running end with their worker, after the answer", async () => {
  await withOthers(async () => {
    const script =
      "import threading, time, os\nthreading.Thread(target=time.sleep, args=(1000,)).start()\nreturn os.getpid()";
    const pid = (await patient.evaluate(script)).json;
    await until("the end of the worker", () => !patient.children().includes(pid));
  }, patient);
}, 30_000);

testOfAll(
  "a result of 100 MB arrives completely",
  async () => {
    await using patient = await startServer({ env: { TABPY_WORKERS: "2" } });
    await withOthers(async () => {
      const answer = await patient.evaluate("return 'x' * 100000000");
      expect(answer.status).toBe(200);
      expect(answer.text.length).toBe(100_000_002);
    }, patient);
  },
  60_000,
);

test("a client that hangs up ends its script", async () => {
  await withOthers(async () => {
    const marker = `${patient.folder}/hung-pid`;
    const controller = new AbortController();
    const script = `import os\nopen(${JSON.stringify(marker)}, 'w').write(str(os.getpid()))\nwhile True: pass`;
    const answer = patient
      .evaluate(script, {}, { signal: controller.signal })
      .catch((error: Error) => error.name);
    await until(
      "the worker's pid",
      async () => (await Bun.file(marker).exists()) && (await Bun.file(marker).text()) !== "",
    );
    const pid = Number(await Bun.file(marker).text());
    controller.abort();
    expect(await answer).toBe("AbortError");
    await until("the end of the script", () => !patient.children().includes(pid));
    await patient.waitForLog(`Worker ${pid} is lost and replaced: killed with its cancelled call`);
  }, patient);
}, 30_000);

const slowClients: Record<string, [bytes: string, status: RegExp]> = {
  "a body that stops half-way": [
    "POST /evaluate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
    /^$|408/,
  ],
  "headers that never end": ["GET /info HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n", /408/],
  "a connection that sends nothing": ["", /^$|408/],
};
for (const [name, [bytes, status]] of Object.entries(slowClients)) {
  test(`${name} is ended at its time limit`, async () => {
    await withOthers(async () => {
      expect(await sendRaw(server.port, bytes)).toMatch(status);
    });
  }, 30_000);
}

test("headers that trickle without end are cut off", async () => {
  await withOthers(async () => {
    let timer: NodeJS.Timeout | undefined;
    const answer = await sendRaw(server.port, "GET /info HTTP/1.1\r\nHost: localhost\r\n", (socket) => {
      timer = setInterval(() => socket.write("X-More: y\r\n"), 50);
    });
    clearInterval(timer);
    expect(answer).toMatch(/^$|408|431/);
  });
}, 30_000);

test("1,000 concurrent connections are all answered", async () => {
  const payload = JSON.stringify({ data: { _arg1: [1, 2, 3] }, script: "return sum(_arg1)" });
  const bytes = `POST /evaluate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${payload.length}\r\n\r\n${payload}`;
  await withOthers(async () => {
    const answers = await Promise.all(Array.from({ length: 1000 }, () => sendRaw(patient.port, bytes)));
    expect(
      answers.filter((answer) => !(answer.startsWith("HTTP/1.1 200") && answer.endsWith("\r\n\r\n6"))),
    ).toEqual([]);
  }, patient);
}, 60_000);

test("the next call doesn't see the changes that a call made to its process", async () => {
  await using single = await startServer({ env: { TABPY_WORKERS: "1" } });
  const change = `
import builtins, os, signal, sys
os.chdir('/')
sys.setrecursionlimit(123456)
sys.stdout = None
sys.stderr.close()
signal.alarm(1)
global leaked
leaked = 1
return [os.getpid(), os.getcwd()]`;
  const changed = (await single.evaluate(change)).json;
  const look = `
import os, sys, time
print('still printed')
time.sleep(1.2)
return [os.getpid(), os.getcwd(), sys.getrecursionlimit() < 123456, 'leaked' in globals(), sys.stderr.closed]`;
  expect((await single.evaluate(look)).json).toEqual([changed[0], single.folder, true, false, false]);
  await single.waitForLog("still printed");
}, 30_000);

const timers = {
  "an alarm": "signal.alarm(1)",
  "a timer of processor time": "signal.setitimer(signal.ITIMER_VIRTUAL, 0.05)",
  "a timer of the profiler": "signal.setitimer(signal.ITIMER_PROF, 0.05)",
  "a dump of faulthandler": "faulthandler.dump_traceback_later(0.2, exit=True)",
};
test("timers that a call leaves running do not end the next call", async () => {
  await using single = await startServer({ env: { TABPY_WORKERS: "1" } });
  const busy =
    "import os, time\nend = time.monotonic() + 1.2\nwhile time.monotonic() < end: pass\nreturn os.getpid()";
  const pids = new Set<unknown>();
  for (const [name, statement] of Object.entries(timers)) {
    const armed = await single.evaluate(`import faulthandler, os, signal\n${statement}\nreturn os.getpid()`);
    const next = await single.evaluate(busy);
    expect([name, next.status, next.json]).toEqual([name, 200, armed.json]);
    pids.add(next.json);
  }
  expect(pids.size).toBe(1);
}, 30_000);

const hostile: Record<string, [script: string, status: number, text: string | RegExp]> = {
  "a script that stops itself": [
    "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    500,
    /WorkerLost : .*stopped by a signal/,
  ],
  "a script that stops its parent": [
    "import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)\nwhile True: pass",
    500,
    /WorkerLost : .*its reaper was stopped/,
  ],
  "a script that asks its parent to end": [
    "import os, time\nos.kill(os.getppid(), 15)\ntime.sleep(1000)",
    500,
    /WorkerLost/,
  ],
  "a script that kills its process group": ["import os\nos.killpg(0, 9)", 500, /WorkerLost : .*SIGKILL/],
  "a script that interrupts itself": [
    "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nwhile True: pass",
    500,
    /KeyboardInterrupt/,
  ],
  "a hundred forks": [
    "import os, time\nfor i in range(100):\n  if os.fork() == 0: time.sleep(1000)\nreturn 1",
    200,
    "1",
  ],
  "a fork whose child raises": [
    "import os\nif os.fork() == 0: raise ValueError\nos.wait()\nreturn 1",
    200,
    "1",
  ],
  "a fork whose child exits": [
    "import os, sys\nif os.fork() == 0: sys.exit(4)\nos.wait()\nreturn 1",
    200,
    "1",
  ],
  "an error whose text is an endless loop": [
    "class E(Exception):\n  def __str__(self):\n    while True: pass\nraise E()",
    408,
    /timed out/,
  ],
  "an error whose text ends the program": [
    "class E(Exception):\n  def __str__(self): raise SystemExit(3)\nraise E()",
    500,
    /E : <the text of this E is not available/,
  ],
  "an error with a text of 50 MB": ["raise Exception('x' * 50000000)", 500, /Exception : xxx/],
  "a result without end": ["return iter(int, 1)", 408, /timed out/],
  "a result that contains itself": [
    "a = []\na.append(a)\nreturn a",
    500,
    /ValueError|RecursionError|Recursion/,
  ],
  "a result 200,000 lists deep": [
    "a = []\nfor i in range(200000): a = [a]\nreturn a",
    500,
    /RecursionError|Recursion/,
  ],
  "a script that asks a question": ["return input()", 500, /EOFError/],
  "a lone surrogate": ["print('\\ud800')\nreturn '\\ud800'", 200, '"\\ud800"'],
};
for (const [name, [script, status, text]] of Object.entries(hostile)) {
  test(`${name} is answered with ${status}`, async () => {
    const on = status === 408 ? server : patient;
    await withOthers(async () => {
      const answer = await on.evaluate(script);
      if (typeof text === "string") expect(answer.text).toBe(text);
      else expect(answer.text).toMatch(text);
      expect(answer.status).toBe(status);
    }, on);
  }, 30_000);
}

test("a pool of processes works, and its helpers are ended", async () => {
  const script = `
import math, multiprocessing
from concurrent.futures import ProcessPoolExecutor
with ProcessPoolExecutor(2) as forked, multiprocessing.get_context('spawn').Pool(2) as spawned:
  return [list(forked.map(math.sqrt, _arg1)), spawned.map(math.sqrt, _arg1)]`;
  await withOthers(async () => {
    const answer = await patient.evaluate(script, { _arg1: [1, 4, 9] });
    expect([answer.status, answer.json]).toEqual([
      200,
      [
        [1, 2, 3],
        [1, 2, 3],
      ],
    ]);
  }, patient);
}, 30_000);

test("the connection of a client that does not read its answer of 100 MB is closed", async () => {
  await using impatient = await startServer({ env: { TABPY_WORKERS: "2", TABPY_REQUEST_TIMEOUT: "1" } });
  const payload = JSON.stringify({ data: {}, script: "return 'x' * 100000000" });
  const bytes = `POST /evaluate HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${payload.length}\r\n\r\n${payload}`;
  const before = impatient.log.length;
  await withOthers(async () => {
    let paused: Socket | undefined;
    const answer = sendRaw(impatient.port, bytes, (socket) => {
      paused = socket.pause();
    });
    const lost = "client gone POST /evaluate";
    await until("the end of the connection", () => impatient.log.slice(before).includes(lost));
    paused?.resume();
    expect((await answer).length).toBeLessThan(100_000_000);
  }, impatient);
}, 60_000);

test("a large answer sets no time limit for the next call on its connection", async () => {
  await using impatient = await startServer({ env: { TABPY_WORKERS: "2", TABPY_REQUEST_TIMEOUT: "1" } });
  const request = (script: string, headers = "") => {
    const payload = JSON.stringify({ data: {}, script });
    return `POST /evaluate HTTP/1.1\r\nHost: localhost\r\n${headers}Content-Length: ${payload.length}\r\n\r\n${payload}`;
  };
  let received = 0;
  const text = await sendRaw(impatient.port, request("return 'x' * 3000000"), (socket) => {
    socket.on("data", (chunk) => {
      const before = received;
      received += chunk.length;
      if (before < 3_000_000 && received >= 3_000_000)
        socket.write(request("import time\ntime.sleep(3)\nreturn 'late'", "Connection: close\r\n"));
    });
  });
  expect(text.slice(-10)).toEndWith('\n"late"');
}, 30_000);

test("pipelined requests on one connection are answered in order", async () => {
  const request = (value: number, headers = "") => {
    const payload = JSON.stringify({ data: { _arg1: value }, script: "return _arg1" });
    return `POST /evaluate HTTP/1.1\r\nHost: localhost\r\n${headers}Content-Length: ${payload.length}\r\n\r\n${payload}`;
  };
  await withOthers(async () => {
    const text = await sendRaw(server.port, request(11) + request(12) + request(13, "Connection: close\r\n"));
    expect([...text.matchAll(/\r\n\r\n(\d+)/g)].map(([, value]) => value)).toEqual(["11", "12", "13"]);
  });
}, 30_000);

test("a process in its own session is ended after its script killed the reaper", async () => {
  await using single = await startServer({ env: { TABPY_WORKERS: "1" } });
  const script = `
import os, subprocess, time
subprocess.Popen(['sleep', '1000'], start_new_session=True)
os.kill(os.getppid(), 9)
time.sleep(1000)`;
  expect((await single.evaluate(script)).status).toBe(500);
  expect((await single.evaluate("return 1")).json).toBe(1);
  single.process.kill("SIGTERM");
  expect(await single.exited).toBe(0);
  await single.expectNothingLeft();
}, 30_000);

test("a reaper that was stopped by its script ends with the server", async () => {
  await using single = await startServer({ env: { TABPY_WORKERS: "1" } });
  await single.evaluate("import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)\nreturn 1");
  single.process.kill("SIGTERM");
  expect(await single.exited).toBe(0);
  await single.expectNothingLeft();
}, 30_000);

test("what a script started ends with a killed server, also when the script stopped the reaper", async () => {
  await using single = await startServer({ env: { TABPY_WORKERS: "1" } });
  const script = `
import os, signal, subprocess
subprocess.Popen(['sleep', '1000'], start_new_session=True)
os.kill(os.getppid(), signal.SIGSTOP)
open(${JSON.stringify("{}")}.format(_arg1), 'w').write('stopped')
signal.pause()`;
  const answer = single.evaluate(script, { _arg1: single.path("mark") }).catch(() => undefined);
  expect(await single.written("mark")).toBe("stopped");
  const started = single.children();
  single.process.kill("SIGKILL");
  await single.exited;
  await answer;
  await single.expectNothingLeft();
  expect(started.length).toBeGreaterThan(0);
}, 30_000);

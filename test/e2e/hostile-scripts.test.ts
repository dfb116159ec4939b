// What scripts do to their worker on purpose: false messages on its channel, what they leave behind for the next call, and
// a Python that can't be started. faults.test.ts has what happens by accident too. "Before" is the figure from before the
// server defended itself.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deploy, hostileArchive } from "./archives.ts";
import { startServer, TestServer } from "../support/server.ts";
import { freePort } from "../support/network.ts";
import { killProcess } from "../support/processes.ts";
import { folderUntil } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const folder = folderUntil(afterAll);
const python = process.env.TABPY_TEST_PYTHON ?? "python3";

/** One worker, and an account of one megabyte: a body that is not released shows at the second call. */
let server: TestServer;
beforeAll(async () => {
  server = await startServer({ env: { TABPY_WORKERS: "1", TABPY_MAX_BUFFERED_MB: "1" } });
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
}, 60_000);

/** Finds the descriptors of the channel, and what the worker program keeps: its frame writer, and the key in that. */
const prelude = `
import os, stat, struct, sys, time
def frame(head, body=b""): return struct.pack("<II", len(head), len(body)) + head + body
def channel():
    found = []
    for name in os.listdir("/proc/self/fd"):
        try: mode = os.fstat(int(name)).st_mode
        except OSError: continue
        if int(name) > 2 and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)): found.append(int(name))
    return found
def write(data):
    for fd in channel():
        try: os.write(fd, data)
        except OSError: pass
at = sys._getframe()
while "self" not in at.f_locals or not hasattr(at.f_locals["self"], "_channel"): at = at.f_back
worker = at.f_locals["self"]
number = worker._number
writer = worker._channel._writer
inner = writer._write_frame
key = dict(zip(inner.__code__.co_freevars, [cell.cell_contents for cell in inner.__closure__]))["start"]
def head(id, kind, more=b""): return b'"id":%d,"kind":"%b","took":1%b}' % (id, kind, more)
`;
const forever = "time.sleep(1000)";
/** Each with its own call's result, `lost` for an answer with WorkerLost. */
const frames: Record<string, [script: string, own: "lost" | RegExp]> = {
  "malformed JSON": [`write(frame(b"{broken"))\n${forever}`, "lost"],
  "malformed JSON with the key": [`write(frame(key + b"broken"))\n${forever}`, "lost"],
  // Before: the call had no answer, and its body stayed in the account for ever.
  "an error of malformed JSON": [`write(frame(key + head(number, b"raised"), b"{x"))\n${forever}`, "lost"],
  // Before: the next caller waited for the time limit.
  "half of a frame's lengths": [`write(b"\\x40\\x00")\nreturn 1`, "lost"],
  "half a frame": [`write(frame(b"x" * 500)[:200])\nreturn 1`, "lost"],
  "half a header with the key": [`write(frame(key + head(number, b"result"))[:60])\nreturn 1`, "lost"],
  "a header with the key, whose body never comes": [
    `write(frame(key + head(number, b"result"), b"9" * 50)[:-50])\nreturn "x" * 1000`,
    /./,
  ],
  "a false result": [`write(frame(b"{" + head(number, b"result"), b"666"))\n${forever}`, "lost"],
  "a false error": [`write(frame(b"{" + head(number, b"raised"), b"{}"))\n${forever}`, "lost"],
  "a result with a key that looks right": [
    `write(frame(b'{"key":"' + b"0" * 32 + b'",' + head(number, b"result"), b"666"))\n${forever}`,
    "lost",
  ],
  "a result of its own with the key, and another one": [
    `write(frame(key + head(number, b"result"), b"555"))\nreturn 1`,
    /^555$/,
  ],
  "bytes behind its result": [
    `write(frame(key + head(number, b"result"), b"555") + b"\\x01\\x02")\n${forever}`,
    /^555$/,
  ],
  "results of later calls": [
    `for id in range(number + 1, number + 40): write(frame(key + head(id, b"result"), b"666"))\n${forever}`,
    "lost",
  ],
  "a result of an earlier call": [
    `write(frame(key + head(number - 1, b"result"), b"666"))\n${forever}`,
    "lost",
  ],
  // Before: the call ran again in the next worker, and so on without end.
  "that its call was not started": [`write(frame(key + head(number, b"returned")))\n${forever}`, "lost"],
  // Before: 8 s in which nobody was served, and over 1 GB.
  "a flood of questions": [
    `while True: write(frame(key + b'"id":%d,"kind":"resolve"}' % number, b"name") * 20)`,
    "lost",
  ],
  "a flood of questions without the key": [`while True: write(frame(b'{"id":1,"kind":"resolve"}'))`, "lost"],
  "a question about a name of a megabyte": [
    `write(frame(key + b'"id":%d,"kind":"resolve"}' % number, b"n" * 100000))\n${forever}`,
    "lost",
  ],
  "the largest lengths": [`write(struct.pack("<II", 2**32 - 1, 2**32 - 1))\n${forever}`, "lost"],
  "a header of 200 KB": [`write(frame(key + b" " * 200000 + b"}"))\n${forever}`, "lost"],
  "that it is ready": [`write(frame(key + b'"id":0,"kind":"ready","pid":1,"clock":1}'))\n${forever}`, "lost"],
  "that it is a fresh interpreter": [
    `write(frame(key + b'"id":0,"kind":"hello","version":[3,9,9],"implementation":"cpython"}'))\n${forever}`,
    "lost",
  ],
  "numbers and objects in the place of texts": [
    `write(frame(key + head(number, b"result", b',"etag":[1],"function":{},"leftovers":7'), b"555"))\n${forever}`,
    /./,
  ],
  "nothing, and closes the channel": [`for fd in channel(): os.close(fd)\n${forever}`, "lost"],
  "nothing, and closes the channel and returns": [`for fd in channel(): os.close(fd)\nreturn 1`, "lost"],
  "to its log, which it puts in the place of the channel": [
    `for fd in channel(): os.dup2(2, fd)\nreturn 1`,
    "lost",
  ],
  "to /dev/null, which it puts in the place of the channel": [
    `null = os.open("/dev/null", os.O_RDWR)\nfor fd in channel(): os.dup2(null, fd)\nreturn 1`,
    "lost",
  ],
};
/** A third of the account. */
const large = "x".repeat(300_000);
for (const [what, [script, own]] of Object.entries(frames)) {
  test(`a script that writes ${what} gets one answer, and the next caller the right one`, async () => {
    const pid = (await server.evaluate("import os\nreturn os.getpid()")).json;
    const answer = server.evaluate(prelude + script, { _arg1: large });
    const next = server.evaluate("return [_arg1, 'next']", { _arg1: what });
    const { status, text, json } = await answer;
    if (own === "lost") expect([status, json.info]).toEqual([500, expect.stringContaining("WorkerLost")]);
    else expect(text).toMatch(own);
    expect((await next).json).toEqual([what, "next"]);
    const after = await server.evaluate("import os\nreturn [os.getpid(), len(_arg1)]", {
      _arg1: "x".repeat(900_000),
    });
    expect(after.json).toEqual([expect.any(Number), 900_000]);
    expect(after.json[0]).not.toBe(pid);
  }, 40_000);
}

/** Written to every descriptor while an archive is loaded on trial. */
const loads: Record<string, string> = {
  "a false result": `b'{"id":1,"kind":"result","took":1}'`,
  "a result with a key that looks right": `b'{"key":"' + b"0" * 32 + b'","id":1,"kind":"result","took":1}'`,
  "half a frame": `b"{"`,
};
// Before: LoadSuccessful for what never loaded.
test("an archive that writes to the channel while it is loaded on trial has not loaded", async () => {
  for (const [at, [what, header]] of Object.entries(loads).entries()) {
    const program = `
import os, stat, struct, time
header = ${header}
for fd in range(3, 1024):
    try:
        if stat.S_ISFIFO(os.fstat(fd).st_mode) or stat.S_ISSOCK(os.fstat(fd).st_mode):
            os.write(fd, struct.pack("<II", len(header) + ${what.startsWith("half") ? 9 : 0}, 0) + header)
    except OSError: pass
time.sleep(1000)`;
    const archive = hostileArchive("builtins", "builtins.exec", `(${JSON.stringify(program)},)`);
    const answer = await deploy(server, `false${at}`, archive);
    const status = await server.request("/status");
    const found = { what, deployed: answer.status, status: status.json[`false${at}`]?.status };
    expect(found).toMatchObject({ what, status: "LoadFailed" });
  }
  expect((await server.evaluate("return 'next'")).json).toBe("next");
}, 60_000);

/** What a call leaves, and whether its worker may stay. */
const leftovers: Record<string, string> = {
  // Before: 165 and then all 300 of the next calls failed with "Too many open files".
  "300 descriptors": "import os\nfor _ in range(300): os.open('/dev/null', os.O_RDONLY)",
  "a low limit of open files":
    "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (8, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))",
  "a low hard limit of open files": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))",
  "a low limit of memory":
    "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1, resource.RLIM_INFINITY))",
  "a limit of a second of processor time":
    "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, resource.RLIM_INFINITY))",
  "a timer of POSIX": `
import ctypes, struct, time
timer = ctypes.c_void_p()
libc = ctypes.CDLL(None)
assert libc.timer_create(1, None, ctypes.byref(timer)) == 0
assert libc.timer_settime(timer, 0, struct.pack("qqqq", 0, 0, 0, 300_000_000), None) == 0
time.sleep(0.002)`,
  "an interval timer": "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.3, 0.3)",
  "300 threads of C code": `
import ctypes, time
libc = ctypes.CDLL(None)
threads = [ctypes.c_ulong() for _ in range(300)]
for each in threads: assert libc.pthread_create(ctypes.byref(each), None, libc.sleep, ctypes.c_void_p(1000)) == 0
time.sleep(0.002)`,
  "threads of Python":
    "import _thread, time\nfor _ in range(20): _thread.start_new_thread(time.sleep, (1000,))",
  "blocked signals": "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())",
};
/** Fails in a process with any of these. */
const probe = `
import os, resource, signal, threading, time
files = [os.open("/dev/null", os.O_RDONLY) for _ in range(200)]
for each in files: os.close(each)
end = time.monotonic() + 0.5
while time.monotonic() < end: bytearray(1000000)
return [sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())), threading.active_count(), resource.getrlimit(resource.RLIMIT_AS)]`;
test("what a call leaves behind is not met by the next one", async () => {
  await using single = await startServer({ env: { TABPY_WORKERS: "1" }, openFiles: 512 });
  const sound = (await single.evaluate(probe)).json;
  for (const [what, script] of Object.entries(leftovers)) {
    const left = await single.evaluate(`${script}\nimport time\ntime.sleep(0.002)\nreturn 'left'`);
    expect([what, left.json]).toEqual([what, "left"]);
    const next = await single.evaluate(probe);
    expect([what, next.status, next.json]).toEqual([what, 200, sound]);
  }
}, 120_000);

// Before: without a time limit a stopped worker was not noticed. Now: after one to two seconds.
test("an idle worker that was stopped is replaced, and the next call is answered, without a time limit", async () => {
  await using single = await startServer({
    env: { TABPY_WORKERS: "1", TABPY_EVALUATE_TIMEOUT: "604800" },
  });
  const pid = (await single.evaluate("import os\nreturn os.getpid()")).json;
  process.kill(pid, "SIGSTOP");
  await until("the next answer", async () => (await single.evaluate("return 'next'")).json === "next");
  expect(single.log).toContain("it was stopped by a signal");
}, 60_000);

/** What a script does to its reaper before the server is killed. Before: a stopped reaper kept all processes. */
const reapers: Record<string, string> = {
  "stopped the reaper": "os.kill(os.getppid(), signal.SIGSTOP)",
  "stopped the reaper, and itself":
    "os.kill(os.getppid(), signal.SIGSTOP)\nos.kill(os.getpid(), signal.SIGSTOP)",
  "stopped its child": "os.kill(child.pid, signal.SIGSTOP)",
  "ignores all signals":
    "for each in range(1, 65):\n  try: signal.signal(each, signal.SIG_IGN)\n  except (OSError, ValueError): pass",
};
for (const [what, deed] of Object.entries(reapers)) {
  test(`kill -9 of the server leaves no process when a script ${what}`, async () => {
    await using single = await startServer({ env: { TABPY_WORKERS: "1" } });
    const script = `
import os, signal, subprocess, time
child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
open(_arg1, "w").write("ready")
${deed}
time.sleep(1000)`;
    const answer = single.evaluate(script, { _arg1: single.path("mark") }).catch(() => undefined);
    await single.written("mark");
    single.process.kill("SIGKILL");
    await single.exited;
    await answer;
    await single.expectNothingLeft();
  }, 30_000);
}

/** Processor seconds of a process. */
function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const unstartable: Record<string, [cause: string, make: (path: string) => void]> = {
  "half-written": ["ENOEXEC", (path) => writeFileSync(path, "\x7fELF", { mode: 0o755 })],
  "a link to itself": ["ELOOP", (path) => symlinkSync(path, path)],
  gone: ["ENOENT", () => {}],
  "not executable": ["EACCES", (path) => writeFileSync(path, "", { mode: 0o644 })],
};
// Before: 100% of a processor, no answer, SIGTERM ignored, or hanging calls and no line in the log.
for (const [what, [cause, make]] of Object.entries(unstartable)) {
  test(`a Python that becomes ${what} costs no processor time, and is answered with 503`, async () => {
    const wrapper = join(folder, `python-${cause}`);
    writeFileSync(wrapper, `#!/bin/sh\nexec '${python}' "$@"\n`, { mode: 0o755 });
    await using single = await startServer({ env: { TABPY_WORKERS: "2", TABPY_PYTHON: wrapper } });
    renameSync(wrapper, `${wrapper}-sound`);
    make(wrapper);
    const before = cpuSeconds(single.pid);
    await until("the end of the workers", () => {
      const left = single.children(); // some may have started meanwhile
      for (const pid of left) killProcess(pid);
      return left.length === 0;
    });
    await single.waitForLog(cause);
    await single.waitForLog("next try in 1 s");
    expect((await single.evaluate("return 1")).status).toBe(503);
    expect(cpuSeconds(single.pid) - before).toBeLessThan(1.2);
    const lines = single.log.split("\n").filter((line) => line.includes("next try in 0.25 s"));
    expect(lines.length).toBe(1);
    expect(await single.stop()).toBe(0);
  }, 60_000);
}

test("a server whose Python can't be executed from the start says so, and can be stopped", async () => {
  const broken = join(folder, "broken-python");
  writeFileSync(broken, "\x7fELF", { mode: 0o755 });
  const single = new TestServer(await freePort(), { env: { TABPY_PYTHON: broken } });
  await single.waitForLog("next try in 0.5 s");
  expect((await single.evaluate("return 1")).status).toBe(503);
  expect(single.log).toContain("ENOEXEC");
  expect(await single.stop()).toBe(0);
}, 60_000);

// What scripts leave in their worker on purpose, and what the next caller meets.

import { expect, test } from "bun:test";
import { startServer } from "../support/server.ts";

const worker = "import os\nreturn os.getpid()";

test("joblib's processes serve the next call, and their worker stays", async () => {
  await using server = await startServer({ env: { TABPY_WORKERS: "1", TABPY_EVALUATE_TIMEOUT: "100" } });
  const pid = (await server.evaluate(worker)).json;
  const parallel = `import joblib, os
return sorted(set(joblib.Parallel(n_jobs=2)(joblib.delayed(os.getpid)() for _ in range(8))))`;
  const first = (await server.evaluate(parallel)).json;
  for (let at = 0; at < 3; at++) {
    const next = (await server.evaluate(parallel)).json;
    expect(new Set([...first, ...next]).size).toBeLessThanOrEqual(2);
    expect((await server.evaluate(worker)).json).toBe(pid);
  }
  const fit = `from sklearn.model_selection import cross_val_score
from sklearn.linear_model import Ridge
import numpy as np
X = np.array(_arg1).reshape(-1, 1)
return cross_val_score(Ridge(), X, _arg1, cv=3, n_jobs=2).round(3).tolist()`;
  for (let at = 0; at < 2; at++)
    expect((await server.evaluate(fit, { _arg1: [...Array(30).keys()] })).json).toEqual([1, 1, 1]);
  expect((await server.evaluate(worker)).json).toBe(pid);
}, 240_000);

const changes: Record<string, readonly [change: string, read: string]> = {
  "environment variables": [
    "import os\nos.environ['SERVICE_API_KEY_9'] = 'secret-of-user-a'",
    "import os\nreturn os.environ.get('SERVICE_API_KEY_9')",
  ],
  "warnings as errors": [
    "import warnings\nwarnings.simplefilter('error')",
    "import numpy as np\nreturn np.log(np.array([0.0, 1.0])).tolist()",
  ],
  "the import path": [
    "import sys\nsys.path.append('/tmp/my-libs-9')",
    "import sys\nreturn '/tmp/my-libs-9' in sys.path",
  ],
  "the timeout of sockets": [
    "import socket\nsocket.setdefaulttimeout(0.001)",
    "import socket\nreturn socket.getdefaulttimeout()",
  ],
  "handlers of signals": [
    "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)",
    "import subprocess, sys\nreturn subprocess.run([sys.executable, '-c', 'raise SystemExit(3)']).returncode",
  ],
};

test("the next caller meets none of what a script has changed", async () => {
  await using server = await startServer({ env: { TABPY_WORKERS: "1" } });
  const pid = (await server.evaluate(worker)).json;
  for (const [name, [change, read]] of Object.entries(changes)) {
    const before = (await server.evaluate(read)).text;
    for (const ending of ["\nreturn 1", "\n1 / 0", "\nraise SystemExit"])
      await server.evaluate(change + ending);
    expect([name, (await server.evaluate(read)).text]).toEqual([name, before]);
  }
  expect((await server.evaluate(worker)).json).toBe(pid);
}, 60_000);

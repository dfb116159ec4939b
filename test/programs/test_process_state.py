"""What one call must not leave for the next, and how a worker starts and ends: the whole program in a process."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import unittest

from worker_process import WorkerProcess, boot_program

posix_only = unittest.skipUnless(os.name == "posix", "processes of POSIX")
linux_only = unittest.skipUnless(sys.platform.startswith("linux"), "orphans are adopted on Linux")
# macOS has os.waitid since Python 3.13
sees_children = unittest.skipUnless(hasattr(os, "waitid"), "this Python can't tell its children")

SPAWN = "import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"


def exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class CallTest(unittest.TestCase):
    """Calls on one worker, which each test leaves unchanged."""

    @classmethod
    def setUpClass(cls):
        cls.worker = WorkerProcess()
        cls.addClassCleanup(cls.worker.close)

    def assert_restored(self, change, read):
        """Check that `read` returns the same before and after `change`, which took effect in its own call."""
        before = self.worker.value(read)
        header, inside = self.worker.evaluate(change + "\n" + read)
        self.assertEqual(header, {"id": header["id"], "kind": "result"})
        self.assertNotEqual(inside, before)
        self.assertEqual(self.worker.value(read), before)

    def test_replies_by_kind(self):
        for request, kind, body in (
            ({"script": "return [_arg1, float('nan')]", "data": {"_arg1": 1}}, "result", [1, None]),
            ({"script": "return"}, "result", None),
            ({"script": ""}, "rejected", {"message": "Script is empty.", "info": {}}),
            ({"script": "\n1 / 0"}, "raised", {
                "type": "ZeroDivisionError", "message": "division by zero", "line": 2,
                "frames": [{"line": 2, "function": "<script>", "text": "1 / 0"}]}),
        ):
            with self.subTest(request):
                header, answer = self.worker.send(json.dumps(request).encode("ascii"))
                self.assertEqual((header["kind"], answer), (kind, body))
                self.assertNotIn("leftovers", header)

    def test_accepts_requests_of_any_bytes(self):
        for body in (b"", b"\0", b"[" * 200000, b'"\xff"', b"\xef\xbb\xbf"):
            with self.subTest(body[:5]):
                self.assertEqual(self.worker.send(body)[0]["kind"], "rejected")

    def test_reads_and_writes_large_bodies(self):
        rows = [[at, "row %d" % at] for at in range(50000)]
        self.assertEqual(self.worker.value("return _arg1", rows), rows)
        self.assertEqual(self.worker.value("return len(_arg1)", "x" * 3000000), 3000000)

    def test_the_end_of_a_script_is_not_the_end_of_the_worker(self):
        pid = self.worker.ready["pid"]
        for text in ("import sys\nsys.exit(5)", "raise SystemExit", "raise KeyboardInterrupt", "raise GeneratorExit",
                     "def f(): return f()\nf()", "x = []\nx.append(x)\nreturn x",
                     "x = 1\nfor _ in range(100000): x = [x]\nreturn x",
                     "class E(BaseException):\n  def __str__(self): raise KeyboardInterrupt\nraise E",
                     "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nwhile True: pass"):
            with self.subTest(text):
                self.assertEqual(self.worker.evaluate(text)[0]["kind"], "raised")
                self.assertEqual(self.worker.value("import os\nreturn os.getpid()"), pid)

    def test_globals_are_not_shared(self):
        self.worker.value("global mine\nmine = 5")
        self.assertEqual(self.worker.value("return 'mine' in globals()"), False)

    def test_current_folder_is_restored(self):
        read = "import os\nreturn os.getcwd()"
        self.assertEqual(self.worker.value(read), self.worker.folder)
        self.assert_restored("import os\nos.chdir('/')", read)
        self.worker.evaluate("import os\nos.chdir('/')\n1 / 0")
        self.assertEqual(self.worker.value(read), self.worker.folder)

    def test_recursion_limit_is_restored(self):
        for limit in (12345, 400):
            with self.subTest(limit):
                self.assert_restored("import sys\nsys.setrecursionlimit(%d)" % limit, "import sys\nreturn sys.getrecursionlimit()")

    def test_environment_variables_are_restored(self):
        read = "import os\nreturn [sorted(os.environ.items()), os.environ.get('PATH'), type(os.environ).__name__]"
        for change in ("os.environ['SERVICE_API_KEY'] = 'secret'", "del os.environ['PATH']", "os.environ.clear()",
                       "os.environ['PATH'] += ':/ü'", "os.environ = {'PATH': 'mine'}\nos.environ['x'] = 'y'"):
            with self.subTest(change):
                self.assert_restored("import os\n" + change, read)
        self.worker.evaluate("import os\nos.environ['SERVICE_API_KEY'] = 'secret'\n1 / 0")
        child = "import subprocess, sys\nreturn subprocess.run([sys.executable, '-c', 'import os; print(*os.environ)'],\n"
        self.assertNotIn("SERVICE_API_KEY", self.worker.value(child + "  stdout=subprocess.PIPE, text=True).stdout"))

    def test_the_import_path_is_restored(self):
        read = "import sys\nreturn list(sys.path)"
        for change in ("sys.path.append('/tmp/mine')", "sys.path.insert(0, '/tmp/mine')", "sys.path = ['/tmp/mine']", "sys.path.clear()"):
            with self.subTest(change):
                self.assert_restored("import sys\n" + change, read)

    def test_warnings_are_restored(self):
        read = "import warnings\nreturn [str(warnings.filters), id(warnings.filters), repr(warnings.showwarning)]"
        for change in ("warnings.simplefilter('error')", "warnings.resetwarnings()", "warnings.filters = []",
                       "warnings.catch_warnings(record=True).__enter__()", "warnings.showwarning = print"):
            with self.subTest(change):
                self.assert_restored("import warnings\n" + change, read)
        self.worker.evaluate("import warnings\nwarnings.simplefilter('error')")
        self.assertEqual(self.worker.value("import warnings\nwarnings.warn('x')\nreturn 1"), 1)

    def test_the_timeout_of_sockets_is_restored(self):
        self.assert_restored("import socket\nsocket.setdefaulttimeout(0.001)", "import socket\nreturn socket.getdefaulttimeout()")

    @posix_only
    def test_handlers_of_signals_are_restored(self):
        for name, handler in (("SIGCHLD", "signal.SIG_IGN"), ("SIGINT", "print"), ("SIGPIPE", "signal.SIG_DFL"), ("SIGTERM", "print")):
            with self.subTest(name):
                self.assert_restored("import signal\nsignal.signal(signal.%s, %s)" % (name, handler),
                                     "import signal\nreturn repr(signal.getsignal(signal.%s))" % name)

    @posix_only
    def test_timers_are_stopped(self):
        read = "import signal\nreturn signal.getitimer(signal.ITIMER_REAL)[0] > 0"
        self.assert_restored("import signal\nsignal.alarm(3600)", read)
        self.assert_restored("import signal\nsignal.setitimer(signal.ITIMER_REAL, 3600)", read)

    @posix_only
    def test_blocked_signals_are_unblocked(self):
        read = "import signal\nreturn sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))"
        self.assert_restored("import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGUSR1})", read)

    @posix_only
    def test_resource_limits_are_restored(self):
        for name, soft in (("NOFILE", 8), ("AS", 1 << 40), ("FSIZE", 0), ("CPU", 100_000)):
            with self.subTest(name):
                read = "import resource\nreturn resource.getrlimit(resource.RLIMIT_%s)" % name
                hard = self.worker.value(read)[1]
                self.assert_restored("import resource\nresource.setrlimit(resource.RLIMIT_%s, (%d, %d))" % (name, soft, hard), read)

    @linux_only
    def test_a_few_descriptors_are_no_leftovers(self):
        for _ in range(3):
            header, _ = self.worker.evaluate("import os, time\nfor _ in range(20): os.open('/dev/null', os.O_RDONLY)\ntime.sleep(0.002)")
            self.assertNotIn("leftovers", header)

    def test_threads_that_ended_are_not_leftovers(self):
        for text in (
            "import threading\nfor _ in range(30):\n  t = threading.Thread(target=len, args=('',))\n  t.start()\n  t.join()",
            "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(4) as pool:\n  return list(pool.map(abs, [1]))",
            "import asyncio\nasync def f(): return await asyncio.to_thread(len, '')\nreturn asyncio.run(f())",
        ):
            with self.subTest(text):
                header, body = self.worker.evaluate(text)
                self.assertEqual(header, {"id": header["id"], "kind": "result"}, body)

    @posix_only
    def test_processes_that_ended_are_not_leftovers(self):
        for text in (
            "import subprocess, sys\nreturn subprocess.run([sys.executable, '-c', '']).returncode",
            SPAWN + "child.kill()\nchild.wait()",
            # Ended, but not waited for: such a zombie is reaped.
            "import os\nif os.fork() == 0: os._exit(0)\nos.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)"
            if hasattr(os, "waitid") else "return",
        ):
            with self.subTest(text):
                header, body = self.worker.evaluate(text)
                self.assertEqual(header, {"id": header["id"], "kind": "result"}, body)
        self.assertEqual(self.worker.value("import os\ntry:\n  os.waitpid(-1, os.WNOHANG)\nexcept ChildProcessError:\n  return 'none'"), "none")

    @posix_only
    def test_only_one_process_answers(self):
        # The child returns from the script too; its parent waits for it, so the child's answer would come first.
        text = "import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\nreturn 'parent' if pid else 'child'"
        self.assertEqual(self.worker.value(text), "parent")
        self.assertEqual(self.worker.value("return 1"), 1)

    @posix_only
    def test_the_channel_is_out_of_reach(self):
        text = "import os\nreturn [len(os.read(0, 10)), os.write(1, b'{}'), os.fstat(1).st_ino == os.fstat(2).st_ino]"
        self.assertEqual(self.worker.value(text), [0, 2, True])
        self.worker.value("import os\nos.close(0)\nos.close(1)")
        self.assertEqual(self.worker.value("return 1"), 1)

    @posix_only
    def test_a_child_process_does_not_keep_the_channel_open(self):
        # spawnv passes on every descriptor that may be inherited; subprocess would close them all.
        text = ("import os, sys\nlook = 'import os, sys\\nfound = 0\\nfor fd in range(3, 64):\\n  try: os.fstat(fd); found += 1"
                "\\n  except OSError: pass\\nsys.exit(found)'\nreturn os.spawnv(os.P_WAIT, sys.executable, [sys.executable, '-c', look])")
        self.assertEqual(self.worker.value(text), 0)

    def test_programs_are_imported_from_memory(self):
        self.assertEqual(self.worker.value("import tabpy.tabpy_tools.client as c\nreturn c.Client.__module__"), "tabpy.tabpy_tools.client")
        self.assertEqual(self.worker.value("import os\nreturn os.listdir('.')"), [])


class LeftoverTest(unittest.TestCase):
    """Workers that the server would not use again."""

    def setUp(self):
        self.worker = WorkerProcess()
        self.addCleanup(self.worker.close)

    def assert_left(self, leftovers, script):
        header, body = self.worker.evaluate(script)
        self.assertEqual(header, {"id": 1, "kind": "result", "leftovers": leftovers}, body)
        return body

    @posix_only
    @sees_children
    def test_a_running_child_is_reported_and_ended_with_the_worker(self):
        child = self.assert_left("processes", SPAWN + "return child.pid")
        self.assertTrue(exists(child))
        self.worker.close()
        self.assertFalse(exists(child))

    @posix_only
    @sees_children
    def test_a_child_in_a_session_of_its_own_is_reported(self):
        child = self.assert_left("processes", SPAWN.replace("])", "], start_new_session=True)") + "return child.pid")
        if sys.platform.startswith("linux"):
            self.worker.close()
            self.assertFalse(exists(child))
        else:
            os.kill(child, signal.SIGKILL)

    @linux_only
    def test_an_orphan_is_reported_and_ended_with_the_worker(self):
        if not os.path.exists("/proc/self/task/%d/children" % os.getpid()):
            self.skipTest("this kernel does not list children")
        child = self.assert_left("processes", (
            "import os, signal\nread, write = os.pipe()\npid = os.fork()\nif pid == 0:\n  pid = os.fork()\n  if pid == 0:\n"
            "    os.setsid()\n    signal.pause()\n  os.write(write, b'%d' % pid)\n  os._exit(0)\nos.waitpid(pid, 0)\n"
            "return int(os.read(read, 20))"))
        self.assertTrue(exists(child))
        self.worker.close()
        self.assertFalse(exists(child))

    @linux_only
    def test_idle_pools_that_a_module_keeps_are_not_reported(self):
        keep = "import json\nkept = json.__dict__.setdefault('kept', [])\n"
        for start, use in (
            ("from concurrent.futures import ProcessPoolExecutor\nif not kept: kept.append(ProcessPoolExecutor(2))\n",
             "return sorted(kept[0].map(abs, [-1, -2]))"),
            ("import multiprocessing\nif not kept: kept.append(multiprocessing.Pool(2))\n", "return kept[0].map(abs, [-1, -2])"),
        ):
            with self.subTest(start), WorkerProcess() as worker:
                for _ in range(3):
                    header, body = worker.evaluate(keep + start + use)
                    self.assertEqual(header, {"id": header["id"], "kind": "result"}, body)
                    self.assertEqual(body, [1, 2])
                header, _ = worker.evaluate(SPAWN)
                self.assertEqual(header["leftovers"], "processes")

    @linux_only
    def test_a_pool_that_works_is_reported(self):
        for text in (
            "import json, time\nfrom concurrent.futures import ProcessPoolExecutor\njson.kept = ProcessPoolExecutor(1)\n"
            "json.kept.submit(time.sleep, 3600)",
            "import json, time, multiprocessing\njson.kept = multiprocessing.Pool(1)\njson.kept.apply_async(time.sleep, [3600])",
        ):
            with self.subTest(text), WorkerProcess() as worker:
                header, _ = worker.evaluate(text)
                self.assertEqual(header.get("leftovers"), "processes")

    @linux_only
    def test_pools_that_nobody_keeps_end_with_the_call(self):
        for text in (
            "from concurrent.futures import ProcessPoolExecutor\nreturn list(ProcessPoolExecutor(2).map(abs, [-1]))",
            "import multiprocessing\nwith multiprocessing.Pool(2) as pool: return pool.map(abs, [-1])",
            "import multiprocessing\nwith multiprocessing.get_context('spawn').Pool(2) as pool: return pool.map(abs, [-1])",
        ):
            with self.subTest(text), WorkerProcess() as worker:
                for _ in range(2):
                    header, body = worker.evaluate(text)
                    self.assertEqual(header, {"id": header["id"], "kind": "result"}, body)
                self.assertEqual(worker.value(
                    "return open('/proc/self/task/%d/children' % __import__('os').getpid()).read()"), "")

    @linux_only
    @unittest.skipUnless(importlib.util.find_spec("joblib"), "joblib is not installed")
    def test_processes_of_joblib_serve_the_next_call(self):
        text = "import joblib, os\nreturn joblib.Parallel(n_jobs=2)(joblib.delayed(os.getpid)() for _ in range(8))"
        with WorkerProcess() as worker:
            used = set()
            for _ in range(3):
                header, body = worker.evaluate(text)
                self.assertEqual(header, {"id": header["id"], "kind": "result"}, body)
                used.update(body)
            self.assertLessEqual(len(used), 2)

    def test_a_running_thread_is_reported(self):
        self.assert_left("threads", "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()")

    @linux_only
    def test_many_descriptors_are_reported(self):
        self.assert_left("descriptors", "import os, time\nfor _ in range(200): os.open('/dev/null', os.O_RDONLY)\ntime.sleep(0.002)")

    @linux_only
    def test_descriptors_that_short_calls_leave_are_reported(self):
        with WorkerProcess() as worker:
            for _ in range(500):
                header, _ = worker.evaluate("import os\nos.open('/dev/null', os.O_RDONLY)")
                if "leftovers" in header:
                    break
            self.assertEqual(header.get("leftovers"), "descriptors")
            self.assertLess(header["id"], 200)

    @linux_only
    def test_threads_of_c_code_are_reported(self):
        text = ("import ctypes, time\nlib, thread = ctypes.CDLL(None), ctypes.c_ulong()\n"
                "for _ in range(300):\n  assert lib.pthread_create(ctypes.byref(thread), None, lib.sleep, ctypes.c_void_p(1000)) == 0")
        self.assert_left("threads", text)

    @linux_only
    @unittest.skipUnless(os.path.exists("/proc/self/timers"), "this kernel can't tell its timers")
    def test_timers_of_posix_are_reported(self):
        self.assert_left("timers", "import ctypes, time\ntimer = ctypes.c_void_p()\n"
                         "assert ctypes.CDLL(None).timer_create(1, None, ctypes.byref(timer)) == 0\ntime.sleep(0.002)")

    @posix_only
    @unittest.skipIf(os.name == "posix" and os.getuid() == 0, "root can raise a hard limit")
    def test_a_lowered_hard_limit_is_reported(self):
        self.assert_left("limits", "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))")

    def test_a_failing_call_reports_leftovers_too(self):
        header, body = self.worker.evaluate(
            "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n1 / 0")
        self.assertEqual((header["kind"], header["leftovers"], body["line"]), ("raised", "threads", 3))


class LifeTest(unittest.TestCase):
    def test_sends_hello_and_ready(self):
        with WorkerProcess() as worker:
            self.assertEqual(worker.hello, {
                "id": 0, "kind": "hello", "version": list(sys.version_info[:3]), "implementation": sys.implementation.name,
                "executable": worker.hello["executable"]})
            self.assertTrue(os.path.samefile(worker.hello["executable"], sys.executable))
            self.assertLessEqual(worker.ready.pop("clock"), time.monotonic_ns() // 1000)
            self.assertEqual(worker.ready, {"id": 0, "kind": "ready", "pid": worker.value("import os\nreturn os.getpid()")})

    def test_ends_with_its_channel(self):
        worker = WorkerProcess()
        worker.value("return 1")
        worker.close()
        self.assertEqual(worker.exit_code, 0)
        self.assertFalse(exists(worker.ready["pid"]))

    @posix_only
    def test_exits_as_its_script_does(self):
        for text, code in (("import os\nos._exit(7)", 7), ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", -9),
                           ("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)", -15)):
            with self.subTest(text):
                worker = WorkerProcess()
                self.assertIsNone(worker.send(json.dumps({"script": text}).encode("ascii")))
                worker.close()
                self.assertEqual(worker.exit_code, code)

    def test_boot_ends_silently_without_input(self):
        ended = subprocess.run([sys.executable, "-c", boot_program()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, check=True)
        self.assertIn(b'"hello"', ended.stdout)
        self.assertEqual(ended.stderr, b"")

    def test_runs_with_and_without_orjson(self):
        for orjson in (True, False):
            with self.subTest(orjson=orjson), WorkerProcess(orjson=orjson) as worker:
                self.assertEqual(worker.value("return [_arg1, 2 ** 70, 0.1]", 2**70), [2**70, 2**70, 0.1])
                self.assertEqual(worker.value("import sys\nreturn 'orjson' in sys.modules"), orjson and has_orjson())


def has_orjson():
    try:
        import orjson
    except ImportError:
        return False
    return orjson is not None

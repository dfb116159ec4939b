"""Memory that calls have freed: freed_memory.py with the real C library, and in a real worker."""

import os
import platform
import subprocess
import sys
import time
import unittest
import weakref
from unittest import mock

from worker_process import PROGRAMS, WorkerProcess

from _tabpy_worker import freed_memory

HAS_GLIBC = platform.libc_ver()[0] == "glibc"
MEGABYTE = 1024 * 1024
# Allocates 200 MB in blocks that the C library returns at once by default, and frees them.
USE = "blocks = [b'x' * 1048576 for _ in range(200)]; del blocks"


def resident_megabytes(pid):
    with open("/proc/%d/statm" % pid, encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // MEGABYTE


class Trim:
    """Replaces malloc_trim."""

    def __init__(self):
        self.count = 0

    def __call__(self, _):
        self.count += 1


class FreedMemoryTest(unittest.TestCase):
    def kept(self, keeps=True):
        self.trim = Trim()
        self.resident = 20 * MEGABYTE
        patches = {"_load_trim": lambda: self.trim, "_resident_bytes": lambda: self.resident}
        patcher = mock.patch.multiple(freed_memory, **patches)
        patcher.start()
        self.addCleanup(patcher.stop)
        kept = freed_memory.FreedMemory(keeps)
        self.resident = 200 * MEGABYTE
        return kept

    def never(self, _):
        self.fail("it waited")

    def test_is_returned_when_no_call_arrives(self):
        kept, waits = self.kept(), []
        kept.call_took(5000)
        kept.release(waits.append)
        self.assertEqual(self.trim.count, 1)
        self.assertTrue(all(0 < seconds <= freed_memory.KEPT_SECONDS for seconds in waits) and len(waits) == 1, waits)
        kept.release(self.never)
        self.assertEqual(self.trim.count, 1)

    def test_is_kept_for_the_next_call(self):
        kept = self.kept()
        kept.call_took(5000)
        kept.release(lambda seconds: True)
        self.assertEqual(self.trim.count, 0)

    def test_is_returned_however_many_calls_arrive(self):
        kept = self.kept()
        kept.call_took(5000)
        with mock.patch.object(freed_memory.time, "monotonic", lambda: time.perf_counter() + 1e6):
            kept.call_took(100)
            kept.call_took(5000)
            kept.release(self.never)
        self.assertEqual(self.trim.count, 1)

    def test_used_memory_is_freed_after_the_answer_was_sent(self):
        for keeps in (True, False):
            with self.subTest(keeps=keeps):
                kept, waits = self.kept(keeps), []
                kept.used = values = Trim()
                alive = weakref.ref(values)
                del values
                kept.call_took(5000)

                def wait(seconds):
                    waits.append((seconds, alive() is not None))
                    return True

                kept.release(wait)
                self.assertIsNone(alive())
                self.assertEqual(waits[:1], [(freed_memory.FREED_AFTER_SECONDS, True)] if keeps else [])

    def test_is_not_measured_after_short_calls(self):
        kept = self.kept()
        kept.call_took(100)
        kept.release(self.never)
        self.assertEqual(self.trim.count, 0)

    def test_little_memory_is_not_returned(self):
        kept = self.kept()
        self.resident = 40 * MEGABYTE
        kept.call_took(5000)
        kept.release(self.never)
        self.assertEqual(self.trim.count, 0)

    def test_memory_that_stays_after_returning_is_not_counted_again(self):
        kept = self.kept()
        for count in (1, 1):  # the second time, no memory has been added to that of modules and models
            kept.call_took(5000)
            kept.release(lambda seconds: False)
            self.assertEqual(self.trim.count, count)

    def test_nothing_is_kept_with_a_memory_limit(self):
        kept = self.kept(keeps=False)
        kept.call_took(5000)
        kept.release(self.never)
        self.assertEqual(self.trim.count, 0)

    @unittest.skipUnless(HAS_GLIBC, "another C library")
    def test_the_c_library_keeps_it_and_returns_it(self):
        program = """
import os, sys, types
sys.path.insert(0, sys.argv[1])
import freed_memory
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1048576
kept = freed_memory.FreedMemory(sys.argv[2] == "True")
%s
before = resident()
kept.call_took(5000)
kept.release(lambda seconds: False)
print(before, resident())
""" % USE
        for keeps, held in ((True, 200), (False, 0)):
            ran = subprocess.run([sys.executable, "-c", program, os.path.join(PROGRAMS, "worker"), str(keeps)], stdout=subprocess.PIPE, check=True)
            before, after = map(int, ran.stdout.split())
            self.assertTrue(held <= before < held + 50 and after < 50, (keeps, before, after))


@unittest.skipUnless(HAS_GLIBC, "another C library")
class WorkerTest(unittest.TestCase):
    def test_an_idle_worker_returns_what_its_call_used(self):
        for keep_memory in (True, False):
            with WorkerProcess(keep_memory=keep_memory, replace=("KEPT_SECONDS = 60.0", "KEPT_SECONDS = 0.2")) as worker:
                worker.value(USE)
                pid = worker.ready["pid"]
                deadline = time.monotonic() + 60
                while resident_megabytes(pid) > 50:
                    self.assertLess(time.monotonic(), deadline, resident_megabytes(pid))
                    time.sleep(0.05)
                self.assertEqual(worker.value("return _arg1", 1), 1)

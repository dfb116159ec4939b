"""Pools of processes that libraries keep for their next call, joblib's (loky) for example: they belong to the worker.

Starting them takes longer than most calls. A pool is kept while it has nothing to do: a call that leaves one at work leaves
processes like any other.
"""

import os
import sys
import time

EXECUTOR_MODULES = ("concurrent.futures.process", "joblib.externals.loky.process_executor", "loky.process_executor")
# The processes that watch for leaked semaphores and files of others.
TRACKER_MODULES = ("multiprocessing.resource_tracker", "joblib.externals.loky.backend.resource_tracker",
                   "loky.backend.resource_tracker")
POOL_MODULES = (*EXECUTOR_MODULES, "multiprocessing.pool", *TRACKER_MODULES)
MAX_PROCESSES = 64
# How long pools that nobody uses any more may take to end.
SHUTDOWN_SECONDS = 2
PAUSE_SECONDS = 0.01


def have_all(list_children):
    """Whether all processes that `list_children()` returns belong to pools that a worker may keep.

    Trackers end when no pool is left.
    """
    def is_so():
        kept, _ = count_all()
        children = list_children()
        if children <= kept or kept and children <= kept | _trackers():
            return True
        if children <= _trackers():
            _end_trackers()
        return False
    return _comes_true(is_so)


def have_threads(count, own):
    """Whether the threads, of which there are `count()` now, are the `own` ones of the worker and those of such pools."""
    return _comes_true(lambda: count() <= own + count_all()[1])


def _comes_true(is_so):
    """Waits for it where a pool, which nobody uses any more, may be ending its processes and threads."""
    end = time.monotonic() + SHUTDOWN_SECONDS
    while not is_so():
        if not any(name in sys.modules for name in POOL_MODULES) or time.monotonic() >= end:
            return False
        time.sleep(PAUSE_SECONDS)
    return True


def count_all():
    """(process ids, number of threads) of the pools that a worker may keep."""
    processes, threads = set(), 0
    for found, pool_threads in (*_executors(), *_pools()):
        processes |= found
        threads += sum(thread is not None and thread.is_alive() for thread in pool_threads)
    if len(processes) > MAX_PROCESSES:
        return set(), 0
    return processes, threads


def _trackers():
    """Process ids of the trackers."""
    return {tracker._pid for tracker in _running_trackers()}


def _end_trackers():
    """Let them end: the next pool starts them again."""
    for tracker in _running_trackers():
        os.close(tracker._fd)
        tracker._fd = tracker._pid = None


def _running_trackers():
    found = [getattr(sys.modules.get(name), "_resource_tracker", None) for name in TRACKER_MODULES]
    return [tracker for tracker in found if getattr(tracker, "_pid", None) and getattr(tracker, "_fd", None)]


def _executors():
    """Executors of concurrent.futures and of loky, which is made after it, as (process ids, threads)."""
    for name in EXECUTOR_MODULES:
        for thread in list(getattr(sys.modules.get(name), "_threads_wakeups", ())):
            # Without an executor it ends its processes.
            if thread.is_alive() and thread.executor_reference() is not None and not thread.pending_work_items:
                yield set(thread.processes), (thread, getattr(thread.call_queue, "_thread", None))


def _pools():
    """Pools of multiprocessing, which its finalizers know, as (process ids, threads)."""
    pools = getattr(sys.modules.get("multiprocessing.pool"), "Pool", ())
    for finalizer in list(getattr(sys.modules.get("multiprocessing.util"), "_finalizer_registry", {}).values()):
        pool = finalizer._weakref() if finalizer._weakref is not None else None
        if pools and isinstance(pool, pools) and not pool._cache:
            processes = {process.pid for process in pool._pool if hasattr(process, "pid")}
            yield processes, (pool._worker_handler, pool._task_handler, pool._result_handler)

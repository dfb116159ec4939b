"""The reaper: a small parent process that outlives its worker and leaves nothing of it behind.

The server starts the reaper, which forks the worker and then only waits for one of three things: the worker ends, the
server asks for its end (SIGTERM), or the server is gone (its end of our standard input closes, even after kill -9).
In each case it kills every process that the worker's scripts have started, including those that left the process
group: on Linux it adopts orphans (PR_SET_CHILD_SUBREAPER). It exits as the worker did, by the same signal or with the
same exit code, so that the server can tell how the worker ended.
"""

import os
import select
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

# How long a worker may take to exit by itself after its server closed the channel (atexit handlers of libraries).
EXIT_GRACE_SECONDS = 0.5
# How long to keep killing descendants that fork as fast as they are killed.
KILL_DEADLINE_SECONDS = 3.0


def fork_worker():
    """Fork the worker. Returns only in the worker; this process, its parent, becomes the reaper and never returns."""
    prctl = _load_prctl()
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGCONT)  # a reaper that a script has stopped continues when its server is gone
    reaper = os.getpid()
    worker = os.fork()
    if worker == 0:
        os.setpgid(0, 0)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != reaper:  # it died before the line above
            os._exit(1)
        return
    try:
        _exit_like(_watch(worker))
    finally:
        os._exit(1)


def _load_prctl():
    """prctl(2) of the C library on Linux; elsewhere, or in a Python without ctypes, does nothing."""
    if sys.platform.startswith("linux"):
        try:
            import ctypes
            return ctypes.CDLL(None).prctl
        except (ImportError, OSError, AttributeError):
            pass
    return lambda *_: -1


def _watch(worker):
    """Wait until the worker ends or should end, and kill what is left of it; returns its wait status."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    asked_to_end = []
    signal.signal(signal.SIGTERM, lambda *_: asked_to_end.append(True))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(ignored, signal.SIG_IGN)
    os.close(1)  # the worker's end of the channel: the server must see it close when the worker ends
    poller = select.poll()
    poller.register(0, 0)  # only for POLLHUP: the worker reads the input
    poller.register(wake_read, select.POLLIN)
    deadline = None
    while True:
        status = _reap(worker)
        if status is not None or asked_to_end:
            break
        if deadline is not None and time.monotonic() >= deadline:
            break
        timeout = None if deadline is None else max(1, int((deadline - time.monotonic()) * 1000))
        for fd, _ in poller.poll(timeout):
            if fd == 0:
                poller.unregister(0)
                deadline = time.monotonic() + EXIT_GRACE_SECONDS
            else:
                os.read(wake_read, 4096)
    killed_status = _kill_all(worker)
    return killed_status if status is None else status


def _reap(worker):
    """Reap every child that has ended; returns the worker's wait status, or None while it runs."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid == worker:
            return status


def _kill_all(worker):
    """Kill the worker's process group and all descendants; returns the worker's wait status if it ended here."""
    worker_status = None
    _kill(os.killpg, worker)
    deadline = time.monotonic() + KILL_DEADLINE_SECONDS
    while time.monotonic() < deadline:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return worker_status
        if pid == worker:
            worker_status = status
        if pid == 0:
            for descendant in _descendants(os.getpid()) or [worker]:
                _kill(os.kill, descendant)
            time.sleep(0.002)
    return worker_status


def _kill(how, pid):
    try:
        how(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _descendants(root):
    """Process ids below `root`, from /proc; empty where there is none (macOS)."""
    children = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    for name in names:
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, "rb") as file:
                    # pid (name) state ppid ...; the name may contain spaces and parentheses
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            children.setdefault(parent, []).append(int(name))
    found, queue = [], [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def _exit_like(status):
    if status is not None and os.WIFSIGNALED(status):
        import resource
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        number = os.WTERMSIG(status)
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(1 if status is None else os.WEXITSTATUS(status))

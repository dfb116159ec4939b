"""Memory that a large call used: freed after the reply, kept for the next call, returned to the system later.

Freeing a million values takes processor time that sending the reply needs, so they are freed after it was sent.

Fresh memory costs a page fault every 4 KiB, which is a quarter of the time to read a request of megabytes, and the C
library returns freed memory to the system at once. Dashboards tend to send the next request within a minute, so freed
memory is kept that long, counted from the first call that may have used much.

Linux with the GNU C library; elsewhere nothing is changed.
"""

import os
import sys
import time

# mallopt(3): freed blocks from this size on are returned at once, and so is the heap's free end.
_LARGEST_KEPT = 1024 * 1024 * 1024
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

# An answer of megabytes has been sent by then.
FREED_AFTER_SECONDS = 0.05
KEPT_SECONDS = 60.0
# Less memory than this is not returned, and shorter calls can't have used as much.
_WORTH_BYTES = 32 * 1024 * 1024
_SHORT_MICROSECONDS = 2000


class FreedMemory:
    """`keeps`: whether to keep freed memory at all. `used`: what the last call no longer needs, to be freed."""

    def __init__(self, keeps):
        self.used = None
        self._trim = _load_trim() if keeps else None
        self._resting = _resident_bytes()  # of a worker that keeps no freed memory
        self._until = None  # when kept memory is returned, by time.monotonic(); None when none is kept

    def call_took(self, microseconds):
        """A call was answered."""
        if microseconds > _SHORT_MICROSECONDS and self._until is None and self._trim is not None:
            if _resident_bytes() > self._resting + _WORTH_BYTES:
                self._until = time.monotonic() + KEPT_SECONDS

    def release(self, wait):
        """Free what was used, and return kept memory to the system if its time ends before the next call.

        `wait(seconds)` waits for that call; True when it has arrived.
        """
        if self._until is None:
            self.used = None
            return
        if self.used is not None:
            wait(FREED_AFTER_SECONDS)
            self.used = None
        left = self._until - time.monotonic()
        if left <= 0 or not wait(left):
            self._until = None
            self._trim(0)
            self._resting = _resident_bytes()


def _resident_bytes():
    """Resident memory of this process; 0 where it can't be known."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def _load_trim():
    """malloc_trim(3), after the C library was told to keep what is freed; None where it can't be."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        import ctypes
        library = ctypes.CDLL(None)
        trim = library.malloc_trim
        if library.mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT) and library.mallopt(_M_TRIM_THRESHOLD, _LARGEST_KEPT):
            return trim
    except (ImportError, OSError, AttributeError):  # a Python without ctypes, another C library
        pass
    return None

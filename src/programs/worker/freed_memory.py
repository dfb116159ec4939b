"""Memory that a large call used: freed late, kept for the next call, given back to the system later still.

To free a million values takes a processor's time that the answer needs on its way: they go when it has left.

Fresh memory costs a page fault every 4 KiB. For a request of megabytes they take a quarter of the time of reading it,
and the C library gives such memory back as soon as it is free. Here it keeps it, and gives it back a minute after the
first call that could have used much: who looks at a view asks again soon, or much later.

Linux with the GNU C library; elsewhere nothing is changed.
"""

import os
import sys
import time

# mallopt(3): freed blocks of this many bytes go back at once, and so does the heap's free end.
_LARGEST_KEPT = 1024 * 1024 * 1024
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

# An answer of megabytes has left by then.
FREED_AFTER_SECONDS = 0.05
KEPT_SECONDS = 60.0
# Less than this is not worth a thought, and neither is a call that can't have used it in its time.
_WORTH_BYTES = 32 * 1024 * 1024
_SHORT_MICROSECONDS = 2000


class KeptMemory:
    """`keeps` is whether to keep memory at all.

    `used` is anything that the last call no longer needs.
    """

    def __init__(self, keeps):
        self.used = None
        self._trim = _load_trim() if keeps else None
        self._resting = _resident_bytes()  # what a worker has that keeps nothing
        self._until = None  # when what is kept goes back, by time.monotonic(); None when nothing is kept

    def call_took(self, microseconds):
        """A call was answered."""
        if microseconds > _SHORT_MICROSECONDS and self._until is None and self._trim is not None:
            if _resident_bytes() > self._resting + _WORTH_BYTES:
                self._until = time.monotonic() + KEPT_SECONDS

    def give_back(self, wait):
        """Free what was used, and give back what is kept when its time has come before the next call.

        `wait(seconds)` waits for that call, and tells whether it has come.
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

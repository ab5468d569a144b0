"""What the system gives the client: time to run, threads, descriptors, memory."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import time
from pathlib import Path
from typing import Final

from ledger.lines import Writer
from support.sockets import sockets

_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_LOOK_S: Final = 0.02
_WORTH_S: Final = 0.001
_OTHERS: Final = (
    "grpc",
    "channel_spin",
    "_serve",
    "consume_request_iterator",
)  # grpcio's own, which end when they like


def level() -> dict[str, int]:
    """Count what must return to where it was."""
    threads = [one for one in threading.enumerate() if not any(name in one.name for name in _OTHERS)]
    return {"threads": len(threads), "sockets": len(sockets())}


def settled_level(most: dict[str, int], within: float = 5.0) -> dict[str, int]:
    """Count again, once nothing is above *most* or the time is over: grpcio closes its sockets some time after."""
    until = time.monotonic() + within
    now = level()
    while any(value > most[name] for name, value in now.items()) and time.monotonic() < until:
        time.sleep(0.02)
        now = level()
    return now


def give_back_freed_memory() -> None:
    """Let what is freed and large go back to the system at once, so that what the process has is what it uses."""
    with contextlib.suppress(OSError, AttributeError):  # another system
        system = ctypes.CDLL(None)
        system.mallopt(_M_MMAP_THRESHOLD, 1 << 16)
        system.mallopt(_M_ARENA_MAX, 1)  # else what each thread once freed stays with it


def trim() -> None:
    """Give back what is freed and small, too."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def resident_kb() -> int:
    """Tell how much memory this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") // 1024


def _starved_s() -> float:
    """Seconds that threads of this process were ready to run and another process had the processor."""
    waited = 0
    for task in os.listdir("/proc/self/task"):
        try:
            waited += int(Path(f"/proc/self/task/{task}/schedstat").read_text().split()[1])
        except (OSError, ValueError):  # it has ended
            continue
    return waited / 1e9


class Watch:
    """Writes a ``pause`` for each moment in which the system did not let this process run.

    The rule of lateness allows for it: what the machine takes is no fault of the client, and a machine that is quiet
    allows for nothing.
    """

    def __init__(self, ledger: Writer) -> None:
        self._ledger = ledger
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._look, name="ledger-watch")
        self._thread.start()

    def _look(self) -> None:
        since, before = time.monotonic(), self._starved()
        while not self._ends.wait(_LOOK_S):
            now, starved = time.monotonic(), self._starved()
            if starved - before > _WORTH_S:
                self._ledger.write("pause", begin=f"{since:.6f}", seconds=f"{starved - before:.6f}")
            since, before = now, starved

    @staticmethod
    def _starved() -> float:
        try:
            return _starved_s()
        except OSError:  # no descriptor left, or another system
            return 0.0

    def close(self) -> None:
        """Look no more."""
        self._ends.set()
        self._thread.join()

"""What calls in flight cost in memory, in a process of its own: ``python -m benchmarks.held CALLS``, for `growth`.

In one that has had calls before, the memory that those gave back would be used again and not be seen.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from callahead.consumer import Consumer

from .dubbo import TEXT, configuration
from .loops import windowed
from .servers import dubbo_echo


def resident_bytes() -> int:
    """Return how much memory this process has resident."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(count: int) -> dict[str, int]:
    """Have *count* calls unanswered at once, by a provider that is stopped; then let it answer them all."""
    with dubbo_echo() as server, Consumer(configuration(server.port)) as consumer:
        echo = consumer.reference("echo").echo
        windowed(lambda: echo.future(TEXT), 100)(2000)
        gc.collect()
        before, threads = resident_bytes(), threading.active_count()
        os.kill(server.pid, signal.SIGSTOP)
        try:
            futures = [echo.future(TEXT) for _ in range(count)]
            time.sleep(0.5)
            held = resident_bytes() - before
        finally:
            os.kill(server.pid, signal.SIGCONT)
        right = sum(future.result() == TEXT for future in futures)
        more = threading.active_count() - threads
    return {"bytes_per_call": round(held / count), "answered": right, "more_threads": more}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))

"""What calls in flight cost in memory, in a process of its own: ``python -m benchmarks.held CALLS PROTOCOL``.

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
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from callahead.consumer import Consumer

from . import dubbo, tri
from .loops import windowed
from .servers import Server, dubbo_echo, grpc_go_echo


def resident_bytes() -> int:
    """Return how much memory this process has resident."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def echoing(over: str) -> Iterator[tuple[Server, Any, Any]]:
    """A server of the protocol *over*, a method that echoes there, and its argument."""
    with ExitStack() as stack:
        if over == "dubbo":
            server, argument = stack.enter_context(dubbo_echo()), dubbo.TEXT
            settings = dubbo.configuration(server.port)
        else:
            server, argument = stack.enter_context(grpc_go_echo()), dubbo.TEXT.encode()
            settings = tri.configuration(server.port, "http2", timeout="300s")  # a busy machine needs long for so many
        yield server, stack.enter_context(Consumer(settings)).reference("echo").echo, argument


def measure(count: int, over: str) -> dict[str, int]:
    """Have *count* calls unanswered at once, by a provider that is stopped; then let it answer them all."""
    with echoing(over) as (server, echo, argument):
        windowed(lambda: echo.future(argument), 100)(2000)
        gc.collect()
        before, threads = resident_bytes(), threading.active_count()
        os.kill(server.pid, signal.SIGSTOP)
        try:
            futures = [echo.future(argument) for _ in range(count)]
            time.sleep(0.5)
            held = resident_bytes() - before
        finally:
            os.kill(server.pid, signal.SIGCONT)
        right = sum(future.result() == argument for future in futures)
        more = threading.active_count() - threads
    return {"bytes_per_call": round(held / count), "answered": right, "more_threads": more}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), sys.argv[2])))

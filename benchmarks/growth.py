"""How the dubbo transport grows: memory of calls in flight, throughput by calls in flight, memory over many calls."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from callahead.consumer import Consumer

from .dubbo import TEXT, configuration
from .loops import windowed
from .servers import HERE


def resident_bytes() -> int:
    """Return how much memory this process has resident."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _server(stack: ExitStack) -> tuple[int, int]:
    """Start the C server; return its port and process id, for it is to be stopped and continued."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    program = str(Path(folder) / "dubbo_echo")
    subprocess.run(["cc", "-O2", "-o", program, str(HERE / "dubbo_echo.c")], check=True)
    process = stack.enter_context(subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    assert process.stdin is not None
    assert process.stdout is not None
    stack.callback(process.stdin.close)
    return int(process.stdout.readline()), process.pid


def run(most: int) -> dict[str, Any]:
    """Measure; *most* is the largest number of calls of the growth curve."""
    with ExitStack() as stack:
        port, server = _server(stack)
        echo = stack.enter_context(Consumer(configuration(port))).reference("echo").echo
        begin = lambda: echo.future(TEXT)  # noqa: E731 - it is measured, so nothing more than this
        windowed(begin, 100)(2000)
        return {
            "held": [_held(echo, server, count) for count in (1_000, 10_000, 100_000)],
            "throughput": [_throughput(begin, limit) for limit in (1, 10, 100, 1_000, 10_000)],
            "growth": [_growth(begin, count) for count in (1_000, 10_000, 100_000, 1_000_000) if count <= most],
        }


def _held(echo: Any, server: int, count: int) -> dict[str, Any]:
    """Have *count* calls unanswered at once, by a server that is stopped; then let it answer them all."""
    gc.collect()
    before, threads = resident_bytes(), threading.active_count()
    os.kill(server, signal.SIGSTOP)
    try:
        futures = [echo.future(TEXT) for _ in range(count)]
        time.sleep(0.5)
        held = resident_bytes() - before
    finally:
        os.kill(server, signal.SIGCONT)
    right = sum(future.result() == TEXT for future in futures)
    return {
        "calls": count,
        "bytes_per_call": round(held / count),
        "answered": right,
        "threads": threading.active_count() - threads,
    }


def _throughput(begin: Any, limit: int) -> dict[str, Any]:
    count = max(5_000, min(30_000, limit * 5))
    start, cpu = time.perf_counter(), time.process_time()
    windowed(begin, limit)(count)
    wall, used = time.perf_counter() - start, time.process_time() - cpu
    return {
        "in_flight": limit,
        "calls_per_second": round(count / wall),
        "cpu_us_per_call": round(used / count * 1e6, 1),
    }


def _growth(begin: Any, count: int) -> dict[str, Any]:
    start = time.perf_counter()
    windowed(begin, 100)(count)
    wall = time.perf_counter() - start
    gc.collect()
    return {"calls": count, "calls_per_second": round(count / wall), "resident_mib": round(resident_bytes() / 2**20, 1)}

"""What is counted of a method's calls, from several threads at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from callahead.consumer.errors import RemoteError
from callahead.consumer.interceptor.metrics import CallMetrics, MethodCounts


@pytest.fixture
def switching() -> Iterator[None]:
    """Let threads take turns as often as can be."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_each_end_is_counted_as_what_it_was() -> None:
    """The usual one, a repeated call, a failure, and one that runs; looking changes nothing."""
    metrics = CallMetrics()
    for _ in range(4):
        metrics.begin()
    metrics.end_well()
    metrics.end(3, None)
    metrics.end(0, RemoteError("no"))
    for _ in range(3):
        assert metrics.counts() == MethodCounts(4, 1, 4, {"RemoteError": 1}, 0)
        assert metrics.calls == 4


@pytest.mark.usefixtures("switching")
def test_nothing_is_lost_between_threads() -> None:
    """Threads that count at the same time, while another looks, are all counted; no look sees more ends than begins."""
    metrics, seen = CallMetrics(), []

    def count() -> None:
        for _ in range(2000):
            metrics.begin()
            metrics.end_well()

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen.append(metrics.counts().running)
    assert metrics.counts() == MethodCounts(6000, 0, 6000, {}, 0)
    assert min(seen, default=0) >= 0

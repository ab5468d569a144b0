"""Attempts that end on several threads at once, beside cancellations: each call ends once, and nothing is left."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from random import Random
from typing import Any

import pytest
from support.shop import Shop

from callahead.consumer import ConnectFailed, ConnectionLost, RemoteError
from callahead.consumer.testing.scripted_transport import ScriptedTransport

CLUSTERS: dict[str, dict[str, Any]] = {
    "forking": {"cluster": "forking", "forks": 3},
    "hedged": {"hedge": {"after": 1, "max": 2}},
    "broadcast": {"cluster": "broadcast", "broadcast_fail_percent": 34},
    "mergeable": {"cluster": "mergeable"},
    "failback": {"cluster": "failback", "failback_period": 1},
    "failover": {"retry_backoff": {"base": 1}},
}
CALLS = 300
THREADS = 4


class Answering:
    """Threads that end attempts at random, whichever comes."""

    def __init__(self, transport: ScriptedTransport) -> None:
        self._transport = transport
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(seed,)) for seed in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def _run(self, seed: int) -> None:
        chance = Random(seed)
        while not self._over.is_set():
            try:
                # With a timeout a SimpleQueue that several threads take from may wait for ever (CPython 3.11).
                call = self._transport._calls.get_nowait()
            except queue.Empty:
                time.sleep(0.001)
                continue
            lot = chance.random()
            if lot < 0.5:
                call.reply("answer")
            elif lot < 0.6:
                call.fail(RemoteError("no"))
            elif lot < 0.8:
                call.fail(ConnectFailed("refused", not_sent=True))
            else:
                call.fail(ConnectionLost("reset", in_doubt=True))

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("name", CLUSTERS)
def test_each_call_ends_once(name: str) -> None:
    """However many threads bring its ends."""
    told: Counter[int] = Counter()
    settings = {"idempotent": True, "unobserved": "ignore", "outlier": {"enabled": False}}
    shop = Shop(methods={"findFoo": CLUSTERS[name]}, reference=settings, providers=4)
    answering, chance, foo = Answering(shop.transport), Random(7), shop.foo
    futures = []
    for number in range(CALLS):
        future = foo.findFoo.future(number)
        future.add_done_callback(lambda _, number=number: told.update([number]))
        futures.append(future)
        if chance.random() < 0.3:
            futures[chance.randrange(len(futures))].cancel()
    assert shop.consumer.wait_idle(30)
    answering.stop()
    shop.consumer.close(0)
    counts = shop.consumer.counts()["foo"]["findFoo"]
    assert all(future.done() for future in futures)
    assert (len(told), set(told.values())) == (CALLS, {1})
    assert (counts.calls, counts.running) == (CALLS, 0)
    assert sum(counts.failures.values()) == sum(
        future.cancelled() or future.exception() is not None for future in futures
    )
    assert "queued" not in counts.cluster
    queued = counts.cluster.get("delivered", 0) + counts.cluster.get("given_up", 0)
    assert name != "failback" or queued > 0

"""Attempts at a peer that is just starting."""

from __future__ import annotations

import threading

from contract.transport.harness import SOON, Attempt, Carrier, Peer
from contract.transport.kinds import over

from callahead.consumer.errors import ConnectFailed


@over("tells every refusal")
def test_refused_while_the_peer_starts(carrier: Carrier, peer: Peer) -> None:
    """Each attempt that found nobody there was not sent, though a connection comes about in the same moment."""
    carrier.warm(peer)
    peer.crash()
    while not isinstance(carrier.send().outcome().error, ConnectFailed):
        pass
    attempts: list[Attempt] = []
    reached = threading.Event()

    def ask() -> None:
        while not reached.is_set():
            attempts.append(carrier.send(timeout=SOON))
            reached.wait(0.001)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    peer.come_back()
    peer.next()
    reached.set()
    for thread in threads:
        thread.join()
    refused = [attempt for attempt in attempts if attempt.has_ended and attempt.outcome().error is not None]
    assert {attempt.fate() for attempt in refused} <= {"not sent"}

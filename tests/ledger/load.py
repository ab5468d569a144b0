"""Calls at a rate, in every mode, by a seed."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from ledger.client import Ask, Client
from ledger.together import SCOPES, ask_together

SYNC_THREADS: Final = 4
_MOST_BEHIND_S: Final = 0.2
MODES: Final[Sequence[tuple[str, int]]] = (
    ("future", 40),
    ("again", 13),
    ("heard", 8),
    ("ahead", 10),
    ("sent", 10),
    ("lazy", 10),
    ("sync", 8),
    ("oneway", 5),
    *((scope, 1) for scope in SCOPES),
)
_HOLDING: Final = ("sync", *SCOPES)
"""Modes that hold the thread which asks."""
Choice = Callable[[Random], Ask]


def mixed(most_ms: float = 20.0, modes: Sequence[tuple[str, int]] = MODES) -> Choice:
    """Choose any mode, by its weight, and a delay of up to *most_ms*; one method in fifty fails."""
    names, weights = zip(*modes, strict=True)

    def choose(random: Random) -> Ask:
        (mode,) = random.choices(names, weights)
        return Ask(mode=mode, delay_ms=round(random.random() * most_ms, 1), fails=random.random() < 0.02)

    return choose


class Load:
    """Asks *client* at *rate* calls a second from its making until `stop`, whatever comes back.

    A load that has fallen behind, since the machine has other things to do, leaves out what it is late with.

    Args:
        client: Who is asked.
        rate: Calls a second.
        choose: What is asked.
        random: The only source of chance.
    """

    def __init__(self, client: Client, rate: float, choose: Choice, random: Random) -> None:
        self._client = client
        self._pause = 1 / rate
        self._choose = choose
        self._random = random
        self._ends = threading.Event()
        self._waiting: queue.SimpleQueue[Ask | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._issue, name="ledger-load")]
        self._threads += [threading.Thread(target=self._serve, name="ledger-sync") for _ in range(SYNC_THREADS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Make no further call; those that wait have ended."""
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def _issue(self) -> None:
        due = time.monotonic()
        while not self._ends.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._pause, time.monotonic() - _MOST_BEHIND_S)
            ask = self._choose(self._random)
            if ask.mode in _HOLDING:
                self._waiting.put(ask)
            else:
                self._client.ask(ask)
        for _ in range(SYNC_THREADS):
            self._waiting.put(None)

    def _serve(self) -> None:
        while (ask := self._waiting.get()) is not None:
            ask_as_told(self._client, ask)


def ask_as_told(client: Client, ask: Ask) -> None:
    """Make a call, or those of a scope."""
    if ask.mode in SCOPES:
        ask_together(client, ask)
    else:
        client.ask(ask)


def run_load(client: Client, seconds: float, rate: float, choose: Choice, random: Random) -> None:
    """Ask for so long, and wait for every end."""
    load = Load(client, rate, choose, random)
    time.sleep(seconds)
    load.stop()
    client.wait()

"""A program that ends with calls that run: ``python -m ledger.leaver CARRIER URL LEDGER HOW BY``.

It makes calls that end soon, calls that do not, and one-way calls, says so by a line, and goes as it is told.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from ledger.carriers import CARRIERS
from ledger.client import Ask, Client
from ledger.lines import Writer

_SOON = 60
_NEVER = 40
_LONG_S = 20


def main(carrier: str, url: str, ledger: str, how: str, by: str) -> None:
    """Make the calls, and go."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    client = Client(
        Writer(Path(ledger)),
        CARRIERS[carrier],
        url,
        by=by,
        shutdown_timeout=800,
        waits=False,
        timeout=20_000,
        retries=0,
    )
    for number in range(_SOON):
        client.ask(Ask(mode=("ahead", "future", "oneway")[number % 3], delay_ms=number))
    for _ in range(_NEVER):
        client.ask(Ask(mode="ahead", delay_ms=2500))
    print("made", flush=True)
    if how in ("Ctrl-C", "SIGTERM"):
        _linger()
    elif how == "sys.exit":
        sys.exit(0)
    elif how == "uncaught error":
        raise RuntimeError("nobody catches this")


def _linger() -> None:
    """Wait for the signal, in short sleeps: one that comes as a sleep is about to begin CPython sees only after it."""
    ends = time.monotonic() + _LONG_S
    while time.monotonic() < ends:
        time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])

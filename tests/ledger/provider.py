"""The provider, a program of its own: ``python -m ledger.provider PROTOCOL LEDGER PORT THREADS``.

It prints its port and serves until its standard input ends; then it drains. SIGUSR1 lets it refuse every call, or take
them again.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from ledger.carriers import CARRIERS, Aborting, Carrier
from ledger.lines import Writer
from ledger.text import Asked, digest
from support.sockets import free_port


class Desk:
    """Takes calls, and writes what becomes of them."""

    def __init__(self, carrier: Carrier, ledger: Writer) -> None:
        self._carrier = carrier
        self._ledger = ledger
        self._refuses = False

    def turn(self, *_: object) -> None:
        """Refuse from now on, or no longer."""
        self._refuses = not self._refuses

    def handle(self, text: str, call: Aborting) -> str:
        """Run one call; its line is what it does."""
        asked = Asked.of(text)
        self._ledger.write("received", asked.id)
        if self._refuses:
            self._ledger.write("refused", asked.id)
            call.abort(self._carrier.refusal, "no room")
        time.sleep(asked.delay_ms / 1000)
        if asked.fails:
            self._ledger.write("executed", asked.id, failed=1)
            call.abort(self._carrier.failure, "as it was asked to")
        self._ledger.write("executed", asked.id, answer=digest(asked.answer))
        self._ledger.write("replied", asked.id)
        return asked.answer


def main(name: str, path: str, port: str, threads: str) -> None:
    """Be the provider."""
    carrier = CARRIERS[name]
    desk = Desk(carrier, Writer(Path(path)))
    signal.signal(signal.SIGUSR1, desk.turn)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started it
    assert carrier.serve is not None
    at = int(port) or free_port()
    served = carrier.serve(desk.handle, at, int(threads))
    print(at, flush=True)
    sys.stdin.buffer.read()
    served.drain()


if __name__ == "__main__":
    main(*sys.argv[1:])

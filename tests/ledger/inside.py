"""The provider of protocol ``python``: an object of the client's process, which knows nothing of calls."""

from __future__ import annotations

from pathlib import Path
from typing import Never

from ledger.carriers import CARRIERS
from ledger.lines import Writer
from ledger.provider import Desk


class Provider:
    """A blocking client, in the provider's place.

    Args:
        ledger: The provider's file, which it writes as any other does.
    """

    def __init__(self, ledger: str) -> None:
        self._ledger = Writer(Path(ledger))
        self._desk = Desk(CARRIERS["python"], self._ledger)

    def SayHello(self, text: str) -> str:
        """Run one call."""
        return self._desk.handle(text, _Raising())

    def close(self) -> None:
        """Let go of the file."""
        self._ledger.close()


class _Raising:
    def abort(self, code: type[Exception], details: str) -> Never:
        """Fail as a method does."""
        raise code(details)

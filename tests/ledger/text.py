"""What is asked and answered: a text that carries the call's id, and what the provider is to do with it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Asked:
    """A request.

    Attributes:
        id: Of the call.
        delay_ms: How long the provider takes to run it.
        fails: The method fails, after it ran.
        padding: Bytes to make it larger.
    """

    id: str
    delay_ms: float = 0.0
    fails: bool = False
    padding: int = 0

    @property
    def text(self) -> str:
        """As it travels."""
        return f"{self.id}|{self.delay_ms}|{int(self.fails)}|{'x' * self.padding}"

    @classmethod
    def of(cls, text: str) -> Self:
        """Read it back."""
        call, delay_ms, fails, padding = text.split("|")
        return cls(call, float(delay_ms), fails == "1", len(padding))

    @property
    def answer(self) -> str:
        """What the provider answers: nobody else's answer is the same."""
        return f"{self.id}|answered|{'y' * min(self.padding, 100)}"


def digest(answer: str) -> str:
    """Shorten an answer for the ledger."""
    return f"{zlib.crc32(answer.encode()):08x}"

"""Callbacks that a future owes: somebody has asked for them, and they are not due yet."""

from __future__ import annotations

from typing import Any

from .invocation import Outcome
from .lean_future import Due


def owing(submit: Due, owed: set[object]) -> Due:
    """Note in *owed* that *submit* is to be called, until it has been.

    A call that ends is first taken from those that run, and then brings its callbacks: who waits until nothing is left
    of either would find a moment between the two.
    """

    def pay(future: Any, outcome: Outcome) -> None:
        try:
            submit(future, outcome)
        finally:
            owed.discard(pay)

    owed.add(pay)
    return pay

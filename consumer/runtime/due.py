"""A callback that is due, and how it is run, on whichever thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Context
from typing import Any, NamedTuple, Protocol

_LOG = logging.getLogger("callahead.consumer.callbacks")

DueCallback = tuple[Context, object, Callable[..., Any], tuple[Any, ...], object]
"""One callback: the context in a copy of which it runs; what names it and its call in the log; function and arguments;
what it brings, a future or the record of a call that it ends, or None where nobody can wait for that."""


class Named(Protocol):
    """A call."""

    @property
    def name(self) -> str:
        """``reference.method``."""


class CallbackName(NamedTuple):
    """What names a callback and its call; most are never asked for it, so that it is made only then.

    Attributes:
        kind: What the callback is.
        call: That which it is of.
    """

    kind: str
    call: Named

    def __str__(self) -> str:
        return f"{self.kind} of {self.call.name}"


def run(context: Context, what: object, function: Callable[..., Any], args: tuple[Any, ...], _: object) -> None:
    """Run the callback that these make up; what it raises is logged, and goes no further."""
    try:
        context.copy().run(function, *args)
    except BaseException:  # a callback must neither vanish silently nor take the thread along
        _LOG.exception("%s raised", what)

"""A callback that is due, and how it is run, on whichever thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Context
from typing import Any

_LOG = logging.getLogger("callahead.consumer.callbacks")

DueCallback = tuple[Context, str, Callable[..., Any], tuple[Any, ...], object]
"""One callback: the context in a copy of which it runs; what names it and its call in the log; function and arguments;
what it brings, a future or the record of a call that it ends, or None where nobody can wait for that."""


def run(context: Context, what: str, function: Callable[..., Any], args: tuple[Any, ...], _: object) -> None:
    """Run the callback that these make up; what it raises is logged, and goes no further."""
    try:
        context.copy().run(function, *args)
    except BaseException:  # a callback must neither vanish silently nor take the thread along
        _LOG.exception("%s raised", what)

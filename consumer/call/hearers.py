"""Who hears of one call's end, by the call's own options: a handler, as in the AWS SDK for C++, or a listener."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

from .invocation import Outcome

Handler = Callable[[Any, Any, Outcome, Any], object]
"""Called as ``handler(client, request, outcome, caller_context)``, once for each call, on a callback thread."""


@dataclass
class CallerContext:
    """What a caller gives its handler along with a call; derive from it to give more.

    Attributes:
        uuid: Any text that tells the calls apart; a random one where none is given.
    """

    uuid: str = field(default_factory=lambda: str(uuid4()))


class Listener(Protocol):
    """Hears of each call's end by one of two methods; on a callback thread, as a handler."""

    def on_success(self, result: Any, /) -> object:
        """Take the answer."""

    def on_failure(self, error: BaseException, /) -> object:
        """Take what went wrong; `concurrent.futures.CancelledError` stands for a cancelled call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearers:
    """The options of `callahead.consumer.Method.with_options` that are about who hears of the end.

    Attributes:
        handler: Called with the outcome, or None.
        caller_context: Given to the handler.
        listener: Told of the answer or the error, or None.

    Raises:
        TypeError: One of them cannot be called, or nobody would get the *caller_context*.
    """

    handler: Handler | None = None
    caller_context: Any = None
    listener: Listener | None = None

    def __post_init__(self) -> None:
        if self.handler is not None and not callable(self.handler):
            raise TypeError(f"handler is {type(self.handler).__name__}, which cannot be called")
        if self.caller_context is not None and self.handler is None:
            raise TypeError("caller_context is for a handler, and there is none")
        for name in ("on_success", "on_failure") if self.listener is not None else ():
            if not callable(getattr(self.listener, name, None)):
                raise TypeError(f"listener is {type(self.listener).__name__}, which has no method {name}")

    def told_by(self, client: Any, request: Any, outcome: Outcome) -> list[tuple[str, Callable[[], object]]]:
        """List what is to be called, each with what the log names it."""
        told: list[tuple[str, Callable[[], object]]] = []
        handler, listener = self.handler, self.listener
        if handler is not None:
            told.append(("handler", lambda: handler(client, request, outcome, self.caller_context)))
        if listener is not None:
            told.append(("listener", lambda: _tell(listener, outcome)))
        return told


def _tell(listener: Listener, outcome: Outcome) -> None:
    if outcome.error is None:
        listener.on_success(outcome.value)
    else:
        listener.on_failure(outcome.error)


def request_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return a call's own arguments as one object.

    A single one is itself, keywords are their mapping, several positional ones their tuple; where there are both, a
    tuple of the two.
    """
    if not kwargs:
        return args[0] if len(args) == 1 else args
    return (args, kwargs) if args else kwargs

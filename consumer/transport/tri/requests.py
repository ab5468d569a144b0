"""The requests of a client stream, as bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self

from ...call.plain import plain_items
from ...errors import LocalProtocolError, RpcError, SerializationError

Serialize = Callable[[tuple[Any, ...], Mapping[str, Any]], bytes]
"""Makes bytes of one request."""


class Requests(Iterator[bytes]):
    """The requests of a client stream as bytes; keeps what went wrong in them, of which grpcio only tells the log.

    Attributes:
        error: What went wrong, or None.
        on_end: Called when the last of them was written; None where nobody waits for that.
    """

    def __init__(self, items: Iterable[Any], serialize: Serialize) -> None:
        self._items = iter(items)
        self._serialize = serialize
        self.error: Exception | None = None
        self.on_end: Callable[[], None] | None = None

    @classmethod
    def of(cls, path: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], serialize: Serialize) -> Self:
        """Make them of the arguments of a call of *path*.

        Raises:
            SerializationError: Those are no single iterable.
        """
        if len(args) != 1 or kwargs or isinstance(args[0], str | bytes | Mapping) or not isinstance(args[0], Iterable):
            got = ", ".join([type(arg).__name__ for arg in args] + [f"{name}=" for name in kwargs]) or "nothing"
            raise SerializationError(f"{path}: expected one iterable of requests, got {got}", not_sent=True)
        return cls(plain_items(args[0]), serialize)

    def __next__(self) -> bytes:
        try:
            return self._serialize((next(self._items),), {})
        except StopIteration:
            if self.on_end is not None:
                self.on_end()
            raise
        except Exception as error:
            self.error = error
            raise


def of_requests(error: Exception) -> RpcError:
    """Make the error of a stream whose requests raised *error*; those before it may have been worked upon."""
    ours = error if isinstance(error, RpcError) else _unread(error)
    ours.not_sent, ours.in_doubt = False, True
    return ours


def _unread(error: Exception) -> LocalProtocolError:
    """Make the error of a user's iterator that raised *error*, with grpcio's status and words."""
    ours = LocalProtocolError(f"the requests could not be read: {error!r}", status="UNKNOWN")
    ours.status_text = "Exception iterating requests!"
    ours.__cause__ = error
    return ours

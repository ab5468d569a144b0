"""A connection that is brought about before a call needs it."""

from __future__ import annotations

from typing import Final

from callahead.config.policy import ReferencePolicy

from ....call.attempt import Attempt
from ....call.invocation import Done
from ....wire.http2.settings import UNLIMITED
from ...tcp.greeting import NothingAsked
from .call import StreamCall
from .request import Request

_NOTHING: Final = Request(b"", UNLIMITED + 1, b"", b"")
"""Opens no stream: its headers are larger than any peer takes."""


class Opening(StreamCall):
    """Waits as any call does until streams can be opened, and ends then, without a word to the provider."""

    __slots__ = ()

    def __init__(self, attempt: Attempt, policy: ReferencePolicy, done: Done) -> None:
        super().__init__(_NOTHING, 0, attempt, NothingAsked(policy), done)  # type: ignore[arg-type]  # no answer, no method

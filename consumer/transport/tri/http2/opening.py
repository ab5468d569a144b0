"""A connection that is brought about before a call needs it."""

from __future__ import annotations

from typing import Any, Final

from callahead.config.policy import ReferencePolicy

from ....call.attempt import Attempt
from ....call.invocation import Done, Outcome
from ....wire.http2.settings import UNLIMITED
from ...trouble import Trouble
from .call import StreamCall
from .request import Request

_NOTHING: Final = Request(b"", UNLIMITED + 1, b"", b"")
"""Opens no stream: its headers are larger than any peer takes."""


class _Nothing:
    """What such a call asks for; a `CalledMethod`.

    Args:
        policy: Of the reference.
    """

    def __init__(self, policy: ReferencePolicy) -> None:
        self._policy = policy

    def decode(self, head: Any, body: Any, tail: Any, attempt: Attempt) -> Outcome:
        """See `CalledMethod.decode`; no answer comes."""
        del head, body, tail, attempt
        return Outcome(None)

    def worded(self, trouble: Trouble) -> str:
        """Word *trouble* with the places of the reference's settings."""
        return trouble.of(self._policy)


class Opening(StreamCall):
    """Waits as any call does until streams can be opened, and ends then, without a word to the provider."""

    __slots__ = ()

    def __init__(self, attempt: Attempt, policy: ReferencePolicy, done: Done) -> None:
        super().__init__(_NOTHING, 0, attempt, _Nothing(policy), done)  # type: ignore[arg-type]  # no answer, no method

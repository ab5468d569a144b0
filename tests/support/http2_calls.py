"""Calls over HTTP/2 whose connection stands still: a test does what that would do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from callahead.config.policy import MethodPolicy
from callahead.consumer.call.attempt import Attempt
from callahead.consumer.call.invocation import Outcome
from callahead.consumer.errors import LimitExceeded, RpcError, TransportError
from callahead.consumer.transport.tri.http2.call import UnaryCall
from callahead.consumer.transport.tri.http2.head import ResponseHead
from callahead.consumer.transport.tri.http2.request import Request, prefix_of
from callahead.consumer.transport.tri.http2.upload import UploadCall, Uploader
from callahead.consumer.transport.tri.requests import Requests
from callahead.consumer.transport.trouble import Trouble
from callahead.consumer.wire.http2.grpc import Message

from .attempts import attempt_of

POLICY = MethodPolicy(reference="foo", method="find")


class AnyMethod:
    """A `StreamedMethod` whose answers are what came."""

    most = 1000

    def decode(self, head: Any, body: Message | None, tail: ResponseHead | None, attempt: Attempt) -> Outcome:
        """Give the bytes of the message."""
        del head, tail, attempt
        return Outcome(None if body is None else body.data)

    def worded(self, trouble: Trouble) -> str:
        """Give its text."""
        return trouble.text

    def message_too_large(self, size: int) -> LimitExceeded:
        """Tell the size."""
        return LimitExceeded(f"a message of {size}", in_doubt=True)

    def metadata_too_large(self, size: int) -> LimitExceeded:
        """Tell the size."""
        return LimitExceeded(f"metadata of {size}", in_doubt=True)

    def refused(self, head: ResponseHead, attempt: Attempt) -> RpcError:
        """Tell why."""
        del attempt
        return TransportError(str(head.refusal), in_doubt=True)

    def reset(self, code: int, attempt: Attempt, *, answered: bool) -> RpcError:
        """Tell the code."""
        del attempt, answered
        return TransportError(f"reset {code}", in_doubt=True)


class Made(UnaryCall):
    """A call that keeps its outcomes."""

    __slots__ = ("outcomes",)

    def __init__(self, message: bytes = b"hello", *, block: bytes = b"\x83", expires: float = 100.0, headers: int = 50):
        attempt = attempt_of(POLICY)
        attempt.timeout, attempt.ends = 1.0, expires
        self.outcomes: list[Outcome] = []
        request = Request(block, headers, prefix_of(message), message)
        super().__init__(request, len(message) * 2, attempt, AnyMethod(), self.outcomes.append)

    @property
    def error(self) -> BaseException | None:
        """How it has failed; it must have ended once."""
        [outcome] = self.outcomes
        return outcome.error


class Fed(UploadCall):
    """A call whose requests a test feeds, or a thread does where there are any, and that keeps its outcomes."""

    __slots__ = ("attempt", "outcomes", "uploader")

    def __init__(
        self, requests: Iterable[bytes] = (), *, packs: str = "", on_sent: Callable[[], object] | None = None
    ) -> None:
        self.attempt = attempt = attempt_of(POLICY, on_sent=on_sent)
        attempt.timeout, attempt.ends = 1.0, 100.0
        self.outcomes: list[Outcome] = []
        self.uploader = Uploader(Requests(requests, lambda args, _: args[0]), self.outcomes.append)
        super().__init__(Request(b"\x83", 50, b"", b"", packs), self.uploader, attempt, AnyMethod())

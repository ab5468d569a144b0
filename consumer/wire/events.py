"""What a peer's bytes mean, each as a small tuple; whoever reads them looks at the type."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import LimitExceeded, RemoteProtocolError


class Response(NamedTuple):
    """The answer to a call.

    Attributes:
        id: As in the request.
        status: 20 is OK; any byte may come.
        body: In hessian2: of OK a value or exception, of any other status one string that says why.
    """

    id: int
    status: int
    body: bytes


class Request(NamedTuple):
    """A call, as a provider gets it.

    Attributes:
        id: The peer's own.
        two_way: An answer is wanted.
        body: In hessian2.
    """

    id: int
    two_way: bool
    body: bytes


class Heartbeat(NamedTuple):
    """A sign of life, to be answered with `heartbeat_answer_frame` where it is two-way.

    Attributes:
        trailing: Bytes behind its end; likewise in the events below.
    """

    id: int
    two_way: bool
    trailing: int = 0


class HeartbeatAnswer(NamedTuple):
    """The answer to a heartbeat of this side."""

    id: int
    trailing: int = 0


class ReadOnly(NamedTuple):
    """The peer is about to stop: no new calls; those that run are still answered. May come more than once."""

    id: int
    trailing: int = 0


class Writable(NamedTuple):
    """The peer takes new calls again."""

    id: int
    trailing: int = 0


class BadResponse(NamedTuple):
    """An answer that cannot be read, whose bytes were left out; only the call of that id fails.

    Attributes:
        id: As in the request.
        error: What that call fails with.
    """

    id: int
    error: LimitExceeded | RemoteProtocolError


class BadRequest(NamedTuple):
    """A call that cannot be read, as a provider gets it; its bytes were left out.

    Attributes:
        id: The peer's own.
        two_way: An answer is wanted: status 40 with the error's message.
        error: What is wrong.
    """

    id: int
    two_way: bool
    error: LimitExceeded | RemoteProtocolError


class BadEvent(NamedTuple):
    """An event that means nothing and was left out; no call is concerned, and the bytes after it are read on.

    Attributes:
        error: What is wrong with it.
    """

    error: RemoteProtocolError


class BrokenStream(NamedTuple):
    """The bytes cannot be cut into frames any more: the connection is to be closed. Always the last event.

    Attributes:
        error: What is wrong.
    """

    error: RemoteProtocolError


Event = (
    Response
    | Request
    | Heartbeat
    | HeartbeatAnswer
    | ReadOnly
    | Writable
    | BadResponse
    | BadRequest
    | BadEvent
    | BrokenStream
)

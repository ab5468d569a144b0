"""What a peer's frames mean, each as a small tuple; whoever reads them looks at the type.

What asks for nothing and says nothing, such as the answer to this side's settings, is no event.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...errors import RemoteProtocolError


class Headers(NamedTuple):
    """The first or the last word of an answer.

    Attributes:
        stream: Opened by this side, and perhaps over already; likewise in all events of a stream.
        head: What the reader's ``parse`` made of the headers; shared with others, where the headers were the same.
        ended: The peer says no more.
    """

    stream: int
    head: Any
    ended: bool


class OversizedHeaders(NamedTuple):
    """Headers that were left out; only that stream is concerned.

    Attributes:
        size: Bytes that they have at least.
    """

    stream: int
    size: int


class Data(NamedTuple):
    """Some bytes of an answer.

    Attributes:
        size: By how much they fill the windows, padding included.
        ended: The peer says no more.
    """

    stream: int
    data: bytes
    size: int
    ended: bool


class Answer(NamedTuple):
    """Headers, one frame of data and trailers that came together: a whole answer, as nearly all are, in one event.

    Attributes:
        head: As that of `Headers`.
        data: As that of `Data`, without padding, and not empty.
        tail: What ``parse`` made of the trailers; the peer says no more.
    """

    stream: int
    head: Any
    data: bytes
    tail: Any


class Reset(NamedTuple):
    """The peer gave a stream up, by an error code."""

    stream: int
    code: int


class WindowUpdate(NamedTuple):
    """This side may send *increment* more bytes on *stream*, 0 for the whole connection."""

    stream: int
    increment: int


class Settings(NamedTuple):
    """What the peer wants, by number; to be answered with `SETTINGS_ACK`."""

    values: tuple[tuple[int, int], ...]


class Ping(NamedTuple):
    """To be answered with the same eight bytes."""

    data: bytes


class PingAnswer(NamedTuple):
    """The answer to a ping of this side, with its bytes."""

    data: bytes


class GoAway(NamedTuple):
    """The peer takes no streams above *last*; those it has not looked at.

    Attributes:
        text: What it says beside the code; cut where it is long.
    """

    last: int
    code: int
    text: str


class BadStream(NamedTuple):
    """The peer broke the rules on one stream, which is to be reset by *code*; the others go on."""

    stream: int
    code: int
    error: RemoteProtocolError


class Broken(NamedTuple):
    """The connection cannot go on: say goodbye by *code*, and close it. Always the last event.

    Attributes:
        passes: As that of a `Violation`.
    """

    code: int
    error: RemoteProtocolError
    passes: str = ""


Event = (
    Headers
    | OversizedHeaders
    | Data
    | Answer
    | Reset
    | WindowUpdate
    | Settings
    | Ping
    | PingAnswer
    | GoAway
    | BadStream
    | Broken
)

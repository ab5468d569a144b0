"""Headers of requests and answers, compressed messages, and when a silent peer is asked."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
from support.policies import tri_policy

from callahead.config.policy import MethodPolicy
from callahead.consumer.errors import RemoteProtocolError
from callahead.consumer.transport.tri.http2.encoding import TooLarge, compress, plain
from callahead.consumer.transport.tri.http2.goodbye import Goodbyes
from callahead.consumer.transport.tri.http2.head import ResponseHead, joined
from callahead.consumer.transport.tri.http2.keepalive import KeepAlive
from callahead.consumer.transport.tri.http2.request import RequestHead, to_fields
from callahead.consumer.wire.http2 import frames
from callahead.consumer.wire.http2.events import GoAway
from callahead.consumer.wire.http2.grpc import Message
from callahead.consumer.wire.http2.hpack import DynamicTable, decode_block, size_of_fields

POLICY = tri_policy(id="g", interface="a.G", default=MethodPolicy(reference="g", method="hello"))
INFINITY = float("inf")
PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
UNPACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "deflate": zlib.decompress}


def head(*fields: tuple[bytes, bytes]) -> ResponseHead:
    return ResponseHead(fields)


@pytest.mark.parametrize(
    ("timeout", "told"),
    [
        (0.3, b"300m"), (0.0001, b"1m"), (1.2344, b"1234m"), (99_999.999, b"99999999m"), (100_000.0, b"100000S"),
        (INFINITY, None),
    ],
)  # fmt: skip
def test_the_timeout_as_it_travels(timeout: float, told: bytes | None) -> None:
    """By eight digits at most, never as nothing, and not at all where there is no bound."""
    made = RequestHead("/a.G/Hello", "foo:1", POLICY, ())
    block, size = made.of(timeout)
    fields = decode_block(block, 10_000, DynamicTable(0))
    assert dict(fields).get(b"grpc-timeout") == told
    assert size == size_of_fields(fields)


def test_the_headers_of_a_request() -> None:
    """Pseudo headers come first, then what gRPC asks for, then metadata, those of the call last."""
    made = RequestHead("/a.G/Hello", "foo:1", POLICY, (("tri-service-group", "g"),))
    block, size = made.of(1.0, to_fields((("x-own", "1"), ("x-bytes-bin", b"\0\xff"))))
    fields = decode_block(block, 10_000, DynamicTable(0))
    assert [name for name, _ in fields[:4]] == [b":method", b":scheme", b":path", b":authority"]
    assert dict(fields)[b"te"] == b"trailers"
    assert fields[-4:] == (
        (b"tri-service-group", b"g"), (b"grpc-timeout", b"1000m"), (b"x-own", b"1"), (b"x-bytes-bin", b"AP8"),
    )  # fmt: skip
    assert size == size_of_fields(fields)


def test_blocks_of_equal_timeouts_are_made_once() -> None:
    """And no more are kept than some hundred."""
    made = RequestHead("/a.G/Hello", "foo:1", POLICY, ())
    assert made.of(0.5)[0] is made.of(0.5)[0]
    for milliseconds in range(1, 2000):
        made.of(milliseconds / 1000)
    assert len(made._timed) <= 256


def test_metadata_of_an_answer() -> None:
    """GRPC's own are left out; binary values are unpacked, several in one header, too."""
    made = head(
        (b":status", b"200"), (b"content-type", b"application/grpc+proto"), (b"x-one", b"1"), (b"x-one", b"2"),
        (b"x-bytes-bin", b"AP8,AQ=="), (b"x-odd-bin", b"a"), (b"x-text", "\u00e4".encode()), (b"x-latin", b"\xe4"),
    )  # fmt: skip
    assert made.pairs == (
        ("x-one", "1"), ("x-one", "2"), ("x-bytes-bin", b"\0\xff"), ("x-bytes-bin", b"\x01"), ("x-odd-bin", b"a"),
        ("x-text", "\u00e4"), ("x-latin", "\u00e4"),
    )  # fmt: skip
    assert made.attachments["x-one"] == "2"
    assert made.refusal is None


def test_headers_are_shared_and_attachments_are_not() -> None:
    """What one call's user changes is nothing to another call."""
    made = head((b":status", b"200"), (b"content-type", b"application/grpc"), (b"x-one", b"1"))
    first = joined(made, None)
    assert joined(made, None) == first == {"x-one": "1"}
    assert joined(made, None) is not first


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        (((b"grpc-status", b"0"),), 0, ""),
        (((b"grpc-status", b"5"), (b"grpc-message", b"a%20b%C3%A4%zz")), 5, "a b\u00e4%zz"),
        (((b"grpc-status", b"x"),), -1, ""),
        (((b"grpc-status", b"99999999999"),), -1, ""),
        ((), None, ""),
    ],
)
def test_the_status_of_an_answer(fields: tuple[tuple[bytes, bytes], ...], status: int | None, text: str) -> None:
    """What is no number is no status that anybody knows, and a text is unquoted as far as it is quoted."""
    made = head(*fields)
    assert (made.status, made.text) == (status, text)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (((b":status", b"502"),), "UNAVAILABLE"),
        (((b":status", b"401"),), "UNAUTHENTICATED"),
        (((b":status", b"418"),), "UNKNOWN"),
        (((b":status", b"200"),), "UNKNOWN"),
        (((b":status", b"200"), (b"content-type", b"application/grpcx")), "UNKNOWN"),
        (((b":status", b"503"), (b"grpc-status", b"5")), None),
    ],
)
def test_who_answers_without_grpc(fields: tuple[tuple[bytes, bytes], ...], status: str | None) -> None:
    """By HTTP's status, or by the type of what it sends; gRPC's own status goes before both."""
    refusal = head(*fields).refusal
    assert (refusal and refusal[0]) == status


@pytest.mark.parametrize("encoding", PACK)
def test_messages_are_unpacked_up_to_the_limit(encoding: str) -> None:
    """One byte more is refused."""
    packed = Message(True, PACK[encoding](b"x" * 1000))
    assert plain(packed, encoding, 1000) == b"x" * 1000
    with pytest.raises(TooLarge):
        plain(packed, encoding, 999)
    assert plain(Message(False, b"abc"), encoding, 3) == b"abc"


@pytest.mark.parametrize("encoding", PACK)
def test_a_message_is_packed_as_others_read_it(encoding: str) -> None:
    """The same bytes for equal messages."""
    packed = compress(b"x" * 1000, encoding)
    assert packed == compress(b"x" * 1000, encoding)
    assert UNPACK[encoding](packed) == b"x" * 1000


@pytest.mark.parametrize("encoding", PACK)
@pytest.mark.parametrize("cut", [0, 3, -1], ids=["nothing", "its beginning", "cut short"])
def test_messages_that_cannot_be_unpacked(encoding: str, cut: int) -> None:
    """Each is an error of its own call."""
    data = PACK[encoding](b"x" * 100)[:cut]
    assert isinstance(plain(Message(True, data), encoding, 1000), RemoteProtocolError)
    assert isinstance(plain(Message(True, b"abc"), encoding, 1000), RemoteProtocolError)
    assert isinstance(plain(Message(True, data), "identity", 1000), RemoteProtocolError)


def test_a_silent_peer_is_asked_once_and_then_lost() -> None:
    """Any byte is a sign of life; without calls nobody asks."""
    made = KeepAlive(10.0, 3.0)
    assert made.first(100.0) == 110.0
    assert made.next(100.0, 95.0, is_busy=True) == 105.0
    assert made.next(100.0, 95.0, is_busy=False) == 110.0
    assert not made.is_due(104.0, 95.0)
    assert made.is_due(105.0, 95.0)
    assert not made.is_due(106.0, 95.0)
    assert made.next(106.0, 95.0, is_busy=True) == 108.0
    assert made.lost(107.9, 95.0) == ""
    assert "3 s (keepalive_timeout)" in made.lost(108.0, 95.0)
    assert made.lost(108.0, 107.0) == ""
    assert made.next(108.0, 107.0, is_busy=True) == 117.0


def test_a_peer_that_was_asked_too_often_is_asked_half_as_often() -> None:
    """It says so in the words of gRPC; any other goodbye, or one for other pings than these, changes nothing."""
    made = KeepAlive(10.0, 3.0)
    goodbyes = Goodbyes(made)
    for code, text in [(frames.ENHANCE_YOUR_CALM, "too_many_resets"), (frames.PROTOCOL_ERROR, "too_many_pings")]:
        goodbyes.hear(GoAway(0, code, text))
        assert made.next(100.0, 95.0, is_busy=True) == 105.0
        assert goodbyes.why_lost("closed", ("ssl",)).about == ()
    goodbyes.hear(GoAway(0, frames.ENHANCE_YOUR_CALM, "too_many_pings"))
    assert made.next(100.0, 95.0, is_busy=True) == 115.0
    text, about = goodbyes.why_lost("closed", ("ssl",))
    assert "ENHANCE_YOUR_CALM too_many_pings: it was asked for a sign of life more often than it allows" in text
    assert about == ("keepalive_ms",)
    off = Goodbyes(KeepAlive(0.0, 3.0))
    off.hear(GoAway(0, frames.ENHANCE_YOUR_CALM, "too_many_pings"))
    assert off.why_lost("closed", ()).about == ()


def test_a_loss_tells_of_a_goodbye_without_a_reason() -> None:
    """A server that is about to go may end a connection before the calls on it have ended."""
    goodbyes = Goodbyes(KeepAlive(0.0, 3.0))
    assert goodbyes.why_lost("closed", ("ssl",)) == ("closed", ("ssl",))
    goodbyes.hear(GoAway(0, frames.NO_ERROR, ""))
    assert goodbyes.why_lost("closed", ()).text == "closed, after its goodbye"
    goodbyes.hear(GoAway(0, frames.NO_ERROR, "max_age"))
    assert goodbyes.why_lost("closed", ()).text == "closed, after its goodbye (max_age)"


def test_nobody_is_asked_where_it_is_off() -> None:
    """Zero is never."""
    made = KeepAlive(0.0, 3.0)
    assert (made.first(1.0), made.next(1.0, 0.0, is_busy=True)) == (INFINITY, INFINITY)
    assert not made.is_due(1e9, 0.0)

"""Bytes of a peer to events."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.dubbo_bodies import writable_frame

from callahead.consumer.errors import LimitExceeded, RemoteProtocolError
from callahead.consumer.wire import (
    BadEvent,
    BadRequest,
    BadResponse,
    BrokenStream,
    Event,
    FrameReader,
    Heartbeat,
    HeartbeatAnswer,
    ReadOnly,
    Request,
    Response,
    Writable,
    heartbeat_answer_frame,
    heartbeat_frame,
    read_only_frame,
    request_frame,
    response_frame,
)


def header(flag: int, status: int, frame_id: int, length: int) -> bytes:
    return b"\xda\xbb" + bytes((flag, status)) + frame_id.to_bytes(8, "big") + length.to_bytes(4, "big", signed=True)


def shown(events: Iterable[Event]) -> list[str]:
    """Errors have no equality, their texts have."""
    return [repr(event) for event in events]


def only_error(events: list[Event]) -> LimitExceeded | RemoteProtocolError:
    [event] = events
    assert isinstance(event, BadResponse | BadRequest | BadEvent | BrokenStream)
    return event.error


ids = st.integers(-(2**63), 2**63 - 1)
bodies = st.binary(max_size=60)
frames = st.one_of(
    st.builds(response_frame, ids, bodies),
    st.builds(response_frame, ids, bodies, st.integers(0, 255)),
    st.builds(lambda i, body, two_way: request_frame(i, body, two_way=two_way), ids, bodies, st.booleans()),
    st.builds(heartbeat_frame, ids),
    st.builds(heartbeat_answer_frame, ids),
    st.builds(read_only_frame, ids),
    st.builds(writable_frame, ids),
    st.builds(lambda flag, body: header(flag, 20, 1, len(body)) + body, st.integers(0, 255), bodies),
    st.binary(max_size=40),
    st.just(b"\xda"),
    st.just(header(0x02, 20, 1, -1)),
)


@given(st.lists(frames, max_size=12), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_any_cut_gives_the_same_events(parts: list[bytes], sizes: list[int]) -> None:
    """Good frames, bad frames and garbage, with limits that are met often."""
    stream = b"".join(parts)
    whole, pieces = (FrameReader(40, max_garbage_bytes=30) for _ in range(2))
    events: list[Event] = []
    at = turn = 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        events += pieces.feed(memoryview(stream)[at : at + size])
        at, turn = at + size, turn + 1

    assert shown(whole.feed(stream)) == shown(events)
    assert (whole.is_broken, whole.missing) == (pieces.is_broken, pieces.missing)
    assert whole.is_broken or whole.garbage_bytes == pieces.garbage_bytes


@given(st.lists(frames, max_size=12))
def test_byte_by_byte_is_the_same_too(parts: list[bytes]) -> None:
    """The finest cut of all."""
    stream = b"".join(parts)
    reader = FrameReader(40, max_garbage_bytes=30)

    assert shown(FrameReader(40, max_garbage_bytes=30).feed(stream)) == shown(
        event for at in range(len(stream)) for event in reader.feed(stream[at : at + 1])
    )


@given(ids, st.binary(max_size=200), st.sampled_from([20, 30, 70, 255]))
def test_an_answer_comes_back(frame_id: int, body: bytes, status: int) -> None:
    """Id, status and body of a response."""
    assert [Response(frame_id, status, body)] == FrameReader().feed(response_frame(frame_id, body, status))


@pytest.mark.parametrize("two_way", [True, False])
def test_a_request_comes_back(two_way: bool) -> None:
    """As a provider gets it."""
    assert [Request(-7, two_way, b"body")] == FrameReader().feed(request_frame(-7, b"body", two_way=two_way))


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        (heartbeat_frame(1), Heartbeat(1, two_way=True)),
        (heartbeat_answer_frame(2), HeartbeatAnswer(2)),
        (read_only_frame(3), ReadOnly(3)),
        (writable_frame(4), Writable(4)),
        (header(0xE2, 0, 5, 0), Heartbeat(5, two_way=True)),
        (header(0xA2, 0, 6, 1) + b"N", Heartbeat(6, two_way=False)),
        (header(0x22, 20, 7, 0), HeartbeatAnswer(7)),
    ],
)
def test_events_are_told_apart(frame: bytes, event: Event) -> None:
    """Heartbeats both ways and the notices of a provider, also without a body."""
    assert [event] == FrameReader().feed(frame)


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        (header(0xE0 | 23, 0, 1, 5) + b"\0\0\0\1\xaf", Heartbeat(1, two_way=True)),
        (header(0xA0 | 23, 0, 2, 6) + b"\0\0\0\2JR", ReadOnly(2)),
        (header(0xA0 | 23, 0, 3, 6) + b"\0\0\0\2JW", Writable(3)),
        (header(0x20 | 23, 20, 4, 5) + b"\0\0\0\1\xaf", HeartbeatAnswer(4)),
    ],
)
def test_events_in_another_serialization_are_understood(frame: bytes, event: Event) -> None:
    """A provider that prefers fastjson2 says so in its events as well."""
    assert [event] == FrameReader().feed(frame)


def test_frames_that_come_together_are_all_given() -> None:
    """One read of many small frames."""
    stream = b"".join(response_frame(number, b"x" * number) for number in range(100))

    assert [Response(number, 20, b"x" * number) for number in range(100)] == FrameReader().feed(stream)


def test_what_was_fed_may_be_overwritten() -> None:
    """The reader keeps nothing of the caller's buffer."""
    buffer = bytearray(response_frame(1, b"first") + response_frame(2, b"second")[:-2])
    reader = FrameReader()
    events = reader.feed(memoryview(buffer))
    buffer[:] = bytes(len(buffer))

    assert [Response(1, 20, b"first"), Response(2, 20, b"second")] == events + reader.feed(b"nd")


def test_garbage_before_a_frame_is_skipped_and_counted() -> None:
    """As Java looks for the next magic."""
    reader = FrameReader()

    events = reader.feed(b"\xdano frame\xda" + response_frame(1, b"x") + b"zz" + response_frame(2, b"y"))

    assert [Response(1, 20, b"x"), Response(2, 20, b"y")] == events
    assert 12 == reader.garbage_bytes


def test_an_endless_stream_of_garbage_ends_the_connection() -> None:
    """A peer that speaks another protocol is told from its first bytes."""
    reader = FrameReader(max_garbage_bytes=100)
    text = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n" * 3

    error = only_error(reader.feed(text))

    assert (
        "the peer does not speak the dubbo protocol: more than 100 bytes are in no frame, which begins with dabb; the "
        "first were b'HTTP/1.1 400 Bad Request\\r\\nConten'"
    ) == error.message
    assert reader.is_broken
    assert [] == reader.feed(response_frame(1, b"x"))


def test_half_a_magic_does_not_hide_garbage() -> None:
    """Found by the fuzzer: bytes after a lone first half were not counted until a header's worth had come."""
    reader = FrameReader(max_garbage_bytes=3)

    assert [] == reader.feed(b"\xda")
    assert isinstance(only_error(reader.feed(b"abc")), RemoteProtocolError)
    assert reader.is_broken


@pytest.mark.parametrize("length", [-1, -(2**31)])
def test_a_negative_length_ends_the_connection(length: int) -> None:
    """Nothing after it can be trusted."""
    reader = FrameReader()

    error = only_error(reader.feed(header(0x02, 20, 1, length) + response_frame(2, b"x")))

    assert f"the peer does not speak the dubbo protocol: a frame has a body of {length} bytes" == error.message
    assert isinstance(error, RemoteProtocolError)


def test_an_answer_that_is_too_large_fails_only_its_call() -> None:
    """Its bytes are taken off the wire, and what follows is read."""
    reader = FrameReader(10, setting="max_response_bytes (conf/shop.yml:7)")

    events = reader.feed(response_frame(1, b"x" * 11) + response_frame(2, b"y" * 10))

    bad, good = events
    assert Response(2, 20, b"y" * 10) == good
    assert isinstance(bad, BadResponse)
    assert 1 == bad.id
    assert isinstance(bad.error, LimitExceeded)
    assert (
        "the answer has 11 bytes, more than the 10 that max_response_bytes (conf/shop.yml:7) allows"
        == bad.error.message
    )  # fmt: skip
    assert (True, False, "20") == (bad.error.in_doubt, bad.error.is_remote, bad.error.status)


def test_an_answer_that_is_too_large_fails_before_it_has_come() -> None:
    """The header is enough; of the body nothing is kept, however long it is."""
    reader = FrameReader()

    events = reader.feed(header(0x02, 20, 9, 2**26))

    error = only_error(events)
    assert "the answer has 67108864 bytes, more than the 8388608 that max_body_bytes allows" == error.message
    assert reader.missing == 2**26
    assert [] == reader.feed(bytes(1_000_000))
    assert 0 == len(reader._held)


@pytest.mark.parametrize("length", [2**26 + 1, 2**31 - 1])
@pytest.mark.parametrize("flag", [0x02, 0x22])
def test_the_end_of_a_body_far_too_large_is_not_waited_for(length: int, flag: int) -> None:
    """What it is refused for is said of its own call or event; no answer behind it would come in time."""
    reader = FrameReader()

    refused, broken = reader.feed(header(flag, 20, 9, length) + b"x" * 100)

    assert type(refused) is (BadEvent if flag & 0x20 else BadResponse)
    assert isinstance(broken, BrokenStream)
    assert (
        f"the peer does not speak the dubbo protocol: a body of {length} bytes is refused, and of more than 67108864 "
        "the end is not waited for"
    ) == broken.error.message
    assert [] == reader.feed(response_frame(1, b"y"))


@pytest.mark.parametrize("unlimited", [0, -1])
def test_the_limit_can_be_taken_away(unlimited: int) -> None:
    """As with Dubbo's payload."""
    [event] = FrameReader(unlimited).feed(response_frame(1, bytes(9_000_000)))

    assert isinstance(event, Response)
    assert 9_000_000 == len(event.body)


def test_an_answer_in_another_serialization_fails_only_its_call() -> None:
    """The message names it and says what to set."""
    bad, good = FrameReader().feed(header(23, 20, 5, 3) + b"abc" + response_frame(6, b"y"))

    assert Response(6, 20, b"y") == good
    assert isinstance(bad, BadResponse)
    assert 5 == bad.id
    assert (
        "the answer (status 20) is serialized by fastjson2 (id 23), this side reads hessian2 (id 2); set "
        '"prefer.serialization: hessian2" at the provider'
    ) == bad.error.message
    assert bad.error.in_doubt


def test_an_unknown_serialization_has_its_number_in_the_message() -> None:
    """Ids that Dubbo does not know."""
    error = only_error(FrameReader().feed(header(0x1E, 20, 5, 0)))

    assert "unknown (id 30)" in error.message


def test_a_request_that_cannot_be_read_says_whether_an_answer_is_wanted() -> None:
    """A provider answers it with status 40."""
    large, foreign = FrameReader(3).feed(request_frame(1, b"four") + header(0x80 | 8, 0, 2, 1) + b"x")

    assert isinstance(large, BadRequest)
    assert isinstance(foreign, BadRequest)
    assert [(1, True), (2, False)] == [(large.id, large.two_way), (foreign.id, foreign.two_way)]
    assert "the request has 4 bytes, more than the 3 that max_body_bytes allows" == large.error.message
    assert "serialized by kryo (id 8)" in foreign.error.message


def test_an_event_that_is_too_long_is_left_out() -> None:
    """Java takes up to 15 bytes; what follows is read."""
    bad, good = FrameReader().feed(header(0xA2, 0, 1, 16) + b"N" * 16 + heartbeat_answer_frame(2))

    assert isinstance(bad, BadEvent)
    assert "an event has 16 bytes, at most 15 are allowed" == bad.error.message
    assert HeartbeatAnswer(2) == good


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (header(0xA2, 0, 1, 2) + b"\x01X", "an event says b'\\x01X'; null, R and W are known"),
        (header(0x22, 20, 1, 3) + b"abc", "a heartbeat was answered with status 20 and b'abc'"),
        (header(0x22, 70, 1, 1) + b"N", "a heartbeat was answered with status 70 and b'N'"),
    ],
)
def test_an_event_that_means_nothing_is_left_out(frame: bytes, message: str) -> None:
    """No call is concerned."""
    assert message == only_error(FrameReader().feed(frame)).message


def test_every_status_is_passed_on() -> None:
    """What a status means is not the reader's business, and there may be new ones."""
    stream = b"".join(response_frame(1, b"", status) for status in range(256))

    assert list(range(256)) == [event.status for event in FrameReader().feed(stream) if isinstance(event, Response)]


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_peer_that_goes_away_inside_a_frame_is_noticed(cut: int) -> None:
    """At each byte of a frame, and at none between frames."""
    frame = response_frame(1, b"body")
    reader = FrameReader()
    inside = [reader.missing > 0]
    for part in (frame[:cut], frame[cut:]):
        reader.feed(part)
        inside.append(reader.missing > 0)

    assert [False, True, False] == inside


def test_how_much_of_a_frame_is_missing() -> None:
    """The rest of a header or body, skipped ones too; each frame that came in part is counted."""
    frame = response_frame(1, b"body")
    reader = FrameReader(10)
    seen = []
    for part in (frame[:4], frame[4:17], frame[17:], frame, header(2, 20, 9, 100) + b"x" * 30):
        reader.feed(part)
        seen.append((reader.begun, reader.missing))

    assert [(1, 12), (2, 3), (2, 0), (2, 0), (3, 70)] == seen

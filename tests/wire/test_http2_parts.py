"""What a client writes, what a peer allows it, and the messages in the data."""

from __future__ import annotations

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import given
from hypothesis import strategies as st
from support.http2_frames import message

from callahead.consumer.wire.http2 import frames
from callahead.consumer.wire.http2.body import Body
from callahead.consumer.wire.http2.grpc import BadMessage, Message, MessageReader, MessageTooLarge
from callahead.consumer.wire.http2.settings import UNLIMITED, PeerSettings
from callahead.consumer.wire.http2.violation import Violation
from callahead.consumer.wire.http2.window import ReceiveWindow

streams = st.integers(0, (1 << 30) - 1).map(lambda number: 2 * number + 1)


def parsed(said: bytes) -> list[Frame]:
    """What `hyperframe` reads."""
    found = []
    while said:
        one, length = Frame.parse_frame_header(memoryview(said[:9]))
        one.parse_body(memoryview(said[9 : 9 + length]))
        found.append(one)
        said = said[9 + length :]
    return found


@given(streams, st.binary(max_size=100), st.integers(1, 40), st.booleans())
def test_headers_in_one_frame_or_many(stream: int, block: bytes, most: int, ends: bool) -> None:
    """The pieces are the block again, only the last of them has its end, and only the first that of the stream."""
    first, *rest = parsed(frames.headers_frames(stream, block, most, ends=ends))
    assert isinstance(first, HeadersFrame)
    assert all(isinstance(one, ContinuationFrame) for one in rest)
    assert b"".join(one.data for one in (first, *rest)) == block
    assert max(len(one.data) for one in (first, *rest)) <= most
    assert {one.stream_id for one in (first, *rest)} == {stream}
    assert ["END_HEADERS" in one.flags for one in (first, *rest)] == [False] * len(rest) + [True]
    assert ("END_STREAM" in first.flags) is ends


def test_the_other_frames_of_a_client() -> None:
    """Another implementation reads just what was meant."""
    said = [
        frames.settings_frame({frames.ENABLE_PUSH: 0, frames.INITIAL_WINDOW_SIZE: 70_000}),
        frames.SETTINGS_ACK,
        frames.window_update_frame(3, 100),
        frames.reset_frame(5, frames.CANCEL),
        frames.ping_frame(b"abcdefgh"),
        frames.ping_frame(b"abcdefgh", ack=True),
        frames.goaway_frame(frames.PROTOCOL_ERROR, "no\u2026"),
        frames.data_head(7, 4, ends=True) + b"data",
    ]
    settings, ack, window, reset, ping, pong, goaway, data = parsed(b"".join(said))
    assert isinstance(settings, SettingsFrame)
    assert settings.settings == {2: 0, 4: 70_000}
    assert "ACK" in ack.flags
    assert isinstance(window, WindowUpdateFrame)
    assert (window.stream_id, window.window_increment) == (3, 100)
    assert isinstance(reset, RstStreamFrame)
    assert (reset.stream_id, reset.error_code) == (5, 8)
    assert isinstance(ping, PingFrame)
    assert (ping.opaque_data, "ACK" in ping.flags, "ACK" in pong.flags) == (b"abcdefgh", False, True)
    assert isinstance(goaway, GoAwayFrame)
    assert (goaway.error_code, goaway.additional_data, goaway.last_stream_id) == (1, b"no?", 0)
    assert isinstance(data, DataFrame)
    assert (data.stream_id, data.data, "END_STREAM" in data.flags) == (7, b"data", True)


def test_every_error_code_has_a_name() -> None:
    """Unknown ones are told by number."""
    assert [frames.error_name(code) for code in (0, 8, 13, 99)] == [
        "NO_ERROR", "CANCEL", "HTTP_1_1_REQUIRED", "unknown error 99",
    ]  # fmt: skip


def test_settings_of_a_peer() -> None:
    """What it says holds, what it does not say stays, and unknown settings are nothing."""
    made = PeerSettings()
    assert (made.streams, made.window, made.frame, made.headers) == (UNLIMITED, 65_535, 16_384, UNLIMITED)
    assert made.update([(3, 5), (4, 100_000), (99, 7), (3, 6)]) == 34_465
    assert made.update([(4, 0), (5, 20_000), (6, 8192)]) == -100_000
    assert (made.streams, made.window, made.frame, made.headers) == (6, 0, 20_000, 8192)


@pytest.mark.parametrize(("number", "value"), [(2, 1), (4, 1 << 31), (5, 16_383), (5, 1 << 24)])
def test_settings_out_of_their_range(number: int, value: int) -> None:
    """Each is an error that ends the connection."""
    with pytest.raises(Violation, match=str(value)):
        PeerSettings().update([(number, value)])


def test_a_window_is_opened_again_by_halves() -> None:
    """The peer is allowed more once half of it was read; nothing is said of less."""
    window = ReceiveWindow(100)
    window.take(100)
    assert [window.read(30), window.read(30), window.read(30), window.read(10)] == [0, 60, 0, 0]
    window.take(60)
    with pytest.raises(Violation, match="1 bytes more than the window of 100"):
        window.take(1)


def test_a_window_that_has_room_for_all_that_is_awaited_is_left_alone() -> None:
    """What was read meanwhile is allowed with the rest, once more is awaited."""
    window = ReceiveWindow(100)
    window.take(60)
    assert [window.read(30), window.read(20, awaited=40), window.read(10, awaited=41)] == [0, 0, 60]


@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=50)), max_size=8), st.data())
def test_messages_however_they_are_cut(sent: list[tuple[int, bytes]], drawn: st.DataObject) -> None:
    """Each message comes whole, once, and in order."""
    whole = b"".join(message(payload, flag) for flag, payload in sent)
    cuts = sorted(drawn.draw(st.lists(st.integers(0, len(whole)), max_size=10)))
    reader = MessageReader(50)
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
    got = [one for piece in pieces for one in reader.feed(piece)]
    assert got == [Message(flag == 1, payload) for flag, payload in sent]
    assert reader.held == 0


def test_a_message_that_is_too_large_is_not_waited_for() -> None:
    """Its length is enough to know."""
    reader = MessageReader(100)
    assert reader.feed(b"\0\0\0\0") == []
    with pytest.raises(MessageTooLarge) as caught:
        reader.feed(b"\x65")
    assert caught.value.size == 101


def test_a_message_with_an_unknown_flag() -> None:
    """Only 0 and 1 mean something."""
    with pytest.raises(BadMessage, match="begins with 2"):
        MessageReader(100).feed(message(b"x", 2))


def test_a_message_in_crumbs_takes_no_more_memory_than_its_bytes() -> None:
    """Small pieces are joined as they come, each time with few others."""
    reader = MessageReader(1 << 20)
    whole = message(bytes(200_000))
    for at in range(0, len(whole), 2):
        got = reader.feed(whole[at : at + 2])
        assert len(reader._parts) <= 1 + reader.held // 512
    assert got == [Message(False, bytes(200_000))]


def test_a_large_message_in_many_pieces_takes_linear_work() -> None:
    """Pieces are joined once, when the last of them is there."""
    reader = MessageReader(1 << 22)
    whole = message(bytes(1 << 22))
    for at in range(0, len(whole), 4096):
        got = reader.feed(whole[at : at + 4096])
        assert len(reader._parts) == (at // 4096 + 1 if not got else 0)
    assert got == [Message(False, bytes(1 << 22))]


def taken(body: Body, count: int) -> bytes:
    return b"".join(body.take(count))


@given(st.lists(st.binary(max_size=30), max_size=8), st.lists(st.integers(0, 40), max_size=6))
def test_a_body_is_taken_again_from_its_first_byte(parts: list[bytes], counts: list[int]) -> None:
    """However it was put and taken before, and twice over."""
    body = Body(1000)
    for part in parts:
        body.put(part)
    for _ in range(2):
        for count in counts:
            taken(body, min(count, body.size))
        assert body.rewind()
        assert (body.size, body.copied) == (sum(map(len, parts)), 0)
    assert taken(body, body.size) == b"".join(parts)


def test_what_is_put_behind_a_body_that_was_taken_again_follows_it() -> None:
    """In order, and the next time, too."""
    body = Body(10)
    body.put(b"abc")
    for more in (b"def", b"ghi"):
        taken(body, body.size)
        assert body.rewind()
        body.put(more)
    assert taken(body, body.size) == b"abcdefghi"


def test_a_body_keeps_so_much_of_what_was_taken_and_no_more() -> None:
    """What is left counts for nothing; one byte too many, and nothing is kept from then on."""
    body = Body(10)
    body.put(b"x" * 100)
    taken(body, 10)
    assert (body.copied, body.size) == (10, 90)
    taken(body, 1)
    assert body.copied == 0
    taken(body, 1)
    assert (body.rewind(), body.copied, body.size) == (False, 0, 88)


def test_a_body_of_which_nothing_is_kept() -> None:
    """From the beginning, or once it was let go of."""
    given_up = Body(10)
    given_up.let_go()
    for body in (Body(), given_up):
        body.put(b"abc")
        taken(body, 2)
        assert (body.rewind(), body.copied, body.size) == (False, 0, 1)

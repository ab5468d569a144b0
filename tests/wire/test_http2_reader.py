"""A server's bytes to events: every kind of frame, broken and whole, and however cut."""

from __future__ import annotations

from pathlib import Path

import hpack
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from hypothesis import given
from hypothesis import strategies as st
from support.http2_desk import fates_of
from support.http2_floods import FLOODS
from support.http2_frames import (
    GREETING,
    HEAD,
    OK,
    answer,
    apart,
    cut_headers,
    data,
    frame,
    goaway,
    headers,
    message,
    ping_frame,
    reset,
    settings_frame,
    window_update_frame,
)

from callahead.consumer.wire.http2 import frames
from callahead.consumer.wire.http2.events import (
    Answer,
    BadStream,
    Broken,
    Data,
    Event,
    GoAway,
    Headers,
    OversizedHeaders,
    Ping,
    PingAnswer,
    Reset,
    Settings,
    WindowUpdate,
)
from callahead.consumer.wire.http2.hpack import encode_fields
from callahead.consumer.wire.http2.reader import Http2Reader
from callahead.consumer.wire.http2.settings import Limits
from callahead.consumer.wire.http2.static_table import Fields

MOST = 4000
TRACE = (b"x-trace", b"0af7651916cd43dd8448eb211c80319c")
EVERY_TYPE = range(12)


def reader(*, greeted: bool = True, opened: int = 9) -> Http2Reader:
    made = Http2Reader(lambda fields: fields, Limits(MOST))
    made.opened = opened
    if greeted:
        made.feed(GREETING)
    return made


def broken(events: list[Event]) -> tuple[int, str]:
    """The code and the text of the end; it is the last event."""
    last = events[-1]
    assert isinstance(last, Broken), events
    return last.code, last.error.message


def test_a_whole_answer() -> None:
    """Headers, data and trailers, each with the stream and whether it is the end."""
    assert reader().feed(answer(3, b"hello")) == [
        Headers(3, HEAD, False),
        Data(3, b"\0\0\0\0\5hello", 10, False),
        Headers(3, OK, True),
    ]


def test_an_answer_that_comes_together() -> None:
    """It is one event once its headers are known, whether its trailers are or not."""
    made, whole = reader(), b"\0\0\0\0\5hello"
    made.feed(headers(1, *HEAD))
    traced = headers(5, *HEAD) + data(5, whole) + headers(5, *OK, TRACE, ends=True)
    assert made.feed(answer(3, b"hello") + traced) == [Answer(3, HEAD, whole, OK), Answer(5, HEAD, whole, (*OK, TRACE))]


@pytest.mark.parametrize(
    "rest",
    [
        data(3, b"x") + headers(1, *OK, ends=True),
        data(1, b"") + headers(1, *OK, ends=True),
        data(1, b"x", ends=True),
        data(1, b"x") + headers(1, *OK),
        data(1, b"x") + data(1, b"y") + headers(1, *OK, ends=True),
        data(1, b"x") + headers(1, (b"Upper", b"x"), ends=True),
        data(1, b"x") + frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, b"\xbe"),
        data(1, b"x") + frame(frames.HEADERS, frames.END_STREAM, 1, b"") + frame(frames.CONTINUATION, 4, 1, b"\x88"),
        frame(frames.DATA, 0, 1, bytes(16_385)) + headers(1, *OK, ends=True),
    ],
)
def test_what_is_no_whole_answer_comes_piece_by_piece(rest: bytes) -> None:
    """As it does where each frame comes by itself."""
    made, single = reader(), reader()
    for one in (made, single):
        one.feed(answer(9, b"x"))
    said = headers(1, *HEAD) + rest
    events = made.feed(said)
    assert not any(isinstance(event, Answer) for event in events)
    assert list(map(repr, events)) == [repr(event) for byte in said for event in single.feed(bytes([byte]))]


def test_words_of_the_connection() -> None:
    """Each is one event; the answer to our settings is none."""
    made = reader(greeted=False)
    wanted = settings_frame({frames.MAX_CONCURRENT_STREAMS: 7, 99: 1})
    said = [wanted, frames.SETTINGS_ACK, ping_frame(b"12345678"), ping_frame(b"87654321", ack=True)]
    said += [window_update_frame(0, 5), window_update_frame(3, 6), reset(5, 8), goaway(3, 11, b"calm")]
    assert made.feed(b"".join(said)) == [
        Settings(((3, 7), (99, 1))),
        Ping(b"12345678"),
        PingAnswer(b"87654321"),
        WindowUpdate(0, 5),
        WindowUpdate(3, 6),
        Reset(5, 8),
        GoAway(3, 11, "calm"),
    ]


def test_padding_and_priority_are_left_out() -> None:
    """Padding counts in the window, and is no data."""
    padded = frame(frames.DATA, frames.PADDED | frames.END_STREAM, 1, b"\x03abc\0\0\0")
    block = encode_fields(OK)
    flags = frames.PADDED | frames.PRIORITIZED | frames.END_HEADERS
    prioritized = frame(frames.HEADERS, flags, 1, b"\x02" + bytes(5) + block + b"\0\0")
    assert reader().feed(padded + prioritized) == [Data(1, b"abc", 7, True), Headers(1, OK, False)]


def test_equal_headers_are_parsed_once() -> None:
    """What was made of them is shared, however often they come."""
    asked: list[Fields] = []
    made = Http2Reader(lambda fields: asked.append(fields) or object(), Limits(MOST))
    made.opened = 99
    made.feed(GREETING)
    events = [event for stream in range(1, 99, 2) for event in made.feed(headers(stream, *HEAD))]
    assert asked == [HEAD]
    assert len({id(event.head) for event in events if isinstance(event, Headers)}) == 1


def test_headers_that_never_come_again_are_not_kept() -> None:
    """What is remembered is bounded by count and by bytes."""
    made = reader()
    for number in range(2000):
        made.feed(headers(1, (b"x-trace", b"%032d" % number)))
        made.feed(headers(1, (b"x-large", b"%01500d" % number)))
    assert len(made._known) <= 256
    assert max(map(len, made._known)) <= 1024


odd = st.sampled_from([(b"x-a", b"1"), (b"x-a", b"2"), (b"X-Bad", b""), (b"x-large", b"y" * MOST), *OK])


@given(st.lists(st.lists(odd, max_size=3), max_size=8))
def test_a_table_is_the_same_however_answers_come(tails: list[list[tuple[bytes, bytes]]]) -> None:
    """A block that is looked at twice, since it ends an answer badly, adds its entries to the peer's table once."""
    encoder, by_frames, at_once = hpack.Encoder(), reader(opened=99), reader(opened=99)
    frames_of = [
        (
            headers(2 * number + 1, *HEAD),
            data(2 * number + 1, message(b"x")),
            frame(frames.HEADERS, 5, 2 * number + 1, encoder.encode(tail)),
        )
        for number, tail in enumerate(tails)
    ]
    one_by_one = [event for three in frames_of for one in three for event in by_frames.feed(one)]
    together = [event for three in frames_of for event in at_once.feed(b"".join(three))]
    assert list(map(repr, apart(together))) == list(map(repr, one_by_one))
    assert not by_frames.is_broken


@given(st.lists(st.integers(0, 12), max_size=12), st.booleans())
def test_continued_headers_are_one(sizes: list[int], ends: bool) -> None:
    """However a block is cut into frames, it is one event, whose end is that of its first frame."""
    block = encode_fields((*HEAD, TRACE))
    assert reader().feed(cut_headers(1, block, sizes, ends=ends)) == [Headers(1, (*HEAD, TRACE), ends)]


@given(st.data())
def test_any_bytes_give_the_same_however_they_are_cut(drawn: st.DataObject) -> None:
    """Whole and half frames, good and bad, in any pieces."""
    anything = st.builds(frame, st.integers(0, 11), st.integers(0, 255), st.integers(0, 12), st.binary(max_size=40))
    good = st.sampled_from([answer(1, b"x"), ping_frame(b"12345678"), headers(3, *HEAD, TRACE), GREETING, reset(1, 8)])
    whole = b"".join(drawn.draw(st.lists(st.one_of(good, anything, st.binary(max_size=12)), max_size=8)))
    cuts = sorted(drawn.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    made, pieces = reader(), [whole[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
    cut = [event for piece in pieces for event in made.feed(piece)]
    assert list(map(repr, apart(cut))) == list(map(repr, apart(reader().feed(whole))))


def test_bytes_one_by_one() -> None:
    """The smallest pieces of all."""
    said = answer(1, b"hello") + cut_headers(3, encode_fields((*HEAD, TRACE)), [1, 0, 3]) + goaway(1)
    made = reader()
    events = [event for byte in said for event in made.feed(bytes([byte]))]
    assert apart(events) == apart(reader().feed(said))


class Answers:
    """A server by `h2` that answers each request of a client by `h2`, whose bytes it takes too."""

    def __init__(self) -> None:
        self.client = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self.server = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self.client.local_settings.header_table_size = 0
        self.client.local_settings.acknowledge()
        self.client.initiate_connection()
        self.server.initiate_connection()
        self.server.receive_data(self.client.data_to_send())

    def ask(self) -> int:
        stream: int = self.client.get_next_available_stream_id()
        head = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/x"), (b":authority", b"y")]
        self.client.send_headers(stream, head, end_stream=True)
        self.server.receive_data(self.client.data_to_send())
        return stream


Pairs = list[tuple[bytes, bytes]]
values = st.text("abcdefghij -_~", max_size=30).map(lambda text: text.strip().encode())
metadata = st.lists(st.tuples(st.sampled_from([b"x-a", b"x-b-bin", b"server", b"date"]), values), max_size=6)


@given(st.lists(st.tuples(metadata, st.lists(st.binary(max_size=300), max_size=4), metadata), min_size=1, max_size=5))
def test_what_h2_sends_is_read(answers: list[tuple[Pairs, list[bytes], Pairs]]) -> None:
    """Another implementation's server says the very headers, data and ends that it was told to."""
    peers = Answers()
    expected: list[Event] = []
    for initial, parts, trailing in answers:
        stream = peers.ask()
        head, tail = [*HEAD, *initial], [*OK, *trailing]
        peers.server.send_headers(stream, head)
        expected.append(Headers(stream, tuple(head), False))
        for part in parts:
            peers.server.send_data(stream, part)
            expected.append(Data(stream, part, len(part), False))
        peers.server.send_headers(stream, tail, end_stream=True)
        expected.append(Headers(stream, tuple(tail), True))
    said = peers.server.data_to_send()
    made = reader(greeted=False, opened=99)
    events = [event for event in apart(made.feed(said)) if isinstance(event, Headers | Data)]
    assert events == expected


# -- what breaks the rules --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [one for one in EVERY_TYPE if one != frames.SETTINGS])
def test_the_first_frame_is_one_of_settings(kind: int) -> None:
    """A peer that begins with anything else speaks no HTTP/2."""
    code, text = broken(reader(greeted=False).feed(frame(kind, 0, 1, bytes(8))))
    assert code == frames.PROTOCOL_ERROR
    assert "settings" in text or "header block" in text


def test_an_answer_to_settings_is_no_greeting() -> None:
    """The peer's own settings come first."""
    assert broken(reader(greeted=False).feed(frames.SETTINGS_ACK))[0] == frames.PROTOCOL_ERROR


@pytest.mark.parametrize("stream", [2, 8, 11, 0x7FFFFFFF])
@pytest.mark.parametrize("kind", [frames.DATA, frames.HEADERS, frames.RST_STREAM, frames.WINDOW_UPDATE])
def test_a_stream_that_this_side_has_not_opened(kind: int, stream: int) -> None:
    """Even streams would be the peer's own, higher ones are still to come."""
    payload = encode_fields(HEAD) if kind == frames.HEADERS else b"\0\0\0\1"
    code, text = broken(reader().feed(frame(kind, frames.END_HEADERS, stream, payload)))
    assert (code, str(stream) in text) == (frames.PROTOCOL_ERROR, True)


@pytest.mark.parametrize(
    ("kind", "stream"),
    [
        (frames.DATA, 0), (frames.HEADERS, 0), (frames.PRIORITY, 0), (frames.RST_STREAM, 0), (frames.SETTINGS, 1),
        (frames.PING, 1), (frames.GOAWAY, 1),
    ],
)  # fmt: skip
def test_frames_of_the_connection_and_of_streams_are_not_mixed(kind: int, stream: int) -> None:
    """Stream 0 has no answers, and other streams no settings."""
    payload = bytes({frames.PRIORITY: 5, frames.RST_STREAM: 4, frames.SETTINGS: 0}.get(kind, 8))
    assert broken(reader().feed(frame(kind, frames.END_HEADERS, stream, payload)))[0] == frames.PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        (frames.PRIORITY, 4), (frames.RST_STREAM, 5), (frames.SETTINGS, 5), (frames.PING, 7), (frames.PING, 9),
        (frames.GOAWAY, 7), (frames.WINDOW_UPDATE, 3), (frames.WINDOW_UPDATE, 5),
    ],
)  # fmt: skip
def test_frames_of_the_wrong_size(kind: int, size: int) -> None:
    """A frame whose size is fixed has just that."""
    stream = 1 if kind in (frames.PRIORITY, frames.RST_STREAM) else 0
    assert broken(reader().feed(frame(kind, 0, stream, bytes(size))))[0] == frames.FRAME_SIZE_ERROR


def test_an_answer_to_settings_with_settings() -> None:
    """It is empty."""
    said = frame(frames.SETTINGS, frames.ACK, 0, bytes(6))
    assert broken(reader().feed(said))[0] == frames.FRAME_SIZE_ERROR


def test_a_frame_larger_than_allowed_is_not_waited_for() -> None:
    """Its head alone ends the connection, and nothing is kept."""
    made = reader()
    code, text = broken(made.feed((16_385 << 8).to_bytes(4) + b"\0\0\0\0\1"))
    assert (code, "16385" in text, made.held) == (frames.FRAME_SIZE_ERROR, True, 0)
    assert made.feed(answer(1, b"x")) == []


@pytest.mark.parametrize("kind", [frames.DATA, frames.HEADERS])
@pytest.mark.parametrize("payload", [b"", b"\x05abcd", b"\xff"])
def test_padding_that_leaves_nothing(kind: int, payload: bytes) -> None:
    """Padding is shorter than its frame."""
    said = frame(kind, frames.PADDED | frames.END_HEADERS, 1, payload)
    assert broken(reader().feed(said))[0] == frames.PROTOCOL_ERROR


def test_headers_too_short_for_their_priority() -> None:
    """Five bytes of it come first."""
    said = frame(frames.HEADERS, frames.PRIORITIZED | frames.END_HEADERS, 1, b"abcd")
    assert broken(reader().feed(said))[0] == frames.FRAME_SIZE_ERROR


def test_pushes_are_refused() -> None:
    """This side has forbidden them."""
    assert broken(reader().feed(frame(frames.PUSH_PROMISE, 4, 1, bytes(8))))[0] == frames.PROTOCOL_ERROR


@pytest.mark.parametrize("kind", [one for one in EVERY_TYPE if one != frames.CONTINUATION])
def test_nothing_comes_between_headers_and_their_rest(kind: int) -> None:
    """Not even a frame of a type that nobody knows."""
    begun = frame(frames.HEADERS, 0, 1, b"\x88")
    assert broken(reader().feed(begun + frame(kind, 4, 1, bytes(8))))[0] == frames.PROTOCOL_ERROR


@pytest.mark.parametrize("said", [frame(9, 4, 1, b""), frame(1, 0, 1, b"\x88") + frame(9, 4, 3, b"")])
def test_a_rest_of_other_headers_or_of_none(said: bytes) -> None:
    """What continues headers is of their stream, and comes behind them."""
    assert broken(reader().feed(said))[0] == frames.PROTOCOL_ERROR


def test_an_unreadable_block_ends_the_connection() -> None:
    """Nobody knows what the peer believes that it said."""
    code, text = broken(reader().feed(frame(frames.HEADERS, 4, 1, b"\xbe")))
    assert (code, "entry 62" in text) == (frames.COMPRESSION_ERROR, True)


@pytest.mark.parametrize(
    "field",
    [
        (b"X-Upper", b""), (b"", b""), (b"a b", b""), (b"a\0", b""), (b"x", b"a\nb"), (b"x", b"\r"), (b"x", b"\0"),
        (b":status", b"200"), (b":path", b"/"), (b"connection", b"close"), (b"transfer-encoding", b"chunked"),
    ],
)  # fmt: skip
def test_malformed_headers_concern_their_stream_alone(field: tuple[bytes, bytes]) -> None:
    """The answer is none, and the next one is read."""
    made = reader()
    bad, *good = made.feed(headers(1, *HEAD, field) + headers(3, *HEAD))
    assert isinstance(bad, BadStream)
    assert (bad.stream, bad.code, bad.error.in_doubt) == (1, frames.PROTOCOL_ERROR, True)
    assert good == [Headers(3, HEAD, False)]


@pytest.mark.parametrize("status", [b"", b"20", b"2000", b"abc", b"101", b"099"])
def test_a_status_that_is_none(status: bytes) -> None:
    """Three digits, the first of them from 1 on, and no change of protocol."""
    [bad] = reader().feed(headers(1, (b":status", status)))
    assert isinstance(bad, BadStream)


def test_headers_that_only_say_wait() -> None:
    """They are no event, for the answer is still to come; at the end of a stream they are one that is judged."""
    made = reader()
    assert made.feed(headers(1, (b":status", b"100")) + headers(1, (b":status", b"103"))) == []
    assert made.feed(headers(1, (b":status", b"100"), ends=True)) == [Headers(1, ((b":status", b"100"),), True)]
    assert made.feed(headers(1, (b":status", b"100"))) == []


def test_no_more_bytes_are_bad_news_for_a_stream_only() -> None:
    """An increment of 0 resets the stream; for the connection it is the end."""
    [bad] = reader().feed(window_update_frame(1, 0))
    assert isinstance(bad, BadStream)
    assert broken(reader().feed(window_update_frame(0, 0)))[0] == frames.PROTOCOL_ERROR


# -- what would cost too much -----------------------------------------------------------------------------------------


def test_headers_that_are_too_large_are_skipped() -> None:
    """In one frame or in many, small when packed or not: their stream hears of it, and the next is read."""
    made = reader()
    large = headers(1, *HEAD, (b"x", b"y" * 5000))
    packed = frame(frames.HEADERS, 4, 3, b"\x90" * 2000)
    many = cut_headers(5, encode_fields((*HEAD, (b"x", b"y" * 5000))), [1000] * 4)
    events = made.feed(large + packed + many + headers(7, *HEAD))
    assert [type(event) for event in events] == [OversizedHeaders] * 3 + [Headers]
    assert [event.size > MOST for event in events if isinstance(event, OversizedHeaders)] == [True] * 3
    assert made.held == 0


def test_headers_that_a_table_needs_are_not_skipped() -> None:
    """Later ones would mean what nobody has read; the end says whose limit it is."""
    made = reader()
    made.feed(frame(frames.HEADERS, 4, 1, b"\x88\x40\x01a\x01b"))
    events = made.feed(cut_headers(3, encode_fields((*HEAD, (b"x", b"y" * 5000))), [1000] * 4))
    code, text = broken(events)
    assert code == frames.ENHANCE_YOUR_CALM
    assert f"headers have more than 5026 bytes, and {MOST} are read" in text


def test_headers_without_end_are_given_up() -> None:
    """They are not kept beyond the limit, and not skipped for ever."""
    made = reader()
    made.feed(frame(frames.HEADERS, 0, 1, bytes(3000)))
    for _ in range(100):
        events = made.feed(frame(frames.CONTINUATION, 0, 1, bytes(3000)))
        assert made.held <= MOST
        if events:
            break
    assert broken(events)[0] == frames.ENHANCE_YOUR_CALM


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_hung_up_on(name: str) -> None:
    """After some ten thousand frames that say nothing the peer is told to be calm."""
    made, flood = reader(), FLOODS[name](1) * 100
    for _ in range(400):
        events = made.feed(flood)
        if made.is_broken:
            break
    assert broken(events)[0] == frames.ENHANCE_YOUR_CALM


def test_continuations_of_nothing_are_a_flood() -> None:
    """Empty frames never reach the limit by bytes."""
    made = reader()
    made.feed(frame(frames.HEADERS, 0, 1, b""))
    for _ in range(400):
        events = made.feed(frame(frames.CONTINUATION, 0, 1, b"") * 100)
        if made.is_broken:
            break
    assert broken(events)[0] == frames.ENHANCE_YOUR_CALM


@pytest.mark.parametrize(
    "said",
    [
        headers(1, (b":status", b"103"), (b"link", b"x" * 3000)),
        headers(1, *HEAD, (b"X", b"x" * 3000)),
        frame(frames.HEADERS, 4, 1, b"\x90" * 3000),
    ],
    ids=["that say wait", "malformed", "too large"],
)
def test_headers_weigh_what_it_takes_to_read_them(said: bytes) -> None:
    """Some hundred large ones without use are as bad as ten thousand small ones."""
    made = reader()
    for _ in range(300):
        events = made.feed(said * 20)
        if made.is_broken:
            break
    assert broken(events)[0] == frames.ENHANCE_YOUR_CALM
    assert made._idle < 10_100


def test_a_quiet_connection_is_kept_for_ever() -> None:
    """Pings that come one by one are no flood, nor are those of a server that measures each answer."""
    made = reader()
    for _ in range(30_000):
        made.feed(ping_frame(b"12345678"))
    for _ in range(3000):
        made.feed((ping_frame(b"12345678") + window_update_frame(0, 9) + answer(1, b"x")) * 10)
    assert not made.is_broken


def test_words_that_answer_what_was_sent_are_no_flood() -> None:
    """A peer may say something to each frame of ours."""
    made = reader()
    for _ in range(40):
        made.sent += 1000
        made.feed(window_update_frame(0, 16_384) * 1000)
    assert not made.is_broken


@pytest.mark.parametrize("size", [1, 9, 100, 16_384])
def test_what_is_kept_is_bounded(size: int) -> None:
    """No more than a frame that has begun."""
    made = reader()
    said = data(1, bytes(size))
    for end in {0, 1, len(said) // 2, len(said) - 1}:
        made.feed(said[:end])
        assert made.held <= len(said)
        made.feed(said[end:])
        assert made.held == 0


_CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus" / "http2"


@pytest.mark.parametrize("kept", sorted(_CORPUS.iterdir()), ids=lambda path: path.name)
def test_what_the_fuzzer_keeps_stays_right(kept: Path) -> None:
    """Each kept input means the same in one piece and in pieces of its own size."""
    size, stream = kept.read_bytes()[0] + 1, kept.read_bytes()[1:]
    made = reader(greeted=False)
    pieces = [event for at in range(0, len(stream), size) for event in made.feed(stream[at : at + size])]
    assert list(map(repr, apart(pieces))) == list(map(repr, apart(reader(greeted=False).feed(stream))))
    assert fates_of(stream, size) == fates_of(stream, len(stream))

"""The reader, and what stands behind it, beside another implementation: random words of a server, right and wrong."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from h2 import events as h2_events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st
from support.http2_calls import Made
from support.http2_desk import Desk, fates_of
from support.http2_frames import GREETING, HEAD, OK, answer, apart, frame, headers, message

from callahead.consumer.wire.http2 import events, frames
from callahead.consumer.wire.http2.hpack import encode_fields
from callahead.consumer.wire.http2.reader import Http2Reader
from callahead.consumer.wire.http2.settings import Limits

MOST = 200_000
REQUEST = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/x"), (b":authority", b"y")]
Pairs = list[tuple[bytes, bytes]]


def client() -> H2Connection:
    """One by `h2` that tells its peer what this side tells."""
    made = H2Connection(H2Configuration(client_side=True, header_encoding=None))
    made.local_settings.header_table_size = 0
    made.local_settings.enable_push = 0
    made.local_settings.acknowledge()
    made.initiate_connection()
    return made


# -- right words -----------------------------------------------------------------------------------------------------


class Server:
    """Says by `h2` whatever a server may, as *random* has it, to a client that has asked five times."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.client = client()
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._h2.initiate_connection()
        self._begun: list[int] = []
        self._new = [1, 3, 5, 7, 9]
        for stream in self._new:
            self.client.send_headers(stream, REQUEST, end_stream=True)
        self._h2.receive_data(self.client.data_to_send())

    def say(self) -> None:
        """Say one thing more."""
        say: Callable[[], None] = self._random.choice(
            [self._begin, self._begin, self._go_on, self._go_on, self._go_on, self._end, self._wait, self._give_up,
             self._ping, self._settings, self._windows, self._rare]
        )  # fmt: skip
        say()

    def said(self) -> bytes:
        """All of it."""
        return bytes(self._h2.data_to_send())

    def _metadata(self) -> Pairs:
        random = self._random
        sizes = [0, 3, 40, 3000, 20_000]
        return [(b"x-%d" % random.randrange(9), b"v" * random.choice(sizes)) for _ in range(random.randrange(4))]

    def _begin(self) -> None:
        if self._new:
            stream = self._new.pop(0)
            self._begun.append(stream)
            self._h2.send_headers(stream, [*HEAD, *self._metadata()])

    def _wait(self) -> None:
        if self._new:
            self._h2.send_headers(self._new[0], [(b":status", b"103"), (b"link", b"x")])

    def _go_on(self) -> None:
        if self._begun:
            padding = self._random.choice([None, None, 0, 1, 255])
            content = bytes(self._random.choice([0, 1, 100, 1000]))
            self._h2.send_data(self._random.choice(self._begun), content, pad_length=padding)

    def _end(self) -> None:
        if self._begun:
            stream = self._begun.pop(0)
            if self._random.random() < 0.7:
                self._h2.send_headers(stream, [*OK, *self._metadata()], end_stream=True)
            else:
                self._h2.send_data(stream, b"end", end_stream=True)

    def _give_up(self) -> None:
        if self._begun and self._random.random() < 0.3:
            self._h2.reset_stream(self._begun.pop(0), self._random.randrange(14))

    def _ping(self) -> None:
        self._h2.ping(bytes(self._random.randrange(256) for _ in range(8)))

    def _settings(self) -> None:
        self._h2.update_settings(
            {
                SettingCodes.MAX_CONCURRENT_STREAMS: self._random.randrange(1 << 31),
                SettingCodes.INITIAL_WINDOW_SIZE: self._random.choice([0, 1, 65_535, 1 << 20]),
            }
        )

    def _windows(self) -> None:
        self._h2.increment_flow_control_window(self._random.randrange(1, 1000), self._random.choice([None, *self._new]))

    def _rare(self) -> None:
        stream = self._random.choice([0, 1, 2, 11])
        one, other = frame(0x55, 255, stream, b"what"), frame(frames.PRIORITY, 0, stream or 1, bytes(5))
        # Neither changes where the server stands, so that they may go where `h2` has just finished a frame.
        self._h2._data_to_send += self._random.choice([one, other])


def seen_by_h2(said: list[h2_events.Event]) -> list[Any]:
    """The events of `h2` as plain tuples; its own words for ends and settings apart."""
    found: list[Any] = []
    for one in said:
        match one:
            case h2_events.InformationalResponseReceived() | h2_events.StreamEnded() | h2_events.UnknownFrameReceived():
                continue
            case h2_events.ResponseReceived() | h2_events.TrailersReceived():
                pairs = tuple((bytes(name), bytes(value)) for name, value in one.headers or ())
                found.append(("headers", one.stream_id, pairs, one.stream_ended is not None))
            case h2_events.DataReceived():
                found.append(
                    ("data", one.stream_id, one.data, one.flow_controlled_length, one.stream_ended is not None)
                )
            case h2_events.StreamReset():
                found.append(("reset", one.stream_id, int(one.error_code or 0)))
            case h2_events.WindowUpdated():
                found.append(("window", one.stream_id, one.delta))
            case h2_events.PingReceived():
                found.append(("ping", one.ping_data))
            case h2_events.RemoteSettingsChanged():
                found.append(("settings", {int(key): int(new.new_value) for key, new in one.changed_settings.items()}))
    return found


def seen_by_us(said: list[events.Event]) -> list[Any]:
    """Our events as the same tuples."""
    found: list[Any] = []
    for one in apart(said):
        match one:
            case events.Headers():
                found.append(("headers", *one))
            case events.Data():
                found.append(("data", *one))
            case events.Reset():
                found.append(("reset", *one))
            case events.WindowUpdate():
                found.append(("window", *one))
            case events.Ping():
                found.append(("ping", one.data))
            case events.Settings():
                found.append(("settings", dict(one.values)))
            case _:
                found.append(one)
    return found


@pytest.mark.parametrize("seed", range(30))
def test_a_server_by_h2_is_understood_as_h2_does(seed: int) -> None:
    """Headers in many frames, padding, priorities, settings, windows, resets, frames of the future, however cut."""
    random = Random(seed)
    server = Server(random)
    for _ in range(random.randrange(2, 120)):
        server.say()
    said = server.said()
    reader = Http2Reader(lambda fields: fields, Limits(MOST))
    reader.opened = 9
    got: list[events.Event] = []
    at = 0
    while at < len(said):
        size = random.choice([9, 100, 20_000, 70_000])
        got += reader.feed(said[at : at + size])
        at += size
    assert seen_by_us(got) == seen_by_h2(server.client.receive_data(said))


# -- any words -------------------------------------------------------------------------------------------------------

STATES = {0: "connection", 1: "asked", 2: "its own", 3: "answering", 5: "over", 7: "idle"}
BLOCKS = [
    encode_fields(HEAD), encode_fields(OK), encode_fields((*HEAD, *OK)), encode_fields(((b":status", b"103"),)),
    encode_fields((*HEAD[:1], (b"connection", b"x"))), b"\x88\x00\x01X\x00", b"\xbe", b"",
]  # fmt: skip
DATA = [b"", message(b"x"), b"\x03" + message(b"x") + bytes(3), b"\xff"]


@st.composite
def any_frames(draw: st.DrawFn) -> tuple[int, int, int, bytes]:
    """Type, flags, stream and content: mostly such as could be meant."""
    kind = draw(st.integers(0, 9))
    stream = draw(st.sampled_from([*STATES]))
    flags = draw(st.one_of(st.sampled_from([0, 1, 4, 5, 8, 9, 12, 0x20, 0x24, 0x2D]), st.integers(0, 255)))
    if kind == frames.DATA:
        return kind, flags, stream, draw(st.sampled_from(DATA))
    if kind in (frames.HEADERS, frames.CONTINUATION):
        return kind, flags, stream, draw(st.sampled_from(BLOCKS))
    if kind == frames.SETTINGS:
        number = st.sampled_from([1, 2, 3, 4, 5, 6, 9])
        value = st.sampled_from([0, 1, 100, 16_384, 1 << 24, 1 << 31, 65_535])
        values = draw(st.lists(st.tuples(number, value), max_size=3))
        whole = b"".join(name.to_bytes(2) + one.to_bytes(4) for name, one in values)
        return kind, flags, stream, whole + draw(st.sampled_from([b"", b"", b"x"]))
    size = draw(st.sampled_from([0, 4, 5, 8, 12]))
    return kind, flags, stream, bytes(draw(st.lists(st.sampled_from([0, 1, 8]), min_size=size, max_size=size)))


def fate_by_h2(said: bytes) -> str:
    """What becomes of the connection: ``""`` for nothing, else that a stream or that all of it is over."""
    made = client()
    for stream in (1, 3, 5):
        made.send_headers(stream, REQUEST, end_stream=True)
    made.receive_data(GREETING + headers(3, *HEAD) + answer(5, b"x"))
    try:
        told = made.receive_data(said)
    except ProtocolError:
        return "connection"
    return "stream" if any(isinstance(one, h2_events.StreamReset | h2_events.StreamEnded) for one in told) else ""


def fate_by_us(said: bytes) -> str:
    """The same, as calls meet it."""
    desk = Desk()
    calls: list[Made] = [desk.call() for _ in range(3)]
    desk.hear(headers(3, *HEAD), answer(5, b"x"))
    before = [len(one.outcomes) for one in calls]
    desk.hear(said)
    after = [len(one.outcomes) for one in calls]
    assert max(after) <= 1
    return "connection" if desk.end else "stream" if after != before else ""


def is_known(kind: int, flags: int, stream: int, content: bytes, ours: str, theirs: str) -> bool:
    """Tell whether both may be right, and we mean to differ."""
    state = STATES[stream]
    if kind == frames.PUSH_PROMISE:  # which h2 waits for the rest of
        return ours == "connection"
    if kind in (frames.HEADERS, frames.RST_STREAM) and state in ("its own", "idle"):  # a client has not opened it
        return ours == "connection"
    if state == "over":  # nobody is harmed, for a while
        return (ours, theirs) == ("", "connection")
    if kind == frames.DATA and ours == "stream":  # gRPC's own rules; no headers before it
        return state in ("asked", "answering")
    if kind in (frames.HEADERS, frames.WINDOW_UPDATE):  # others need not suffer for it
        return (ours, theirs) == ("stream", "connection")
    del flags, content
    return False


@given(any_frames())
def test_any_frame_has_the_fate_that_h2_gives_it(said: tuple[int, int, int, bytes]) -> None:
    """One frame in each state, right or wrong, ends the same; where it does not, this side means it."""
    whole = frame(*said)
    ours, theirs = fate_by_us(whole), fate_by_h2(whole)
    assert ours == theirs or is_known(*said, ours, theirs), (said, ours, theirs)


@pytest.mark.parametrize("cut", [1, 2, 7, 1000])
@given(st.lists(any_frames(), max_size=12))
def test_calls_have_one_fate_however_the_bytes_are_cut(cut: int, said: list[tuple[int, int, int, bytes]]) -> None:
    """Any frames in a row end each call once at most, in the same way, in one piece and in many."""
    whole = GREETING + b"".join(frame(*one) for one in said)
    assert fates_of(whole, cut) == fates_of(whole, len(whole))

"""What a provider says on each stream, whatever becomes of that, and what it costs this side."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from support.http2_calls import Made
from support.http2_desk import Desk
from support.http2_frames import (
    HEAD,
    OK,
    answer,
    data,
    frame,
    headers,
    message,
    ping_frame,
    reset,
    settings_frame,
    window_update_frame,
)
from support.work import calls_in

from callahead.consumer.errors import RpcError
from callahead.consumer.transport.tcp.io_thread import NEVER
from callahead.consumer.transport.tri.http2.greeting import STREAM_WINDOW
from callahead.consumer.wire.http2 import frames
from callahead.consumer.wire.http2.events import Settings

# -- every type of frame in every state of a stream --------------------------------------------------------------------


def _idle(desk: Desk) -> Made:
    made = desk.call()
    made.id += 100  # no such stream was opened
    return made


def _answering(desk: Desk) -> Made:
    made = desk.call()
    desk.hear(headers(made.id, *HEAD))
    return made


def _sending(desk: Desk) -> Made:
    return desk.call(b"x" * 100_000)


def _over(desk: Desk) -> Made:
    made = desk.call()
    desk.hear(answer(made.id, b"done"))
    return made


def _cancelled(desk: Desk) -> Made:
    made = desk.call()
    desk.streams.cancel(made)
    desk.leave()
    return made


def _refused(desk: Desk) -> Made:
    made = desk.call()
    desk.hear(reset(made.id, frames.REFUSED_STREAM))
    return made


STATES: dict[str, Callable[[Desk], Made]] = {
    "idle": _idle, "asked": Desk.call, "sending": _sending, "answering": _answering, "over": _over,
    "cancelled": _cancelled, "refused": _refused,
}  # fmt: skip

FRAMES: dict[str, Callable[[int], bytes]] = {
    "data": lambda one: data(one, message(b"hi")),
    "data, the end": lambda one: data(one, message(b"hi"), ends=True),
    "no data, the end": lambda one: data(one, b"", ends=True),
    "headers": lambda one: headers(one, *HEAD),
    "headers, the end": lambda one: headers(one, *HEAD, *OK, ends=True),
    "trailers": lambda one: headers(one, *OK, ends=True),
    "trailers, not the end": lambda one: headers(one, *OK),
    "wait": lambda one: headers(one, (b":status", b"103")),
    "priority": lambda one: frame(frames.PRIORITY, 0, one, bytes(5)),
    "reset": lambda one: reset(one, frames.CANCEL),
    "settings": lambda one: frame(frames.SETTINGS, 0, one, b""),
    "push": lambda one: frame(frames.PUSH_PROMISE, frames.END_HEADERS, one, bytes(4)),
    "ping": lambda one: frame(frames.PING, 0, one, bytes(8)),
    "goodbye": lambda one: frame(frames.GOAWAY, 0, one, bytes(8)),
    "window": lambda one: window_update_frame(one, 1),
    "continuation": lambda one: frame(frames.CONTINUATION, frames.END_HEADERS, one, b""),
    "unknown": lambda one: frame(77, 255, one, b"what"),
}
# For each frame a letter for each state: . nothing comes of it, E the call ends as answered, F it fails, C so does all.
FATES = {
    "data": "CFF....",
    "data, the end": "CFFE...",
    "no data, the end": "CFFE...",
    "headers": "C..F...",
    "headers, the end": "CEEF...",
    "trailers": "CFFE...",
    "trailers, not the end": "CFFF...",
    "wait": "C......",
    "priority": ".......",
    "reset": "CFFF...",
    "settings": "CCCCCCC",
    "push": "CCCCCCC",
    "ping": "CCCCCCC",
    "goodbye": "CCCCCCC",
    "window": "C......",
    "continuation": "CCCCCCC",
    "unknown": ".......",
}


def fate(name: str, state: str) -> str:
    """What becomes of a call in *state* by a frame, while another one goes on."""
    desk = Desk()
    bystander, made = desk.call(), STATES[state](desk)
    before = len(made.outcomes)
    desk.hear(FRAMES[name](made.id))
    if desk.end:
        return "C"
    desk.hear(answer(bystander.id, b"mine"))
    [outcome] = bystander.outcomes
    assert outcome.value == b"mine"
    if len(made.outcomes) == before:
        return "."
    [last] = made.outcomes
    return "E" if last.error is None else "F" if isinstance(last.error, RpcError) else "?"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", FRAMES)
def test_every_frame_in_every_state(name: str, state: str) -> None:
    """A call ends once or goes on, others go on, or the connection ends; nothing else happens."""
    assert fate(name, state) == FATES[name][[*STATES].index(state)]


def test_every_frame_behind_the_end_of_a_connection() -> None:
    """Once the provider has broken the rules, nothing that it says is heard."""
    desk = Desk()
    made = desk.call()
    desk.hear(frame(frames.PING, 0, 1, bytes(8)))
    desk.hear(*(say(made.id) for say in FRAMES.values()))
    assert made.outcomes == []
    assert len(desk.rare) == 2


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ([headers(1, (b"x", b"y"))], "without a :status"),
        ([headers(1, *OK, ends=True)], "without a :status"),
        ([headers(1)], "without a :status"),
        ([headers(1, *HEAD), headers(1, *HEAD)], "in the midst of an answer"),
        ([headers(1, *HEAD), headers(1, *HEAD[:1], *OK, ends=True)], "in the midst of an answer"),
        ([headers(1, *HEAD), headers(1, *OK)], "not the end"),
        ([headers(1, *HEAD), headers(1, *OK, (b":status", b"200"), ends=True)], "called ':status'"),
    ],
)
def test_headers_where_they_do_not_belong(said: list[bytes], text: str) -> None:
    """The first have a status of HTTP, the last have none and are the end; the call alone fails, and is in doubt."""
    desk = Desk()
    made = desk.call()
    desk.hear(*said)
    assert isinstance(made.error, RpcError)
    assert text in made.error.message
    assert made.error.in_doubt
    assert desk.end == ""


# -- what a provider may cost ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said", [data(1, b"x" * 100, ends=True), data(1, b"x" * 100), data(1, b"", ends=True), answer(1, b"again")]
)
def test_a_stream_that_is_over_is_no_way_around_the_limits(said: bytes) -> None:
    """What an honest provider never says is heard for a while, and then the connection ends."""
    desk = Desk()
    desk.call()
    desk.hear(answer(1, b"done"))
    for _ in range(STREAM_WINDOW // 100):
        desk.hear(said * 10)
        if desk.end:
            break
    assert "goes on with streams that are over" in desk.end


def test_what_is_under_way_when_a_stream_is_cancelled_may_come() -> None:
    """A whole window of it for each, in frames of any size, and its headers and trailers."""
    desk = Desk()
    for _ in range(20):
        made = desk.call()
        desk.streams.cancel(made)
        desk.hear(headers(made.id, *HEAD), data(made.id, b"x" * 16_000) * 65, headers(made.id, *OK, ends=True))
        assert desk.end == ""
    assert desk.counters.unknown_answers == 20


def test_answers_that_are_not_read_are_not_kept_for_ever() -> None:
    """A provider that asks, bit by bit, and never reads, is hung up on after ten thousand answers."""
    desk = Desk(reads=False)
    for _ in range(2000):
        desk.hear(ping_frame(b"12345678") * 10)
        if desk.end:
            break
    assert "does not read what it asks for: 10000 answers" in desk.end
    assert desk.outbox.size < 200_000


def test_who_asks_and_reads_is_answered_for_ever() -> None:
    """Bit by bit that is no flood."""
    desk = Desk()
    for _ in range(3000):
        desk.hear(ping_frame(b"12345678") * 10)
    assert desk.end == ""


@pytest.mark.parametrize("calls", [100, 4000])
def test_a_word_of_the_connection_costs_the_same_however_many_calls_wait(calls: int) -> None:
    """Calls whose own windows are shut are not looked at when that of all opens, nor when anything else comes."""
    desk = Desk()
    desk.hear(settings_frame({frames.INITIAL_WINDOW_SIZE: 0}))
    for _ in range(calls):
        desk.call()

    def hear() -> None:
        desk.hear(window_update_frame(0, 1), ping_frame(b"12345678"))
        desk.streams.begin_waiting()

    assert calls_in(hear) < 150


def test_settings_that_let_calls_go_on_cost_what_they_bring() -> None:
    """Windows that open and shut for nothing, while thousands of calls wait, end the connection soon."""
    desk = Desk()
    desk.hear(settings_frame({frames.INITIAL_WINDOW_SIZE: 0}))
    made = [desk.call(b"x" * 100) for _ in range(10_000)]
    wide, shut = settings_frame({frames.INITIAL_WINDOW_SIZE: 1}), settings_frame({frames.INITIAL_WINDOW_SIZE: 0})
    desk.hear(window_update_frame(0, 1_000_000), wide, shut)
    assert desk.end == ""
    for _ in range(50):
        desk.hear(wide, shut)
        if desk.end:
            break
    assert "say nothing" in desk.end
    assert not any(one.outcomes for one in made)


def test_goodbyes_look_at_nobody_twice() -> None:
    """Each gives back those above its last stream, and looks at no other."""
    desk = Desk()
    for _ in range(4000):
        desk.call()
    assert len(desk.streams.leave(7900)) == 50
    assert calls_in(lambda: desk.streams.leave(7898)) < 60
    assert calls_in(lambda: desk.streams.leave(7898)) < 20


def test_windows_that_are_opened_by_crumbs_are_a_flood() -> None:
    """A word for each byte that may leave costs more than it is worth; one for each small message does not."""
    desk = Desk()
    desk.hear(settings_frame({frames.INITIAL_WINDOW_SIZE: 0}))
    desk.call(b"x" * 100_000)
    for _ in range(100):
        desk.hear(window_update_frame(1, 1) * 1000)
        if desk.end:
            break
    assert "say nothing" in desk.end


@pytest.mark.parametrize("window", [100, 750])
def test_small_windows_of_many_calls_are_no_flood(window: int) -> None:
    """A server by grpc-okhttp that is told to keep small ones gives as many words at once as calls wait for them."""
    desk = Desk()
    desk.hear(settings_frame({frames.INITIAL_WINDOW_SIZE: window}))
    made = [desk.call(b"x" * 500 * window) for _ in range(50)]
    for _ in range(500):
        desk.hear(*(window_update_frame(one.id, window) for one in made), window_update_frame(0, 50 * window))
    assert desk.end == ""
    assert all(desk.streams.is_written(one) for one in made)


def test_what_a_provider_does_not_read_is_not_copied() -> None:
    """However wide its windows are, a megabyte waits to be written, and the rest where the caller has it."""
    desk = Desk(reads=False)
    desk.hear(settings_frame({frames.INITIAL_WINDOW_SIZE: frames.LARGEST_WINDOW}))
    desk.hear(window_update_frame(0, frames.LARGEST_WINDOW - 65_535))
    made = [Made(b"x" * 3_000_000) for _ in range(10)]
    for one in made:
        desk.streams.put(one)
    assert desk.outbox.size < 1_400_000
    sent = 0
    while desk.outbox.count:
        sent += len(desk.leave())
        desk.streams.begin_waiting()
    assert sent > 30_000_000
    assert all(desk.streams.is_written(one) for one in made)


def test_crumbs_that_nobody_reads_do_not_pile_up() -> None:
    """Of a provider that opens a window byte by byte and reads none of them ten thousand frames wait."""
    desk = Desk(reads=False)
    desk.hear(settings_frame({frames.INITIAL_WINDOW_SIZE: 0}))
    desk.streams.put(Made(b"x" * 1_000_000))
    for _ in range(3000):
        desk.hear(window_update_frame(1, 1) * 10)
    assert desk.end == ""
    assert desk.outbox.count <= 10_001


def test_headers_that_differ_are_kept_by_bytes() -> None:
    """Headers that unpack to a hundred times their size cost a few megabytes, however many of them come."""
    desk = Desk()
    desk.call()
    tracemalloc.start()
    for number in range(1000):
        block = b"\x90" * 60 + b"\x00\x05x-bin\x7f\x81\x06" + b"%05d" % number + b"," * 891
        desk.hear(frame(frames.HEADERS, frames.END_HEADERS, 1, block))
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 8_000_000


def test_settings_are_heard_after_they_are_taken() -> None:
    """Who hears of them finds what they allow."""
    desk = Desk()
    desk.hear(settings_frame({frames.MAX_CONCURRENT_STREAMS: 7}))
    assert isinstance(desk.rare[-1], Settings)
    assert desk.streams.peer.streams == 7


# -- how long calls took -----------------------------------------------------------------------------------------------


def test_the_youngest_call_of_those_answered_is_known() -> None:
    """It decides when the connection is read next; one that was cancelled says nothing of the provider."""
    desk = Desk()
    calls = [desk.call() for _ in range(4)]
    for call, started in zip(calls, (5.0, 7.0, 6.0, 8.0), strict=True):
        call.record.started = started
    desk.hear(*(answer(call.id, b"done") for call in calls[:2]))
    desk.hear(headers(calls[2].id, *HEAD), data(calls[2].id, message(b"done")))
    desk.hear(headers(calls[2].id, *OK, ends=True))
    desk.streams.cancel(calls[3])

    assert desk.streams.youngest == 7.0


@pytest.mark.parametrize(("is_followed", "youngest"), [(True, NEVER), (False, 0.0)])
@pytest.mark.parametrize("parts", [1, 2], ids=["headers", "data"])
def test_a_part_of_what_somebody_follows_counts_as_quick(is_followed: bool, youngest: float, parts: int) -> None:
    """A stream's headers and answers are waited for one by one; a part of a single answer is of use to nobody."""

    class Followed(Made):
        pass

    Followed.is_followed = is_followed
    desk = Desk()
    call = Followed()
    desk.streams.put(call)
    desk.hear(*[headers(call.id, *HEAD), data(call.id, message(b"hi"))][:parts])
    assert desk.streams.youngest == youngest


def test_a_request_that_waits_for_the_peers_leave_counts_as_quick() -> None:
    """Its window may open at any moment; a request that leaves at once is a call as all others."""
    desk = Desk()
    desk.call()
    assert desk.streams.youngest == 0.0
    desk.call(b"x" * 100_000)
    assert desk.streams.youngest == NEVER


def test_a_call_that_waits_for_a_stream_counts_as_quick() -> None:
    """The next answer may let it on; once none waits any more the calls are as all others."""
    desk = Desk(greeting=settings_frame({frames.MAX_CONCURRENT_STREAMS: 1}))
    first, second = desk.call(), desk.call()
    desk.streams.begin_waiting()
    assert desk.streams.youngest == NEVER

    desk.streams.youngest = 0.0
    desk.hear(answer(first.id, b"done"))
    desk.streams.begin_waiting()
    assert (second.id, desk.streams.youngest) == (3, first.record.started)

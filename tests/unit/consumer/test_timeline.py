"""What a timeline says of its calls: what was saved, and which lines took an answer too early."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clock import FakeClock
from support.shop import Background, Shop

from callahead.consumer import RpcContext
from callahead.consumer.scope import Span, Timeline, Wait
from callahead.consumer.scope.recorder import recording

AHEAD = {"findFoo": {"async": True}, "findBar": {"async": True}, "touch": {"return": False}}


def call(start: float, end: float | None, *waits: tuple[str, float, float], **values: Any) -> Span:
    given = {"name": "foo.find", "site": f"made at {start:g}", "mode": "async", "thread": 1, **values}
    return Span(start_ms=start, end_ms=end, waits=tuple(Wait(*wait) for wait in waits), **given)


def sync(start: float, end: float, **values: Any) -> Span:
    site = f"made at {start:g}"
    return call(start, end, (site, start, end), mode="sync", **values)


def found(timeline: Timeline) -> list[tuple[str, float]]:
    return [(take.site, round(take.gain_ms, 6)) for take in timeline.early]


def test_calls_at_once_save_what_overlaps() -> None:
    """The longest of five and six is six."""
    both = Timeline((call(0, 5000), call(0, 6000)), 6000)
    assert (both.sum_ms, both.saved_ms, both.early, both.possible_ms) == (11000, 5000, (), 6000)


def test_a_call_that_runs_counts_until_now() -> None:
    """Its end is not known."""
    assert Timeline((call(100, None),), 500).sum_ms == 400


def test_an_answer_taken_before_the_next_call_begins() -> None:
    """The two could have overlapped by the shorter one."""
    line = Timeline((call(0, 50, ("early", 0, 50)), call(50, 110, ("late", 50, 110))), 110)
    assert found(line) == [("early", 50)]
    [take] = line.early
    assert (take.before, take.waited_ms, take.mode) == ("made at 50", 50, "async")
    assert line.possible_ms == 60


def test_answers_taken_after_all_calls() -> None:
    """Nothing could be gained."""
    assert Timeline((call(0, 50, ("a", 1, 50)), call(1, 60, ("b", 50, 60))), 60).early == ()


def test_synchronous_calls_in_a_row() -> None:
    """Each but the last is a line that waits; together they could take as long as the longest."""
    row = Timeline((sync(0, 10), sync(10, 40), sync(40, 60)), 60)
    assert found(row) == [("made at 10", 20), ("made at 0", 10)]
    assert (row.possible_ms, [take.mode for take in row.early]) == (30, ["sync", "sync"])


def test_work_of_its_own_between_calls_stays() -> None:
    """Only the waiting may go."""
    row = Timeline((sync(0, 10), sync(30, 40)), 45, code_ms=45)
    assert found(row) == [("made at 0", 10)]
    assert row.possible_ms == 35


def test_a_line_in_a_loop_is_one_line() -> None:
    """Its waits are added up."""
    spans = [call(at, at + 10, ("loop", at, at + 10)) for at in range(0, 50, 10)]
    [take] = Timeline(tuple(spans), 50).early
    assert (take.site, take.waited_ms, take.gain_ms) == ("loop", 50, 40)


def test_what_is_waited_for_at_the_end_is_not_the_code() -> None:
    """A scope waits for its calls; that may overlap with what a line waited for too early."""
    row = Timeline((sync(0, 10), call(10, 40)), 40, code_ms=10)
    assert (found(row), row.possible_ms) == ([("made at 0", 10)], 30)


def test_an_answer_that_the_next_call_needs() -> None:
    """It was not taken too early, where it is seen among the arguments."""
    spans = (call(0, 10, ("taken", 0, 10)), call(10, 20, ("late", 10, 20), needs=frozenset({0})))
    assert Timeline(spans, 20).early == ()


def test_threads_wait_for_themselves() -> None:
    """What one thread waits for holds up no other."""
    spans = (call(0, 10, ("one", 0, 10), thread=1), call(10, 20, ("two", 10, 20), thread=2))
    assert Timeline(spans, 20).early == ()


def test_a_wait_that_hardly_matters_is_not_named() -> None:
    """A hundredth of the wall time is the least."""
    spans = (call(0, 2, ("short", 0, 2)), call(2, 1000, ("long", 2, 1000)))
    assert Timeline(spans, 1000).early == ()


def test_of_many_lines_only_those_are_worked_out_that_can_matter() -> None:
    """Ten thousand lines, of which each would have to be tried against all."""
    spans = [call(at, at + 1, (f"line {at}", at, at + 1)) for at in range(10_000)]
    assert Timeline(tuple(spans), 10_000).early == ()


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50), st.booleans()), max_size=12))
def test_it_never_promises_more_than_there_is(steps: list[tuple[int, int, bool]]) -> None:
    """No gain is negative or beyond the wait itself, and nothing can end before its longest call."""
    now, spans = 0.0, []
    for number, (gap, duration, waits) in enumerate(steps):
        now += gap
        end = now + duration
        spans.append(call(now, end, *([(f"line {number}", now, end)] if waits else [])))
        now = end if waits else now
    wall = max([now, *(span.end_ms or 0 for span in spans)])
    line = Timeline(tuple(spans), wall, now)
    longest = max(((span.end_ms or 0) - span.start_ms for span in spans), default=0.0)
    assert longest - 1e-6 <= line.possible_ms <= wall + 1e-6
    for take in line.early:
        assert 0 < take.gain_ms <= take.waited_ms + 1e-6


# Made by calls


def test_a_scope_shows_its_calls() -> None:
    """With their lines, modes and times."""
    clock = FakeClock()
    with Shop(methods=AHEAD, clock=clock) as one:
        with one.consumer.scope() as calls:
            one.foo.findFoo(1)
            clock.advance(0.1)
            one.foo.touch(2)
            first, second = one.next_call(), one.next_call()
            first.reply()
            clock.advance(0.1)
            second.reply()
        line = calls.timeline()
    assert [(span.name, span.mode, round(span.start_ms), round(span.end_ms or 0)) for span in line.spans] == [
        ("foo.findFoo", "async", 0, 100),
        ("foo.touch", "one-way", 100, 200),
    ]
    assert round(line.wall_ms) == 200
    assert all(span.site.startswith(__file__) for span in line.spans)
    assert line.spans[0].site.endswith("in test_a_scope_shows_its_calls")


def test_it_notes_the_line_that_waited() -> None:
    """Where a result was taken that was not there yet."""
    with Shop(methods=AHEAD) as one, one.consumer.scope() as calls:
        future = one.foo.findFoo.future(1)
        waiting = Background(take_result, future)
        while not future._gates:
            pass
        one.next_call().reply("there")
        assert waiting.join() == "there"
        future.result()  # which is there, so nobody waits
        [span] = calls.timeline().spans
    assert [wait.site.rpartition(" ")[2] for wait in span.waits] == ["take_result"]


def take_result(future: Any) -> Any:
    return future.result()


def test_it_sees_an_answer_among_the_arguments() -> None:
    """The very object, which no other call has made."""
    with Shop(lambda attempt: [attempt.args[0]], methods=AHEAD) as one, one.consumer.scope() as calls:
        answer = one.foo.findFoo.future(1).result()
        one.foo.findBar(answer)
        one.foo.findBar(1)
        assert [span.needs for span in calls.timeline().spans] == [frozenset(), frozenset({0}), frozenset()]


def test_the_outer_scope_shows_what_the_inner_one_collects() -> None:
    """It is waited for once, and seen in both."""
    with Shop(lambda _: "there", methods=AHEAD) as one:
        with one.consumer.scope() as outer:
            with one.consumer.scope() as inner:
                one.foo.findFoo(1)
            one.foo.findBar(2)
        seen = [[span.name for span in scope.timeline().spans] for scope in (outer, inner)]
    assert seen == [["foo.findFoo", "foo.findBar"], ["foo.findFoo"]]
    assert outer.progress().begun == 1


def test_a_recording_hears_of_every_thread_and_scope() -> None:
    """It needs no context."""
    with Shop(lambda _: "there", methods=AHEAD) as one, recording() as recorder:
        Background(one.foo.findFoo, 1).join()
        with one.consumer.scope():
            one.foo.findBar(2)
        one.foo.findFoo.sync(3)
        spans = recorder.timeline().spans
    assert [(span.name, span.mode) for span in spans] == [
        ("foo.findFoo", "async"),
        ("foo.findBar", "async"),
        ("foo.findFoo", "sync"),
    ]
    assert len({span.thread for span in spans}) == 2


def test_nothing_is_recorded_afterwards() -> None:
    """The recording ends with its block."""
    with Shop(lambda _: "there", methods=AHEAD) as one:
        with recording() as recorder:
            pass
        one.foo.findFoo(1)
    assert recorder.timeline() == Timeline((), 0.0)


def test_a_lazy_result_is_waited_for_where_it_is_used() -> None:
    """The user's line, whatever the use; later uses wait for nothing."""
    with Shop(methods={"findFoo": {"async": "lazy"}}) as one, recording() as recorder:
        for use in USES:
            lazy = one.foo.findFoo(1)
            Background(reply_once_awaited, one.next_call(), RpcContext.get_context().get_future())
            use(lazy)
            use(lazy)
        spans = recorder.timeline().spans
    assert {span.mode for span in spans} == {"lazy"}
    sites = [[wait.site.rpartition(" ")[2] for wait in span.waits] for span in spans]
    assert sites == [[use.__name__] for use in USES]


def reply_once_awaited(call: Any, future: Any) -> None:
    while not future._gates:
        pass
    call.reply("there")


def used_by_attribute(lazy: Any) -> None:
    lazy.upper()


def used_by_text(lazy: Any) -> None:
    str(lazy)


def used_by_iteration(lazy: Any) -> None:
    list(lazy)


def used_by_comparison(lazy: Any) -> None:
    assert lazy == "there"


USES = (used_by_attribute, used_by_text, used_by_iteration, used_by_comparison)


def test_a_scope_has_the_answers_of_lazy_calls() -> None:
    """Plain, in their places, whether they were used or not."""
    with Shop(lambda attempt: attempt.args[0], methods={"findFoo": {"async": "lazy"}}) as one:
        with one.consumer.scope() as calls:
            one.foo.findFoo("used").upper()
            one.foo.findFoo("not used")
        assert calls.results() == ["used", "not used"]
        assert [type(answer) for answer in calls.results()] == [str, str]


@pytest.mark.parametrize("wrap", [lambda lazy: lazy, lambda lazy: [lazy], lambda lazy: {"a": (1, lazy)}])
def test_a_call_needs_the_lazy_results_among_its_arguments(wrap: Any) -> None:
    """Also those that anything could be equal to, and at any depth; so the wait for them was not too early."""
    with Shop(lambda _: 1, methods={"findFoo": {"async": "lazy"}}) as one, recording() as recorder:
        first, _ = one.foo.findFoo(1), one.foo.findFoo(1)
        one.foo.findBar(wrap(first))
        with one.consumer.scope() as calls:
            one.foo.findBar(wrap(one.foo.findFoo(1)))
    assert [span.needs for span in recorder.timeline().spans] == [
        frozenset(), frozenset(), frozenset({0}), frozenset(), frozenset({3}),
    ]  # fmt: skip
    assert [span.needs for span in calls.timeline().spans] == [frozenset(), frozenset({0})]


def test_a_failed_call_shows_its_error(caplog: pytest.LogCaptureFixture) -> None:
    """By the class of it."""
    with Shop(lambda _: 1 / 0, methods=AHEAD) as one, recording() as recorder:
        one.foo.findFoo.future(1).exception()
    assert recorder.timeline().spans[0].error

"""The timeline, the call site and the configurations of ``callahead demo``, without its providers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import pytest

from callahead.config import load_mapping, load_text
from callahead.consumer import Consumer, RemoteError
from callahead.consumer.call.invocation import Invocation
from callahead.consumer.cli.callsite import find_both, find_unchanged
from callahead.consumer.cli.demo_run import MODES
from callahead.consumer.cli.timeline import Timeline, recorded
from callahead.consumer.testing.scripted_transport import ScriptedTransport


def text_of(mode: str) -> str:
    return (files("callahead.conf") / MODES[mode]).read_text(encoding="utf-8")


def answer(invocation: Invocation) -> str:
    if invocation.kwargs == {"foo_id": 0}:
        raise RemoteError("no such foo")
    return f"{invocation.method} {invocation.kwargs}"


@pytest.fixture(params=MODES)
def consumer(request: pytest.FixtureRequest) -> Iterator[Consumer]:
    config = load_text(text_of(request.param))
    with Consumer(config, transports={"tri": ScriptedTransport(answer)}) as made:
        yield made


def test_the_configurations_differ_in_async_and_in_nothing_else() -> None:
    """What the demo claims of its two files is so."""
    assert text_of("sync") != text_of("async")
    assert text_of("sync").replace("{async: false}", "{async: true}") == text_of("async")
    assert text_of("sync").replace("{async: false}", "{async: lazy}") == text_of("lazy")


@pytest.mark.parametrize(("mode", "is_async"), [("sync", False), ("async", True), ("lazy", "lazy")])
def test_each_configuration_is_good_and_sets_its_mode(mode: str, is_async: bool | str) -> None:
    """They load without the demo's variables, so that they can be read and checked as samples."""
    references = load_text(text_of(mode)).references
    assert references["fooService"].methods["findFoo"].is_async == is_async
    assert references["barService"].methods["findBar"].is_async == is_async
    assert references["fooService"].urls == ("tri://127.0.0.1:50051",)


def test_the_call_site_returns_both_answers_in_each_mode(consumer: Consumer) -> None:
    """One function serves every configuration."""
    found = find_both(consumer.reference("fooService"), consumer.reference("barService"))
    assert found == ("find_foo {'foo_id': 1}", "find_bar {'bar_id': 2}")


def test_a_call_site_that_was_never_changed_overlaps_where_the_yaml_says_lazy() -> None:
    """Both calls are under way before either is answered."""
    transport = ScriptedTransport()
    with Consumer(load_text(text_of("lazy")), transports={"tri": transport}) as consumer:
        found = find_unchanged(consumer.reference("fooService"), consumer.reference("barService"))
        foo, bar = transport.next_call(), transport.next_call()
        bar.reply("bar")
        foo.reply("foo")
        assert found == ("foo", "bar")


def test_the_recorder_notes_each_call_of_the_block(consumer: Consumer) -> None:
    """Names, order and bounds are those of the calls."""
    foo, bar = consumer.reference("fooService"), consumer.reference("barService")
    with recorded() as timeline:
        find_both(foo, bar)
    assert [span.name for span in timeline.spans] == ["fooService.find_foo", "barService.find_bar"]
    assert all(0 <= span.start_ms <= span.end_ms <= timeline.wall_ms for span in timeline.spans)


def test_the_recorder_notes_a_failed_call() -> None:
    """A call takes time whatever its end."""
    with Consumer(load_text(text_of("sync")), transports={"tri": ScriptedTransport(answer)}) as consumer:
        foo = consumer.reference("fooService")
        with recorded() as timeline, pytest.raises(RemoteError):
            foo.find_foo(foo_id=0)
    assert [span.name for span in timeline.spans] == ["fooService.find_foo"]


def test_calls_outside_of_a_block_or_of_another_thread_are_not_recorded(consumer: Consumer) -> None:
    """The recorder belongs to who records, and keeps nothing for anybody else."""
    foo = consumer.reference("fooService")
    foo.find_foo(foo_id=1)
    with ThreadPoolExecutor(1) as other, recorded() as timeline:
        other.submit(foo.find_foo, foo_id=2).result()
    foo.find_foo(foo_id=3)
    assert timeline.spans == []


def test_a_method_without_the_recorder_is_not_recorded() -> None:
    """The configuration decides."""
    config = load_mapping({"references": {"foo": {"interface": "a.Foo", "url": "tri://127.0.0.1:1"}}})
    with Consumer(config, transports={"tri": ScriptedTransport(answer)}) as consumer, recorded() as timeline:
        consumer.reference("foo").find_foo(foo_id=1)
    assert timeline.spans == []


def test_the_sum_of_a_timeline_is_what_its_calls_took() -> None:
    """Overlap is counted twice, which is the point of the sum."""
    from callahead.consumer.cli.timeline import Span

    spans = [Span(name="a.b", start_ms=0, end_ms=500), Span(name="a.c", start_ms=10, end_ms=610)]
    assert Timeline(spans=spans).sum_ms == 1100

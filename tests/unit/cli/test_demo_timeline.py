"""The timeline, the call site and the configurations of ``callahead demo``, without its providers."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

import pytest

from callahead.config import load_text
from callahead.consumer import Consumer, resolve
from callahead.consumer.call.invocation import Invocation
from callahead.consumer.cli.callsite import find_both, find_unchanged
from callahead.consumer.cli.demo_run import MODES
from callahead.consumer.testing.scripted_transport import ScriptedTransport


def text_of(mode: str) -> str:
    return (files("callahead.conf") / MODES[mode]).read_text(encoding="utf-8")


def answer(invocation: Invocation) -> str:
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


def test_a_scope_around_the_call_site_sees_its_calls(consumer: Consumer) -> None:
    """Names, order and bounds are those of the calls, whatever their mode."""
    foo, bar = consumer.reference("fooService"), consumer.reference("barService")
    with consumer.scope() as calls:
        tuple(map(resolve, find_both(foo, bar)))
    timeline = calls.timeline()
    assert [span.name for span in timeline.spans] == ["fooService.find_foo", "barService.find_bar"]
    assert all(0 <= span.start_ms <= timeline.end_of(span) <= timeline.wall_ms for span in timeline.spans)

"""Another configuration for a consumer that runs: what changes, what stays, and what is refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support.shop import Background, Shop

from callahead.config import load_mapping, load_text
from callahead.config.errors import ConfigError
from callahead.consumer import CallNext, Consumer, ConsumerClosed, Invocation, InvocationFuture, oneway
from callahead.consumer.errors import LimitExceeded
from callahead.consumer.testing.scripted_transport import ScriptedTransport

SEEN: list[str] = []


class Noted:
    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        SEEN.append(invocation.method)
        return call_next(invocation)


class First:
    """Notes under which settings the calls of its chain run."""

    def on_start(self, invocation: Invocation) -> None:
        SEEN.append(f"{type(self).__name__} {invocation.policy.timeout_ms}")

    def on_end(self, token: Any, outcome: Any) -> None:
        """Nothing to note."""


class Second(First):
    """Of another chain."""


def shop_config(*, consumer: Mapping[str, Any] | None = None, methods: Any = None, **foo: Any) -> dict[str, Any]:
    """What a `Shop` is made of, with other settings."""
    reference = {"interface": "com.alibaba.foo.FooService", "url": ["tri://h1:1"], "methods": methods or {}, **foo}
    return {
        "consumer": {"timeout": 60_000, "retry_backoff": {"base": 0}, **(consumer or {})},
        "references": {"foo": reference},
    }


def problems(error: ConfigError) -> list[str]:
    return [f"{one.key}: {one.text}" for one in error.problems]


def test_calls_that_begin_from_then_on_obey_it_however_they_are_made() -> None:
    """Policy and chain change in one step, for methods that were handed out long before."""
    SEEN.clear()
    with Shop(lambda attempt: attempt.policy.timeout_ms) as shop:
        method = shop.foo.findFoo
        more = method.with_options(retries=7)
        assert (method(), more(), SEEN) == (60_000, 60_000, [])

        settings = {"timeout": 123, "interceptors": [f"{__name__}:Noted"]}
        assert shop.consumer.reload(shop_config(methods={"findFoo": settings})) == ("foo",)
        assert (method(), more(), shop.foo.find_bar()) == (123, 123, 60_000)
        assert (more.policy.retries, more.policy.timeout_ms) == (7, 123)
        assert SEEN == ["findFoo", "findFoo"]

        assert shop.consumer.reload(shop_config(consumer={"timeout": 77})) == ("foo",)
        assert (method(), shop.foo.find_bar(), shop.foo.touch()) == (77, 77, 77)
        assert shop.foo.findFoo is method
        assert shop.consumer.config.references["foo"].default.timeout_ms == 77


def test_a_running_call_goes_on_as_it_began() -> None:
    """Its policy is its own."""
    with Shop() as shop:
        future = shop.foo.findFoo.future(1)
        shop.consumer.reload(shop_config(methods={"findFoo": {"retries": 0}}))
        shop.next_call().reply("answer")
        assert future.result(5) == "answer"
        assert future.record.policy.retries == 2


def test_what_stays_the_same_says_so() -> None:
    """No reference is named, and a limit counts on."""
    with Shop(methods={"findFoo": {"actives": 1}}) as shop:
        held = shop.foo.findFoo.future(1)
        assert shop.consumer.reload(shop_config(methods={"findFoo": {"actives": 1}})) == ()
        with pytest.raises(LimitExceeded):
            shop.foo.findFoo(2)
        shop.next_call().reply("answer")
        assert held.result(5) == "answer"


def test_an_error_tells_of_the_new_lines() -> None:
    """Though nothing has changed for the method but where it is written."""
    text = "consumer: {retry_backoff: {base: 0}}\nreferences:\n  foo:\n    interface: a.Foo\n    url: tri://h1:1\n"
    setting = "    methods: {findFoo: {actives: 1}}\n"
    with Consumer(load_text(text + setting, "a.yml"), transports={"tri": ScriptedTransport()}) as consumer:
        foo = consumer.reference("foo")
        held = foo.findFoo.future(1)
        assert consumer.reload(load_text(f"{text}\n{setting}", "a.yml")) == ()
        assert foo.findFoo.policy.origin("actives") == "a.yml:7"
        assert held.cancel()


def test_a_cache_is_kept_where_nothing_changes_and_else_is_empty() -> None:
    """What it holds may have been answered under other settings."""
    cached: dict[str, Any] = {"findFoo": {"cache": "lru"}, "findBar": {"cache": "lru"}}
    asked: list[str] = []
    with Shop(lambda attempt: asked.append(attempt.method), methods=cached) as shop:
        assert (shop.foo.findFoo("a"), shop.foo.findBar("a")) == (None, None)
        changed = {"findFoo": {"cache": "lru"}, "findBar": {"cache": "lru", "timeout": 1234}}
        shop.consumer.reload(shop_config(methods=changed))
        assert (shop.foo.findFoo("a"), shop.foo.findBar("a")) == (None, None)
        assert asked == ["findFoo", "findBar", "findBar"]


@pytest.mark.parametrize("level", ["consumer", "reference"])
def test_limits_of_many_methods_change(level: str) -> None:
    """What is under way by then is counted no more where the limit is another."""
    limited: dict[str, Any] = {"max_pending": 1}
    with Shop() as shop:
        foo = shop.foo
        held = [foo.findFoo.future(1), foo.findBar.future(1)]
        config = shop_config(consumer=limited) if level == "consumer" else shop_config(**limited)
        shop.consumer.reload(config)
        held.append(foo.findFoo.future(2))
        with pytest.raises(LimitExceeded, match="1 calls of"):
            foo.findBar(2)
        shop.consumer.reload(shop_config())
        held.append(foo.findBar.future(3))
        assert all(future.cancel() for future in held)


def test_rules_and_outliers_change() -> None:
    """A condition of the configuration is obeyed at the next call, and so is how providers are judged."""
    urls = ["tri://h1:1", "tri://h2:1"]
    with Shop(lambda attempt: attempt.provider.name, providers=2) as shop:
        assert len({shop.foo.findFoo() for _ in range(50)}) == 2
        routers = {"condition": {"conditions": ["=> host = h2"]}}
        shop.consumer.reload(shop_config(url=urls, routers=routers, outlier={"enabled": False}))
        assert {shop.foo.findFoo() for _ in range(50)} == {"tri://h2:1"}
        shop.consumer.reload(shop_config(url=urls))
        assert len({shop.foo.findFoo() for _ in range(50)}) == 2


def test_addresses_change() -> None:
    """Providers that stay are the same; an address that cannot be understood changes nothing."""
    with Shop(lambda attempt: attempt.provider.name, providers=2) as shop:
        find = shop.foo.findFoo
        assert {find() for _ in range(50)} == {"tri://h1:1", "tri://h2:1"}
        assert shop.consumer.reload(shop_config(url=["tri://h2:1", "tri://h3:1"])) == ("foo",)
        assert {find() for _ in range(50)} == {"tri://h2:1", "tri://h3:1"}
        with pytest.raises(ConfigError):
            shop.consumer.reload(shop_config(url=["tri://h2"], timeout=5))
        assert {find() for _ in range(50)} == {"tri://h2:1", "tri://h3:1"}
        assert find.policy.timeout_ms == 60_000


def test_references_that_are_not_in_use_may_change_come_and_go() -> None:
    """They are what the configuration says when they are made."""
    other = {"interface": "a.Bar", "url": "tri://h9:1"}
    with Shop(lambda attempt: attempt.provider.name) as shop:
        assert shop.foo.findFoo() == "tri://h1:1"
        config = shop_config()
        config["references"]["bar"] = other
        assert shop.consumer.reload(config) == ()
        assert shop.consumer.references == ("foo", "bar")
        assert shop.consumer.reference("bar").findFoo() == "tri://h9:1"
    with Shop() as shop:
        moved = shop_config(url=["tri://h7:1"])
        assert shop.consumer.reload(moved) == ()
        assert shop.consumer.config.references["foo"].urls == ("tri://h7:1",)
        shop.consumer.reload({"references": {"bar": other}})
        with pytest.raises(ConfigError, match='no reference "foo"'):
            shop.consumer.reference("foo")


READ_ONCE = {
    "references.foo.protocol": {"protocol": "dubbo", "url": ["dubbo://h1:1"]},
    "references.foo.group": {"group": "east"},
    "references.foo.interface": {"interface": "a.Other"},
    "references.foo.connections": {"connections": 3},
    "references.foo.max_response_bytes": {"max_response_bytes": 5000},
    "references.foo.keepalive": {"keepalive": 5000},
    "references.foo.methods.findFoo.parameter_types": {"methods": {"findFoo": {"parameter_types": ["int"]}}},
}


@pytest.mark.parametrize("key", READ_ONCE)
def test_what_is_read_once_is_refused(key: str) -> None:
    """The error names the setting, and all stays as it was."""
    with Shop(lambda attempt: attempt.policy.timeout_ms) as shop:
        method, before = shop.foo.findFoo, shop.consumer.config
        with pytest.raises(ConfigError, match="is read when the reference is made") as caught:
            shop.consumer.reload(shop_config(consumer={"timeout": 5}, **READ_ONCE[key]))
        assert key in [one.key for one in caught.value.problems]
        assert "start the program anew, or put it back" in str(caught.value)
        assert (method(), shop.consumer.config) == (60_000, before)


def test_parameter_types_are_read_once() -> None:
    """To take them away would mean another method, too."""
    typed = {"findFoo": {"parameter_types": ["int"]}}
    with Shop(lambda _: 1, methods=typed) as shop:
        assert shop.foo.findFoo(1) == 1
        with pytest.raises(ConfigError, match=r"findFoo\.parameter_types: is read when the reference is made"):
            shop.consumer.reload(shop_config())


def test_every_problem_is_told_at_once() -> None:
    """Of the consumer, its registries and all references in use."""
    with Shop() as shop:
        assert shop.foo.findFoo.policy.retries == 2
        config = {
            "application": {"name": "other"},
            "consumer": {"callback_executor": {"threads": 7}},
            "references": {"bar": {"interface": "a.Bar", "url": "tri://h1:1"}},
        }
        with pytest.raises(ConfigError) as caught:
            shop.consumer.reload(config)
    assert problems(caught.value) == [
        "application.name: is read when the consumer is made, and differs",
        "consumer.callback_executor: is read when the consumer is made, and differs",
        "references.foo: is in use, and is to be gone",
    ]


def test_a_registry_is_not_exchanged() -> None:
    """References have subscribed there; another one may be added."""
    first = {
        "registries": {"east": {"address": "memory://one"}},
        "references": {"foo": {"interface": "a.Foo", "check": False}},
    }
    with Consumer(load_mapping(first), transports={"tri": ScriptedTransport()}) as consumer:
        consumer.reference("foo")
        with pytest.raises(ConfigError, match=r"registries.east: is read when the consumer is made"):
            consumer.reload({**first, "registries": {"east": {"address": "memory://two"}}})
        more = {**first, "registries": {"east": {"address": "memory://one"}, "west": {"address": "memory://two"}}}
        more["references"] = {
            "foo": {"interface": "a.Foo", "check": False, "registry": "east"},
            "bar": {"interface": "a.Bar", "check": False, "registry": "west"},
        }
        consumer.reload(more)
        assert consumer.reference("bar") is not None


MISTAKES = {
    "an interceptor that is not there": {"findFoo": {"interceptors": ["nowhere:Nothing"]}},
    "a method that is not there": {"findFox": {"timeout": 5}},
    "a value out of range": {"findFoo": {"timeout": -1}},
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_configuration_that_is_wrong_changes_nothing(mistake: str) -> None:
    """The error comes before the step, for what only shows when the chains are made, too."""
    with Shop(lambda attempt: attempt.policy.timeout_ms) as shop:
        foo, before = shop.foo, shop.consumer.config
        assert foo.findFoo() == 60_000
        with pytest.raises(ConfigError):
            shop.consumer.reload(shop_config(consumer={"timeout": 5, "max_pending": 1}, methods=MISTAKES[mistake]))
        assert (foo.findFoo(), foo.findBar(), shop.consumer.config) == (60_000, 60_000, before)
        held = [foo.findFoo.future() for _ in range(3)]
        assert [future.result(5) for future in held] == [60_000] * 3


def test_without_an_argument_the_file_is_read_again(tmp_path: Path) -> None:
    """Wherever the change was made; without a file there is nothing to read."""
    file = tmp_path / "a.yml"
    text = "references: {foo: {interface: a.Foo, url: 'tri://h1:1', timeout: %d}}"
    file.write_text(text % 1000)
    transport = ScriptedTransport(lambda attempt: attempt.policy.timeout_ms)
    with Consumer.from_file(file, transports={"tri": transport}) as consumer:
        assert consumer.reference("foo").findFoo() == 1000
        assert consumer.reload() == ()
        file.write_text(text % 2000)
        assert consumer.reload() == ("foo",)
        assert consumer.reference("foo").findFoo() == 2000
        file.write_text("references: {foo: {interfac: a.Foo}}")
        with pytest.raises(ConfigError, match=r"a\.yml:1"):
            consumer.reload()
        assert consumer.reference("foo").findFoo() == 2000
    with Shop() as shop, pytest.raises(ConfigError, match="there is no file to read again"):
        shop.consumer.reload()


def test_a_closed_consumer_is_not_reloaded() -> None:
    """There is nobody to obey it."""
    with Shop() as shop:
        shop.consumer.close()
        with pytest.raises(ConsumerClosed):
            shop.consumer.reload(shop_config())


def test_a_reference_that_is_being_made_is_waited_for() -> None:
    """Else it would be made by the old configuration after the new one holds."""
    begun, go = threading.Event(), threading.Event()

    class Slow(ScriptedTransport):
        def open(self, *arguments: Any) -> Any:
            begun.set()
            go.wait(20)
            return super().open(*arguments)

    with Shop(transport=Slow(lambda attempt: attempt.policy.timeout_ms)) as shop:
        making = Background(shop.consumer.reference, "foo")
        assert begun.wait(20)
        reloading = Background(shop.consumer.reload, shop_config(consumer={"timeout": 5}))
        go.set()
        assert reloading.join() == ("foo",)
        assert making.join().findFoo() == 5


@pytest.mark.parametrize("mode", ["sync", "future", "with options", "one-way"])
def test_a_call_that_begins_as_it_changes_is_under_one_configuration(mode: str) -> None:
    """What it obeys and what it runs through are looked up in one step, before it begins."""
    SEEN.clear()
    after = shop_config(consumer={"timeout": 2000, "interceptors": [f"{__name__}:Second"]})
    armed: list[Consumer] = []

    def clock() -> float:
        if armed:
            armed.pop().reload(after)
        return time.monotonic()

    before = {"timeout": 1000, "interceptors": [f"{__name__}:First"]}
    with Shop(lambda _: None, consumer=before, clock=clock) as shop:
        find: Any = shop.foo.findFoo
        call = {"sync": find, "future": find.future, "with options": find.with_options(retries=1)}
        made = call[mode] if mode != "one-way" else oneway(shop.foo).findFoo
        made()
        armed.append(shop.consumer)
        made()
        made()
        shop.consumer.wait_idle(5)
        assert SEEN == ["First 1000", "First 1000", "Second 2000"]


def test_every_call_is_under_one_configuration() -> None:
    """However many there are while others change it: two settings that always change together never differ."""

    def seen(attempt: Invocation) -> tuple[str, int]:
        return attempt.attachments["number"], attempt.policy.timeout_ms

    def config(number: int) -> dict[str, Any]:
        return shop_config(consumer={"timeout": 1000 + number}, parameters={"number": str(1000 + number)})

    with Shop(seen) as shop:
        find = shop.foo.findFoo
        shop.consumer.reload(config(0))
        over = threading.Event()

        def call() -> set[tuple[str, int]]:
            found = set()
            while not over.is_set():
                found.add(find())
            return found

        callers = [Background(call) for _ in range(3)]
        for number in range(200):
            shop.consumer.reload(config(number))
        over.set()
        found = set().union(*(caller.join() for caller in callers))
        assert find() == ("1199", 1199)
    assert len(found) > 1
    assert all(number == str(timeout) for number, timeout in found)

"""The ways to call one method: configured, .future, .sync, .with_options, and the asynchronous aliases."""

from __future__ import annotations

from typing import Any

import pytest
from support.shop import Shop

from callahead.consumer import ConfigError, InvocationFuture, RpcContext

CONTEXT = RpcContext.get_context()
MODES: list[dict[str, Any]] = [{}, {"async": True}, {"return": False}, {"async": True, "sent": True}]


def double(invocation: Any) -> Any:
    return invocation.args[0] * 2


@pytest.mark.parametrize("settings", MODES)
def test_future_gives_the_future_whatever_is_configured(settings: dict[str, Any]) -> None:
    """`.future` returns the future in every mode, one-way included."""
    with Shop(double, methods={"findFoo": settings}) as shop:
        future = shop.foo.findFoo.future(21)
        assert isinstance(future, InvocationFuture)
        assert future.result(5) == 42
        assert CONTEXT.future is future


@pytest.mark.parametrize("settings", MODES)
def test_sync_gives_the_value_whatever_is_configured(settings: dict[str, Any]) -> None:
    """`.sync` waits and returns the value in every mode."""
    with Shop(double, methods={"findFoo": settings}) as shop:
        assert shop.foo.findFoo.sync(21) == 42


@pytest.mark.parametrize("name", ["findFooAsync", "find_foo_async", "findFoo_async"])
@pytest.mark.parametrize("settings", MODES)
def test_the_async_names_are_the_future_view(name: str, settings: dict[str, Any]) -> None:
    """Every spelling with Async gives the future."""
    with Shop(double, methods={"findFoo": settings}) as shop:
        assert getattr(shop.foo, name)(21).result(5) == 42


def test_every_spelling_is_one_method() -> None:
    """Both findFoo and find_foo are the same object, with the same policy and one chain."""
    with Shop(double, methods={"find_foo": {"timeout": 77}}) as shop:
        assert shop.foo.findFoo is shop.foo.find_foo
        assert shop.foo.findFoo.policy.timeout_ms == 77
        assert shop.foo.find_foo(1) == 2
        assert list(shop.consumer.counts()["foo"]) == ["findFoo"]


def test_an_unknown_method_names_the_nearest() -> None:
    """A typing error is an AttributeError that says what was meant."""
    with Shop(double) as shop:
        with pytest.raises(AttributeError) as caught:
            shop.foo.findFo  # noqa: B018
        assert str(caught.value) == 'foo: no method "findFo"; did you mean "findFoo"?'
        assert not hasattr(shop.foo, "unheardOf")
        with pytest.raises(AttributeError, match=r'^foo: no method "findFo"; did you mean "findFoo"\?$'):
            shop.foo.findFoAsync  # noqa: B018
        with pytest.raises(AttributeError):
            shop.foo.findFooAsyncAsync  # noqa: B018
        with pytest.raises(AttributeError):
            shop.foo.__wrapped__  # noqa: B018


def test_dir_lists_the_methods() -> None:
    """Completion in a shell shows what can be called."""
    with Shop(double) as shop:
        assert {"findFoo", "findBar", "touch"} <= set(dir(shop.foo))


@pytest.mark.parametrize(
    ("settings", "mode"), [({}, "sync"), ({"async": True}, "async"), ({"return": False}, "one-way")]
)
def test_a_method_shows_its_mode(settings: dict[str, Any], mode: str) -> None:
    """repr() tells how a plain call will behave."""
    with Shop(double, methods={"findFoo": settings}) as shop:
        assert repr(shop.foo.findFoo) == f"<method foo.findFoo, {mode}>"
        assert repr(shop.foo) == "<Reference foo to com.alibaba.foo.FooService>"


def test_with_options_timeout() -> None:
    """It bounds the attempt, in milliseconds or as text, and renews a total that was not set."""
    with Shop() as shop:
        for written, seconds in ((500, 0.5), ("1.5s", 1.5)):
            shop.foo.findFoo.with_options(timeout=written).future(1)
            assert shop.next_call().timeout == pytest.approx(seconds)
        changed = shop.foo.findFoo.with_options(timeout=500).policy
        assert (changed.timeout_ms, changed.total_timeout_ms) == (500, 1500)
        assert changed.origin("timeout_ms") == "call"


def test_with_options_total_timeout() -> None:
    """total_timeout bounds the whole call, so it bounds the attempt too."""
    with Shop() as shop:
        shop.foo.findFoo.with_options(total_timeout=200).future(1)
        assert shop.next_call().timeout == pytest.approx(0.2, abs=0.05)


def test_with_options_retries_and_idempotent() -> None:
    """Both are the call's own."""
    from callahead.consumer import AllAttemptsFailed, ConnectionLost

    attempts = []

    def fail(invocation: Any) -> Any:
        attempts.append(invocation)
        raise ConnectionLost("reset", in_doubt=True)

    with Shop(fail, providers=5) as shop:
        with pytest.raises(ConnectionLost):
            shop.foo.findFoo(1)
        assert len(attempts) == 1
        with pytest.raises(AllAttemptsFailed):
            shop.foo.findFoo.with_options(retries=4, idempotent=True)(1)
        assert len(attempts) == 6


def test_with_options_attachments_join_the_configured_ones() -> None:
    """The configured ones are the base, the context's replace them key by key, the call's come on top."""
    with Shop(methods={"findFoo": {"parameters": {"a": "1", "b": "1", "c": "1", "d": "1"}}}) as shop:
        CONTEXT.attachments.update(b="2", c="2", e="2")
        shop.foo.findFoo.with_options(attachments={"c": "3", "d": "3"}).future(1)
        expected = {"a": "1", "b": "2", "c": "3", "d": "3", "e": "2"}
        assert dict(shop.next_call().invocation.attachments) == expected
        shop.foo.findFoo.future(1)
        assert dict(shop.next_call().invocation.attachments) == {"a": "1", "b": "1", "c": "1", "d": "1"}


def test_with_options_leaves_the_method_alone_and_can_be_repeated() -> None:
    """It returns another method; options add up, and all views are there."""
    with Shop(double) as shop:
        quick = shop.foo.findFoo.with_options(timeout=5000).with_options(retries=0)
        assert (quick.policy.timeout_ms, quick.policy.retries) == (5000, 0)
        assert shop.foo.findFoo.policy.timeout_ms == 60_000
        assert (quick(1), quick.sync(1), quick.future(1).result(5)) == (2, 2, 2)
        assert shop.foo.findFoo.with_options().policy == shop.foo.findFoo.policy


def test_with_options_refuses_unknown_names() -> None:
    """An option that does not exist is named, with those that do."""
    with Shop(double) as shop, pytest.raises(TypeError) as caught:
        shop.foo.findFoo.with_options(timout=1, sent=True)
    text = (
        "unknown option sent, timout; known: timeout, total_timeout, retries, idempotent, attachments, async_,"
        " handler, caller_context, listener"
    )
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", "soon"),
        ("timeout", None),
        ("total_timeout", 0),
        ("retries", -1),
        ("retries", 1.5),
        ("retries", 1001),
        ("retries", True),
        ("idempotent", "yes"),
        ("idempotent", 1),
        ("attachments", ["a"]),
        ("attachments", {"a": 1}),
        ("attachments", {1: "a"}),
    ],
)
def test_with_options_refuses_bad_values(option: str, value: Any) -> None:
    """A value out of range is a ConfigError that names the call and the option."""
    with Shop(double) as shop, pytest.raises(ConfigError) as caught:
        shop.foo.findFoo.with_options(**{option: value})
    [problem] = caught.value.problems
    assert problem.key == f"foo.findFoo.with_options({option}=...)"
    assert problem.file == "call"
    assert problem.text


def test_with_options_reports_all_bad_values_at_once() -> None:
    """Two mistakes are two problems of one error."""
    with Shop(double) as shop, pytest.raises(ConfigError) as caught:
        shop.foo.findFoo.with_options(timeout=0, retries=-1)
    assert len(caught.value.problems) == 2

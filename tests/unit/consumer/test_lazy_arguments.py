"""Lazy results among the arguments of another call: they arrive as the answers that they stand for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from support.shop import Background, Shop

from callahead.consumer import RemoteError, RpcContext, resolve
from callahead.consumer.call.lazy import LazyResult

LAZY = {"findFoo": {"async": "lazy"}}


@dataclass
class Order:
    article: Any
    note: str = "a note"
    lines: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Frozen:
    article: Any


@pytest.fixture
def shop() -> Any:
    """Finds a foo lazily, which is what was asked for; a bar at once, which is the arguments as they came."""

    def answer(invocation: Any) -> Any:
        return invocation.args[0] if invocation.method == "findFoo" else (invocation.args, dict(invocation.kwargs))

    with Shop(answer, methods=LAZY) as open_shop:
        yield open_shop


def holds_lazy(value: Any) -> bool:
    """Look at everything in *value* without using it."""
    if type(value) is LazyResult:
        return True
    if isinstance(value, dict):
        return any(holds_lazy(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(holds_lazy, value))
    names: Any = getattr(type(value), "__dataclass_fields__", ())
    return any(holds_lazy(getattr(value, name)) for name in names)


CASES: list[tuple[str, Callable[[Callable[[Any], Any]], Any]]] = [
    ("itself", lambda of: of("a")),
    ("None", lambda of: of(None)),
    ("list", lambda of: [of("a"), "b"]),
    ("tuple", lambda of: (of("a"), ("b", of("c")))),
    ("dictionary", lambda of: {"k": of("a"), of("key"): 1}),
    ("sets", lambda of: [{of("a"), "b"}, frozenset({of("c")})]),
    ("deep", lambda of: [{"k": [(of("a"), {"l": [of("b")]})]}]),
    ("dataclass", lambda of: Order(of("a"), lines=[Order(of("b"))])),
    ("frozen dataclass", lambda of: [Frozen(of("a"))]),
]


@pytest.mark.parametrize("make", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_they_arrive_plain(shop: Shop, make: Callable[[Callable[[Any], Any]], Any]) -> None:
    """Positional or by name, at any depth of what is looked into."""
    expected = make(lambda value: value)
    args, kwargs = shop.foo.findBar(make(shop.foo.findFoo), named=make(shop.foo.findFoo))
    assert (args, kwargs) == ((expected,), {"named": expected})
    assert not holds_lazy(args)
    assert not holds_lazy(kwargs)


@pytest.mark.parametrize("view", ["sync", "future"])
def test_every_view_takes_them(shop: Shop, view: str) -> None:
    """All calls begin by one function."""
    made = getattr(shop.foo.findBar, view)([shop.foo.findFoo("a")])
    (args, _) = made if view == "sync" else made.result()
    assert not holds_lazy(args)


def test_what_the_user_handed_over_stays_as_it_is(shop: Shop) -> None:
    """Copies go out; the user's own objects are not written to."""
    order = Order(shop.foo.findFoo("a"), lines=[1])
    ((sent,), _) = shop.foo.findBar(order)
    assert (type(order.article), type(sent.article)) == (LazyResult, str)
    assert sent is not order


def test_arguments_without_any_are_handed_on_as_they_are(shop: Shop) -> None:
    """Nothing is copied for nothing, though there are lazy results in this program."""
    resolve(shop.foo.findFoo("a"))
    given = [{"k": [1]}, Order("a")]
    ((sent,), _) = shop.foo.findBar(given)
    assert sent is given


def test_a_value_that_holds_itself_is_copied_as_such(shop: Shop) -> None:
    """What is held twice is one object in the copy, too."""
    order = Order(shop.foo.findFoo("a"))
    given: list[Any] = [order, order]
    given.append(given)
    ((sent,), _) = shop.foo.findBar(given)
    assert sent[2] is sent
    assert sent[0] is sent[1]
    assert type(sent[0].article) is str


def test_a_value_nested_deeper_than_python_recurses_is_looked_through(shop: Shop) -> None:
    """What decides over the depth is the codec, and not this."""
    resolve(shop.foo.findFoo("a"))
    deep: list[Any] = []
    for _ in range(sys.getrecursionlimit() * 2):
        deep = [deep]
    ((sent,), _) = shop.foo.findBar(deep)
    assert sent is deep


def test_the_call_begins_once_they_are_there() -> None:
    """The time that they take is none of the other call's, so its timeout is its own."""
    with Shop(methods={**LAZY, "findBar": {"timeout": 60_000}}) as open_shop:
        found = open_shop.foo.findFoo(1)
        first = open_shop.next_call()
        call = Background(lambda: open_shop.foo.findBar(found))
        assert open_shop.transport.is_idle
        first.reply("a")
        second = open_shop.next_call()
        assert second.attempt.args == ("a",)
        second.reply("b")
        assert call.join() == "b"


@pytest.mark.parametrize("mode", [False, True, "lazy"])
def test_the_failure_of_one_is_raised_where_it_is_handed_over(mode: Any) -> None:
    """The call that was to take it is not made, whatever its mode."""

    def refuse(_: object) -> Any:
        raise RemoteError("no such foo")

    with Shop(refuse, methods={**LAZY, "findBar": {"async": mode}}) as open_shop:
        found = open_shop.foo.findFoo(1)
        with pytest.raises(RemoteError, match="no such foo") as caught:
            open_shop.foo.findBar([found])
        assert caught.value.method == "findFoo"
        assert open_shop.consumer.counts()["foo"]["findBar"].calls == 0


def test_attachments_and_options_are_plain(shop: Shop) -> None:
    """What goes to the provider beside the arguments is waited for when it is set."""
    attachments = RpcContext.get_context().attachments
    attachments["trace"] = shop.foo.findFoo("7")
    assert type(attachments["trace"]) is str
    method = shop.foo.findBar.with_options(attachments={"k": shop.foo.findFoo("v")}, retries=shop.foo.findFoo(1))
    assert not holds_lazy([dict(method.policy.attachments), method.policy.retries])
    assert (method.policy.attachments["k"], method.policy.retries) == ("v", 1)
    attachments.clear()


def test_resolve_gives_the_answer_or_the_value_itself(shop: Shop) -> None:
    """What is no lazy result comes back as it is."""
    found, plain = shop.foo.findFoo("a"), object()
    assert type(resolve(found)) is str
    assert resolve(found) is resolve(found)
    assert resolve(plain) is plain
    assert resolve(None) is None


def test_resolve_raises_the_failure() -> None:
    """As any other use does."""

    def refuse(_: object) -> Any:
        raise RemoteError("no such foo")

    with Shop(refuse, methods=LAZY) as open_shop, pytest.raises(RemoteError, match="no such foo"):
        resolve(open_shop.foo.findFoo(1))

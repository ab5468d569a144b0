"""Views of a whole reference: the same methods and arguments, as values, as futures, or without an answer."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any, Protocol

import pytest
from support.shop import Background, Shop

from callahead.consumer import (
    ConnectFailed,
    Consumer,
    ConsumerClosed,
    InvocationFuture,
    Reference,
    RemoteError,
    RpcContext,
    TwowayOnlyError,
    async_view,
    oneway,
    sync_view,
)
from callahead.consumer.codec.hessian2 import Long
from callahead.consumer.testing import EmbeddedProvider

MODES = [{}, {"async": True}, {"async": "lazy"}, {"return": False}]


class Stock(Protocol):
    def find_article(self, article_id: Long) -> str: ...
    def touch(self, article_id: Long) -> None: ...


def double(attempt: Any) -> Any:
    return attempt.args[0] * 2


@pytest.mark.parametrize("settings", MODES)
def test_a_sync_view_waits(settings: dict[str, Any]) -> None:
    """Whatever the configuration says, with and without options, in every spelling."""
    with Shop(double, methods={"findFoo": settings}) as shop:
        foo = sync_view(shop.foo)
        assert type(foo.findFoo(21)) is int
        assert (foo.findFoo(1), foo.find_foo(2), foo.findFoo.with_options(retries=0)(3)) == (2, 4, 6)
        assert foo.find_foo_async(4).result(5) == 8


@pytest.mark.parametrize("settings", MODES)
def test_an_async_view_gives_futures(settings: dict[str, Any]) -> None:
    """Whatever the configuration says; the call site is the caller's own line."""
    with Shop(double, methods={"findFoo": settings}) as shop:
        foo = async_view(shop.foo)
        future = foo.findFoo(21)
        assert isinstance(future, InvocationFuture)
        assert future.result(5) == 42
        assert future.call_site.endswith(f"in {test_an_async_view_gives_futures.__name__}")
        assert foo.findFoo.with_options(retries=0)(1).result(5) == 2


def test_a_view_is_a_reference_with_the_same_methods() -> None:
    """It shares what all callers of a method share, and says so to whoever looks."""
    with Shop(double) as shop:
        foo = async_view(shop.foo)
        assert isinstance(foo, Reference)
        assert {"findFoo", "find_foo"} <= set(dir(foo))
        foo.findFoo(1).result(5)
        shop.foo.findFoo(1)
        assert shop.consumer.counts()["foo"]["findFoo"].calls == 2
        with pytest.raises(AttributeError, match="did you mean"):
            foo.findFo  # noqa: B018


def test_a_view_is_made_of_a_reference() -> None:
    """Anything else is a TypeError that says what is meant."""
    with pytest.raises(TypeError, match="as consumer.reference"):
        sync_view(object())


def test_a_one_way_call_gives_nothing() -> None:
    """At once, and the context has no future of it."""
    with Shop() as shop:
        assert oneway(shop.foo).touch(1) is None
        assert RpcContext.get_context().future is None
        assert shop.next_call().invocation.one_way


def test_its_future_ends_once_it_is_written() -> None:
    """Not before, and without waiting for what the provider makes of it."""
    with Shop() as shop:
        future = oneway(shop.foo).touch.future(1)
        call = shop.next_call()
        assert not future.done()
        call.sent()
        assert (future.result(0), future.is_sent()) == (None, True)
        assert not call.has_ended


def test_an_answer_that_is_quicker_tells_only_that_it_was_written() -> None:
    """What it says reaches nobody, whichever comes first."""
    with Shop() as shop:
        future = oneway(shop.foo).touch.future(1)
        shop.next_call().reply("an answer")
        assert (future.result(0), future.is_sent()) == (None, True)


def test_its_future_has_what_came_before_the_writing() -> None:
    """It is repeated where nothing was sent, and the last error is the future's."""
    with Shop(methods={"touch": {"retries": 1}}, providers=2) as shop:
        future = oneway(shop.foo).touch.future(1)
        for _ in range(2):
            shop.next_call().fail(ConnectFailed("refused", not_sent=True))
        assert future.exception(5) is not None
        assert not future.is_sent()


def test_what_fails_after_the_writing_is_dropped() -> None:
    """It is counted, logged and told, with the arguments, as with return: false."""
    dropped: SimpleQueue[Any] = SimpleQueue()
    with Shop(on_drop=lambda invocation, error: dropped.put((invocation.args, str(error)))) as shop:
        future = oneway(shop.foo).touch.future(1)
        call = shop.next_call()
        call.sent()
        call.fail(RemoteError("no"))
        args, error = dropped.get(timeout=5)
        assert (args, future.result(0)) == ((1,), None)
        assert "no" in error
        assert shop.consumer.counts()["foo"]["touch"].dropped == 1


def test_it_obeys_sent() -> None:
    """With sent: true the call waits for the writing, and so does sync."""
    with Shop(methods={"touch": {"sent": True}}) as shop:
        for call in (oneway(shop.foo).touch, oneway(shop.foo).touch.sync):
            waiting = Background(lambda call=call: call(1))
            shop.next_call().sent()
            assert waiting.join() is None


def test_a_closed_consumer_raises_directly() -> None:
    """As everywhere."""
    shop = Shop()
    view = oneway(shop.foo)
    shop.consumer.close(0)
    for call in (view.touch, view.touch.future):
        with pytest.raises(ConsumerClosed):
            call(1)


def stock(provider: EmbeddedProvider) -> Consumer:
    provider.serve("a.Stock", {"findArticle": "a chair", "touch": None}, stub=f"{__name__}:Stock")
    reference = {"interface": "a.Stock", "protocol": "dubbo", "stub": f"{__name__}:Stock", "url": provider.url}
    return Consumer({"references": {"stock": reference}})


def test_a_method_of_java_that_answers_is_no_one_way() -> None:
    """Its type says so; one that answers nothing is called."""
    with EmbeddedProvider(protocol="dubbo") as provider, stock(provider) as consumer:
        view = oneway(consumer.reference("stock", Stock))
        for call in (view.find_article, oneway(consumer.reference("stock")).find_article.future):
            with pytest.raises(TwowayOnlyError, match=r"^stock.findArticle answers java.lang.String, and cannot"):
                call(1)
        assert oneway(consumer.reference("stock")).touch.future(1).result(5) is None


def test_a_method_of_protobuf_that_answers_is_no_one_way() -> None:
    """A message without fields is no answer; a stream is one."""
    with EmbeddedProvider() as provider:
        for name in ("foo", "bar"):
            interface = f"com.alibaba.{name}.{name.title()}Service"
            methods = {"foo": {}, "bar": {"touch": {}}}[name]
            provider.serve(interface, methods, module=f"callahead.conf.{name}_pb2")
        references = {
            name: {
                "interface": f"com.alibaba.{name}.{name.title()}Service",
                "module": f"callahead.conf.{name}_pb2",
                "url": provider.url,
            }
            for name in ("foo", "bar")
        }
        with Consumer({"references": references}) as consumer:
            foo, bar = oneway(consumer.reference("foo")), oneway(consumer.reference("bar"))
            with pytest.raises(TwowayOnlyError, match=r"^foo.findFoo answers com.alibaba.foo.Foo, and cannot"):
                foo.find_foo(foo_id=1)
            with pytest.raises(TwowayOnlyError):
                foo.list_foos  # noqa: B018
            future = bar.touch.future(bar_id=1)
            assert future.result(5) is None
            assert future.is_sent()

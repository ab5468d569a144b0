"""What a user sees at a prompt: names, signatures, docstrings."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import pydoc
from concurrent.futures import Future
from typing import Any

import pytest
from support.shop import Shop

from callahead.consumer import Consumer, Method, RpcContext
from callahead.consumer.codec.hessian2 import Long
from callahead.consumer.interface.spelling import snake_case
from callahead.consumer.testing import ScriptedTransport


class Stock:
    def findArticle(self, article_id: Long, warehouse: str | None) -> str: ...


@pytest.fixture
def dubbo() -> Any:
    foo = {"interface": "a.Stock", "protocol": "dubbo", "url": "dubbo://127.0.0.1:1", "stub": f"{__name__}:Stock"}
    with Consumer({"references": {"stock": foo}}) as consumer:
        yield consumer.reference("stock")


@pytest.fixture
def tri() -> Any:
    foo = {"interface": "com.alibaba.foo.FooService", "module": "callahead.conf.foo_pb2", "url": "tri://127.0.0.1:1"}
    with Consumer({"references": {"foo": foo}}) as consumer:
        yield consumer.reference("foo")


def test_dir_lists_both_spellings() -> None:
    """Whichever a user begins to type is completed."""
    with Shop() as shop:
        assert {"findFoo", "find_foo", "findBar", "find_bar", "touch"} <= set(dir(shop.foo))


@pytest.mark.parametrize(
    ("name", "snake"), [("findFoo", "find_foo"), ("FindFoo", "find_foo"), ("getURLOf", "get_url_of"), ("a1B", "a1_b")]
)
def test_snake_case(name: str, snake: str) -> None:
    """Humps become underscores, and a row of large letters is one word."""
    assert snake_case(name) == snake


def test_a_signature_comes_from_the_stub(dubbo: Any) -> None:
    """In order, with the names and types of Java."""
    expected = "(article_id: 'long', warehouse: 'java.lang.String') -> 'java.lang.String'"
    assert str(inspect.signature(dubbo.find_article)) == expected
    assert str(inspect.signature(dubbo.find_article.with_options(timeout=5))) == expected


def test_a_signature_comes_from_the_fields_of_the_request(tri: Any) -> None:
    """By name, as a call without a message is written."""
    signature = inspect.signature(tri.find_foo)
    assert str(signature.parameters["foo_id"]) == "foo_id: 'int64'"
    assert {one.kind for one in signature.parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}


def test_the_docstring_tells_the_types(tri: Any, dubbo: Any) -> None:
    """And help() shows it."""
    assert tri.find_foo.__doc__.startswith("foo.findFoo(foo_id: int64")
    assert dubbo.find_article.__doc__.startswith("stock.findArticle(article_id: long, warehouse: java.lang.String) -> ")
    assert "stock.findArticle(article_id: long" in pydoc.render_doc(dubbo.find_article)


def test_a_streaming_method_tells_its_types_too(tri: Any) -> None:
    """With the word for streams that .proto files have."""
    assert str(inspect.signature(tri.list_foos)) == "(*, foo_ids: 'repeated int64') -> 'stream com.alibaba.foo.Foo'"
    assert tri.list_foos.__doc__.startswith("foo.listFoos(foo_ids: repeated int64) -> stream com.alibaba.foo.Foo")


def test_a_stream_of_requests_is_one_argument() -> None:
    """Which has no name that a call could use."""
    greeter = {"interface": "helloworld.Greeter", "module": "support.protos.helloworld_pb2", "url": "tri://127.0.0.1:1"}
    with Consumer({"references": {"greeter": greeter}}) as consumer:
        signature = inspect.signature(consumer.reference("greeter").gather_hellos)
    assert str(signature) == "(requests: 'stream helloworld.HelloRequest', /) -> 'helloworld.HelloReply'"


def test_of_the_class_it_is_the_classs_own() -> None:
    """Sphinx and help(Method) see what is written in the source."""
    assert Method.__doc__ is not None
    assert Method.__doc__.startswith("One method of a reference")
    assert "caller" in inspect.signature(Method).parameters


def test_where_nothing_is_known_nothing_is_made_up() -> None:
    """The signature is that of any call."""
    with Shop() as shop:
        assert list(inspect.signature(shop.foo.findFoo).parameters) == ["args", "kwargs"]
        assert shop.foo.findFoo.__doc__.startswith("foo.findFoo(...)")


def test_a_consumer_names_its_references() -> None:
    """Those that `reference` takes."""
    references = {name: {"interface": "a.B", "url": "tri://h:1"} for name in ("foo", "bar")}
    with Consumer({"references": references}, transports={"tri": ScriptedTransport()}) as consumer:
        assert consumer.references == ("foo", "bar")
        assert repr(consumer) == "<Consumer of <mapping>: foo, bar; 0 calls running>"


def test_a_consumer_of_very_many_references_shows_the_first() -> None:
    """A line of a log stays a line."""
    references = {f"foo{number}": {"interface": "a.B", "url": "tri://h:1"} for number in range(12)}
    with Consumer({"references": references}) as consumer:
        assert "foo8, foo9 and 2 more; 0 calls running>" in repr(consumer)
    with Consumer({}) as consumer:
        assert repr(consumer) == "<Consumer of <mapping>: no references; 0 calls running>"


def test_a_future_shows_what_is_for_its_user() -> None:
    """The methods of its base class, what it tells of the call, and nothing that only callahead calls."""
    own = {"attempts", "call_site", "invocation", "provider", "record", "response_attachments", "then"}
    own |= {"operation", "reference", "consumer", "connection", "wait_for_completed", "when_complete"}
    own |= {"is_sent", "sent", "sent_synchronously", "add_sent_callback", "when_sent"}
    with Shop(lambda _: 7) as shop:
        assert _public(shop.foo.findFoo.future(1)) == own | _public(Future())


def test_a_method_shows_its_views() -> None:
    """And no more."""
    with Shop() as shop:
        assert _public(shop.foo.findFoo) == {"future", "outcome", "policy", "sync", "with_options"}


def _public(shown: object) -> set[str]:
    return {name for name in dir(shown) if not name.startswith("_")}


def test_the_context_tells_of_the_last_call() -> None:
    """Without handing out its future."""
    context = RpcContext.get_context()
    with Shop(lambda _: 7, methods={"findFoo": {"async": True}}) as shop:
        before = contextvars.Context().run(repr, context)
        shop.foo.findFoo(1)
        assert before == "<RpcContext, last call none yet>"
        assert repr(context) == "<RpcContext, last call foo.findFoo>"
        assert context.get_future().result() == 7


def test_async_with_closes_while_the_loop_goes_on() -> None:
    """Whoever awaits an answer gets it, although the consumer waits for that to close."""

    async def main() -> Any:
        shop = Shop(methods={"findFoo": {"async": True}})
        async with shop.consumer as consumer:
            future = consumer.reference("foo").findFoo.future(1)
            attempt = shop.next_call()
            asyncio.get_running_loop().call_later(0.02, attempt.reply, "answer")
        return future.result(0)

    assert asyncio.run(main()) == "answer"


def test_a_task_is_made_of_a_future() -> None:
    """By `asyncio.ensure_future`, as the documentation says."""

    async def main(foo: Any) -> Any:
        return await asyncio.ensure_future(foo.findFoo.future(1))

    with Shop(lambda _: 7) as shop:
        assert asyncio.run(main(shop.foo)) == 7


def test_who_makes_a_task_in_the_wrong_way_is_told_the_right_one() -> None:
    """`asyncio.create_task` shows what it was given, and takes coroutines alone."""

    async def main(foo: Any) -> None:
        future = foo.findFoo.future(1)
        with pytest.raises(TypeError, match=r"coroutine was expected, .* make a task of it by asyncio\.ensure_future"):
            asyncio.create_task(future)  # noqa: RUF006 - there is none

    with Shop() as shop:
        asyncio.run(main(shop.foo))
        assert "ensure_future" not in repr(shop.foo.findFoo.future(1))


def test_who_awaits_without_asyncio_is_told_what_to_do() -> None:
    """There is no loop that could go on meanwhile."""
    with Shop() as shop:
        waiting = shop.foo.findFoo.future(1).__await__()
        with pytest.raises(RuntimeError, match=r"loop of asyncio or trio, .*wait for its result\(\) on a thread"):
            waiting.send(None)

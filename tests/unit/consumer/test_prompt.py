"""What a user sees at a prompt: names, signatures, docstrings."""

from __future__ import annotations

import asyncio
import inspect
import pydoc
from typing import Any

import pytest
from support.shop import Shop

from callahead.consumer import Consumer, Method
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

"""A class that declares the methods of a reference, as the second argument of `Consumer.reference`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from callahead.consumer import Consumer, InvocationFuture, Method, remote
from callahead.consumer.codec.hessian2 import Long
from callahead.consumer.testing import EmbeddedProvider


class Stock(Protocol):
    @remote
    def find_article(self, article_id: Long, *, warehouse: str | None = None) -> str: ...
    def find_article_async(self, article_id: Long) -> InvocationFuture[str]: ...


class OfOneMore(Stock, Protocol):
    def sell_article(self, article_id: Long) -> str: ...


class Generated:
    """As a typed gRPC stub, whose methods its constructor makes."""

    def __init__(self, channel: object) -> None:
        self.findFoo = channel


@pytest.fixture
def provider() -> Iterator[EmbeddedProvider]:
    with EmbeddedProvider(protocol="dubbo") as provider:
        provider.serve("a.Stock", {"findArticle": "a chair"}, stub=f"{__name__}:Stock")
        yield provider


@pytest.fixture
def consumer(provider: EmbeddedProvider) -> Iterator[Consumer]:
    stock = {"interface": "a.Stock", "url": provider.url, "stub": f"{__name__}:Stock"}
    with Consumer({"references": {"stock": stock}}) as consumer:
        yield consumer


def test_it_is_the_reference_that_there_is_without_it(consumer: Consumer) -> None:
    """The class tells a type checker what the configuration has told callahead."""
    assert consumer.reference("stock", Stock) is consumer.reference("stock")  # type: ignore[comparison-overlap]


def test_a_marked_method_is_called_in_every_way(consumer: Consumer) -> None:
    """As the mark says, and as any other method of a stub."""
    stock = consumer.reference("stock", Stock)
    assert isinstance(stock.find_article, Method)
    assert stock.find_article(Long(1)) == "a chair"
    assert stock.find_article.future(Long(1), warehouse="north").result() == "a chair"
    assert stock.find_article.with_options(timeout="5s").sync(Long(1)) == "a chair"


def test_a_declared_future_is_a_view_and_no_method(consumer: Consumer) -> None:
    """Neither a Java interface nor its stand-in on the provider's side has one."""
    stock = consumer.reference("stock", Stock)
    assert stock.find_article_async(Long(1)).result() == "a chair"
    assert "findArticleAsync" not in dir(stock)


def test_a_mark_leaves_the_function_as_it_is() -> None:
    """Whatever reads stubs finds it."""

    def find() -> None: ...

    marked: Any = remote(find)
    assert marked is find


def test_a_method_that_the_service_does_not_have_is_refused(consumer: Consumer) -> None:
    """At once, and by its name: the type checker would believe it."""
    with pytest.raises(TypeError, match=r"OfOneMore\.sell_article is no method of this reference: stock: "):
        consumer.reference("stock", OfOneMore)


def test_a_generated_stub_is_made_on_a_channel(consumer: Consumer) -> None:
    """Its methods take more than those of a reference do."""
    with pytest.raises(TypeError, match=r"Generated declares no method; .* consumer\.channel"):
        consumer.reference("stock", Generated)

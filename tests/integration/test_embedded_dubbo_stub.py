"""An embedded dubbo provider with the stub of its consumers: overloads and types as a Java interface has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, overload

import pytest

from callahead.consumer import Consumer, Reference, RemoteProtocolError
from callahead.consumer.codec.hessian2 import Long, java_type
from callahead.consumer.interface.java import java_method
from callahead.consumer.testing import EmbeddedProvider, ProviderCall
from tests.integration.raw_dubbo_client import RawClient

SHOP = "com.example.stubbed.ShopService"
STUB = f"{__name__}:ShopService"


@java_type("com.example.stubbed.Item")
@dataclass
class Item:
    """What the shop sells."""

    item_id: int
    name: str = ""


class ShopService(Protocol):
    """The interface, as consumer and provider declare it."""

    def find(self, item_id: int, shop: str = "main") -> Item | None: ...
    def count(self) -> Long: ...
    def names(self, items: list[Item]) -> list[str]: ...
    @overload
    def of(self, value: int) -> str: ...
    @overload
    def of(self, value: str) -> str: ...
    @java_method("of")
    def of_long(self, value: Long) -> str: ...
    def unserved(self) -> None: ...


class Shop:
    """Serves it by methods of the same names."""

    def find(self, item_id: int, shop: str, call: ProviderCall) -> dict[str, Any] | None:
        """A dict stands for the object."""
        return {"itemId": item_id, "name": f"{shop} {call.method}"} if item_id else None

    def count(self) -> int:
        """Beyond what the stub says, and not within."""
        return 5

    def names(self, items: list[Item]) -> Any:
        """What is no list is no answer."""
        return [item.name for item in items] or "none"

    def of(self, value: Any) -> str:
        """All that have none of their own."""
        return f"any {value}"

    def of_long(self, value: int) -> str:
        """One overload."""
        return f"long {value}"

    def close(self) -> None:
        """Not of the interface."""


@pytest.fixture
def provider() -> Iterator[EmbeddedProvider]:
    """Serves the shop."""
    with EmbeddedProvider(protocol="dubbo") as made:
        made.serve(SHOP, Shop(), stub=STUB)
        yield made


@pytest.fixture
def client(provider: EmbeddedProvider) -> Iterator[RawClient]:
    """Says itself which types it sends."""
    with RawClient(provider.address) as made:
        yield made


def consumer_of(provider: EmbeddedProvider, **settings: Any) -> Consumer:
    """A consumer with the same stub."""
    shop = {"interface": SHOP, "url": provider.url, "stub": STUB, "retries": 0, "timeout": 5000, **settings}
    return Consumer({"references": {"shop": shop}})


@pytest.fixture
def shop(provider: EmbeddedProvider) -> Iterator[Reference]:
    """The reference of such a consumer."""
    with consumer_of(provider) as made:
        yield made.reference("shop")


def test_both_sides_of_a_stub_meet(shop: Reference) -> None:
    """Bound objects, lists, defaults and null, by Java's names and types."""
    assert shop.find(7) == Item(7, "main find")
    assert shop.find(0, shop="other") is None
    assert shop.names([Item(1, "a"), Item(2, "b")]) == ["a", "b"]


def test_each_overload_has_its_function(shop: Reference) -> None:
    """One under its own name goes before the one for all."""
    assert [shop.of(5), shop.of("x"), shop.of(Long(5)), shop.of_long(5)] == ["any 5", "any x", "long 5", "long 5"]


def test_a_function_for_one_overload_by_its_types(provider: EmbeddedProvider, shop: Reference) -> None:
    """As without a stub; what was served before goes on."""
    provider.serve(SHOP, {"of(java.lang.String)": lambda value: f"text {value}"}, stub=STUB)
    assert [shop.of(5), shop.of("x"), shop.of(Long(5))] == ["any 5", "text x", "long 5"]


def test_an_answer_is_of_the_declared_type(provider: EmbeddedProvider, client: RawClient) -> None:
    """Five is a long where the stub says so; the answer of a script is no exception."""
    client.call(SHOP, "count")
    assert client.answer().body.startswith(b"\x94\xe5H")
    provider.script("count", answer=6)
    client.call(SHOP, "count")
    assert client.answer().body.startswith(b"\x94\xe6H")


def test_an_answer_of_another_type_is_none(shop: Reference) -> None:
    """As Java cannot send what its method cannot return; the error says what was expected."""
    text = r"cause: names\(java.util.List items\): expected a Java java.util.List, got str"
    with pytest.raises(RemoteProtocolError, match=text) as caught:
        shop.names([])
    assert caught.value.status == "50"


@pytest.mark.parametrize("types", ["D", "Ljava/lang/Integer;", "Ljava/lang/Object;"])
def test_other_types_are_refused(provider: EmbeddedProvider, client: RawClient, types: str) -> None:
    """A provider in Java has no such method either, though the function would take the value."""
    status, text = client.ask(SHOP, "of", types, 5)
    assert (status, provider.calls) == (40, ())
    assert f'{SHOP} serves "of", but not with these 1 arguments' in text


def test_what_the_stub_declares_and_nobody_serves_is_refused(shop: Reference) -> None:
    """So is a method of the object that the stub has not."""
    with pytest.raises(RemoteProtocolError, match='has no method "unserved"'):
        shop.unserved()


def test_methods_of_the_object_beyond_the_stub_are_not_served(client: RawClient) -> None:
    """They are not the interface's."""
    assert client.ask(SHOP, "close")[0] == 40


def test_a_generic_call_has_the_types_of_the_stub(provider: EmbeddedProvider) -> None:
    """A map becomes the bound class though neither the call nor the map says which; the answer is a map again."""
    with consumer_of(provider, stub=None, generic=True) as consumer:
        shop = consumer.reference("shop")
        assert shop.find(7, "x") == {"class": "com.example.stubbed.Item", "itemId": 7, "name": "x find"}
        assert shop.count() == 5


def test_a_function_of_several_overloads_has_one_script(provider: EmbeddedProvider, shop: Reference) -> None:
    """What is said of it once happens once."""
    provider.serve(SHOP, {"of": "any"}, stub=STUB)
    provider.script("of", answer="scripted", times=1)
    assert [shop.of(5), shop.of("x"), shop.of(5)] == ["scripted", "any", "any"]
    assert provider.count("of") == 3

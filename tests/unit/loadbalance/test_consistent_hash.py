"""``consistenthash``: Java's own choices, the arguments, and a ring that changes."""

from __future__ import annotations

import json
import weakref
from array import array
from collections import Counter
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from support.balance import asked, parts, providers, unwatched

from callahead.consumer.call.provider import Provider
from callahead.consumer.loadbalance.consistenthash import ConsistentHashLoadBalance, _Ring, key_of
from callahead.consumer.loadbalance.javatext import java_text
from callahead.registry.models import Endpoint

VECTORS = json.loads((Path(__file__).parent / "vectors" / "consistent-hash-vectors.json").read_text("utf-8"))["vectors"]
READ: dict[str, Any] = {
    "java.lang.Boolean": lambda text: text == "true",
    "java.lang.Double": float,
    "java.lang.Integer": int,
    "java.lang.Long": int,
    "java.math.BigDecimal": Decimal,
    "java.util.ImmutableCollections$List12": lambda text: text[1:-1].split(", "),
}


def argument(written: dict[str, str] | None) -> Any:
    return None if written is None else READ.get(written["java"], str)(written["text"])


def at(*addresses: str) -> tuple[Provider, ...]:
    found = []
    for address in addresses:
        host, _, port = address.rpartition(":")
        found.append(Provider(Endpoint(protocol="dubbo", host=host, port=int(port)), unwatched))
    return tuple(found)


def choose(listed: tuple[Provider, ...], balance: ConsistentHashLoadBalance, count: int = 1000) -> list[Provider]:
    return [balance.select(listed, asked(number)) for number in range(count)]


def test_every_choice_is_that_of_java() -> None:
    """All 204, by the provider that Apache Dubbo's own class chose."""
    assert len(VECTORS) == 204
    for case in VECTORS:
        chosen = tuple(case["hash.arguments"].split(","))
        balance = ConsistentHashLoadBalance(parts(hash_nodes=case["hash.nodes"], hash_arguments=chosen))
        provider = balance.select(at(*case["addresses"]), asked(*map(argument, case["arguments"])))
        assert provider.endpoint.address == case["chosen"], case


class Colour(Enum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (7, "7"),
        ("x", "x"),
        (1.0, "1.0"),
        (0.001, "0.001"),
        (1e7, "1.0E7"),
        (-1.5e-9, "-1.5E-9"),
        (123456789.125, "1.23456789125E8"),
        (1e300, "1.0E300"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (float("nan"), "NaN"),
        (Colour.RED, "RED"),
        ([1, None, "a"], "[1, null, a]"),
        ({"a": True}, "{a=true}"),
        ((), "[]"),
    ],
)
def test_values_are_written_as_java_writes_them(value: Any, text: str) -> None:
    """So that both consumers of an estate go to the same provider."""
    assert java_text(value) == text


@pytest.mark.parametrize(
    ("chosen", "args", "kwargs", "key"),
    [
        ((0,), ("a", "b"), {}, "a"),
        ((1, 0), ("a", "b"), {}, "ba"),
        ((0, 7), ("a",), {}, "a"),
        ((0,), (), {}, ""),
        ((0,), (), {"b": 1, "a": 2}, "2"),
        ((1,), ("x",), {"b": 1, "a": 2}, "2"),
        (("b",), (), {"b": 1, "a": 2}, "1"),
        (("real", "b"), (1.5,), {"b": "x"}, "1.5x"),
        (("b", 0), ("x",), {}, "x"),
    ],
)
def test_the_key_is_of_the_chosen_arguments(
    chosen: tuple[int | str, ...], args: tuple[Any, ...], kwargs: dict[str, Any], key: str
) -> None:
    """By place, keywords in the order of their names behind the others; or by name, of a keyword or else of a field."""
    assert key_of(chosen, args, kwargs) == key


def test_half_a_surrogate_pair_is_hashed_too() -> None:
    """No text that Python can hold ends a call."""
    assert ConsistentHashLoadBalance(parts()).select(listed := providers(1, 1), asked("\ud800")) in listed


def test_the_shares_are_about_equal() -> None:
    """160 points spread the calls, whatever the weights; chance has no part in it."""
    listed = providers(100, 1, 10_000, 100)
    counts = Counter(choose(listed, ConsistentHashLoadBalance(parts()), 4000))
    assert all(0.15 < counts[provider] / 4000 < 0.35 for provider in listed)


def test_only_the_calls_of_one_that_leaves_go_elsewhere() -> None:
    """And when it is there again they come back."""
    listed, balance = providers(*[1] * 10), ConsistentHashLoadBalance(parts())
    before = choose(listed, balance)
    after = choose(listed[1:], balance)
    assert {old for old, new in zip(before, after, strict=True) if old is not new} == {listed[0]}
    assert choose(listed, balance) == before


@pytest.mark.parametrize("sizes", [(10, 3, 10), (2, 9, 4, 5), (8, 7, 6, 5, 4, 3, 2)])
def test_a_ring_that_changed_chooses_as_one_made_anew(sizes: tuple[int, ...]) -> None:
    """However many have come and gone."""
    everyone, balance = providers(*[1] * 10), ConsistentHashLoadBalance(parts())
    for size in sizes:
        listed = everyone[-size:]
        assert choose(listed, balance, 200) == choose(listed, ConsistentHashLoadBalance(parts()), 200)


def test_those_that_left_are_forgotten() -> None:
    """At most as many as there are stay on the ring beside those that are there."""
    balance = ConsistentHashLoadBalance(parts())
    for _ in range(20):
        balance.select(providers(1, 1, 1), asked())
    assert len(balance._latest.ring._members) <= 6


def test_a_ring_that_has_used_all_its_numbers_is_made_anew() -> None:
    """As it happens after two million providers that came and went."""
    first, *others = providers(1, 1, 1)
    worn = _Ring(40, array("d"), {1.0: first})
    ring = worn.fitting((first, *others), frozenset((first, *others)))
    fresh = _Ring(40).fitting((first, *others), frozenset((first, *others)))
    members = frozenset((first, *others))
    points = range(0, 2**32, 2**24)
    assert [ring.next(point, members) for point in points] == [fresh.next(point, members) for point in points]


def test_methods_with_one_list_share_a_ring() -> None:
    """Where they want as many points; it goes with the last of them."""
    listed = providers(*[1] * 10)
    one, other, apart = (ConsistentHashLoadBalance(parts(hash_nodes=nodes)) for nodes in (160, 160, 320))
    for balance in (one, other, apart):
        balance.select(listed, asked())
    assert one._latest.ring is other._latest.ring
    assert apart._latest.ring is not one._latest.ring
    held = weakref.ref(one._latest.ring)
    del one, other, balance
    assert held() is None


def test_a_retry_goes_to_the_next_on_the_ring() -> None:
    """No ring is made for it."""
    listed, balance = providers(*[1] * 10), ConsistentHashLoadBalance(parts())
    first = balance.select(listed, asked("x"))
    ring = balance._latest.ring
    rest = tuple(one for one in listed if one is not first)
    assert balance.select(rest, asked("x")) is not first
    assert balance._latest.ring is ring

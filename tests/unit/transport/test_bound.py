"""What is kept of a provider as long as it is in the registry."""

from __future__ import annotations

import itertools
import weakref
from dataclasses import replace

import pytest

from callahead.consumer.call.provider import Provider
from callahead.consumer.transport.bound import Bound, SharedConnections
from callahead.registry.models import Endpoint


def provider() -> Provider:
    return Provider(Endpoint(protocol="dubbo", host="127.0.0.1", port=1), lambda _: None)


class Registry:
    """The providers that are known, and what a method did for each."""

    def __init__(self, *known: Provider) -> None:
        self.known = known
        self.bound: list[Provider] = []
        self.released: list[Provider] = []
        self.method = Bound(self._bind, self.released.append, lambda: self.known)

    def _bind(self, one: Provider) -> int:
        self.bound.append(one)
        return len(self.bound)


def test_a_method_is_prepared_once_for_each_provider() -> None:
    """It is made when it is first asked for, and found from then on."""
    one, other = provider(), provider()
    registry = Registry(one, other)

    assert [registry.method[who] for who in (one, other, one, other)] == [1, 2, 1, 2]
    assert registry.released == []


def test_what_is_forgotten_is_prepared_anew() -> None:
    """A provider that is released is forgotten by every method, and a forked child forgets all."""
    one, other = provider(), provider()
    shared: SharedConnections[str, Line] = SharedConnections()
    made = itertools.count(1)
    methods = [shared.bound(lambda _: next(made), lambda: (one, other)) for _ in range(2)]
    assert [method[who] for who in (one, other) for method in methods] == [1, 2, 3, 4]
    shared.release(one)
    assert [method[who] for who in (one, other) for method in methods] == [5, 6, 3, 4]
    shared.after_fork()

    assert [method[who] for who in (other, one) for method in methods] == [7, 8, 9, 10]


def test_a_provider_that_changed_is_prepared_anew_over_its_connection() -> None:
    """What was made of the old word of the registry goes, and nothing else."""
    one = provider()
    shared: SharedConnections[str, Line] = SharedConnections()
    method = shared.bound(lambda who: (who.endpoint.path, get(shared, "a", who)), lambda: (one,))
    path, line = method[one]
    one.take(replace(one.endpoint, path="new"), 0, 0)
    shared.refresh(one)

    assert path == ""
    assert method[one] == ("new", line)
    assert line.told == []


def test_a_provider_that_changes_while_it_is_prepared_is_prepared_again() -> None:
    """Else the old word would stay for good."""
    one = provider()
    paths = iter(("new", "newer"))
    seen: list[str] = []

    def bind(who: Provider) -> str:
        seen.append(who.endpoint.path)
        if len(seen) < 3:
            who.take(replace(who.endpoint, path=next(paths)), 0, 0)
        return seen[-1]

    assert Bound(bind, lambda _: None, lambda: (one,))[one] == "newer"
    assert seen == ["", "new", "newer"]


def test_a_method_that_nobody_holds_any_more_is_not_kept() -> None:
    """A reference that could not be finished is made again and again, and leaves nothing."""
    shared: SharedConnections[str, Line] = SharedConnections()
    gone = weakref.ref(shared.bound(lambda _: 1, lambda: ()))
    assert gone() is None


def test_a_provider_that_left_meanwhile_is_released_and_not_kept() -> None:
    """Nobody would release it any more, since the registry told of its end before it was bound."""
    gone = provider()
    shared: SharedConnections[str, Line] = SharedConnections()
    method = shared.bound(lambda who: get(shared, "a", who), lambda: ())

    assert method[gone].told == ["drain"]
    assert (len(method), len(shared)) == (0, 0)


def test_a_provider_that_cannot_be_bound_is_tried_again() -> None:
    """What binding raises reaches the call, and nothing is kept of it."""
    one = provider()

    def refuse(_: Provider) -> int:
        raise ValueError("closed")

    method = Bound(refuse, lambda _: None, lambda: (one,))
    for _ in range(2):
        with pytest.raises(ValueError, match="closed"):
            method[one]


class Line:
    """A connection that notes what it is told."""

    def __init__(self) -> None:
        self.providers: set[Provider] = set()
        self.told: list[str] = []

    @property
    def closed(self) -> bool:
        return "close" in self.told

    def drain(self) -> None:
        self.told.append("drain")

    def close(self) -> None:
        self.told.append("close")


def get(shared: SharedConnections[str, Line], key: str, who: Provider) -> Line:
    found = shared.get(key, who, Line)
    assert found is not None
    return found


def test_equal_keys_share_a_connection() -> None:
    """Its users are noted, one for each reference."""
    shared: SharedConnections[str, Line] = SharedConnections()
    one, other = provider(), provider()
    line = get(shared, "a", one)

    assert get(shared, "a", other) is line
    assert get(shared, "b", one) is not line
    assert line.providers == {one, other}
    assert len(shared.open()) == 2


def test_the_last_user_that_leaves_drains_a_connection() -> None:
    """It is then nobody's: who asks for it again gets a new one."""
    shared: SharedConnections[str, Line] = SharedConnections()
    one, other = provider(), provider()
    line = get(shared, "a", one)
    get(shared, "a", other)
    shared.release(one)
    shared.release(one)
    shared.release(provider())
    assert line.told == []
    shared.release(other)

    assert (line.told, shared.open()) == (["drain"], ())
    assert get(shared, "a", one) is not line


class Users(set[Provider]):
    """Those that share a connection, with a count of how often somebody looks for one among them."""

    looks = 0

    def __contains__(self, one: object) -> bool:
        self.looks += 1
        return super().__contains__(one)


def test_a_release_looks_at_its_own_connections_only() -> None:
    """Of ten thousand that leave at once none costs a look at all the others."""
    shared: SharedConnections[str, Line] = SharedConnections()
    several = {str(number): provider() for number in range(50)}
    for key, who in several.items():
        shared.get(key, who, Line).providers = Users([who])  # type: ignore[union-attr]
    lines = shared.open()
    for who in several.values():
        shared.release(who)
    assert [line.told for line in lines] == [["drain"]] * 50
    assert {line.providers.looks for line in lines} == {1}  # type: ignore[attr-defined]


def test_close_ends_those_that_drain_too() -> None:
    """Afterwards there are no connections to be had."""
    shared: SharedConnections[str, Line] = SharedConnections()
    one, other = provider(), provider()
    draining, kept = get(shared, "a", one), get(shared, "b", other)
    shared.release(one)
    shared.close()
    shared.close()

    assert (draining.told, kept.told) == (["drain", "close"], ["close"])
    assert shared.get("a", one, Line) is None


def test_a_forked_child_begins_with_nothing() -> None:
    """The parent's connections are handed out, so that each transport leaves them as it must."""
    shared: SharedConnections[str, Line] = SharedConnections()
    one, other = provider(), provider()
    lines = [get(shared, "b", other), get(shared, "a", one)]
    shared.release(one)

    assert shared.after_fork() == lines
    assert (len(shared), [line.told for line in lines]) == (0, [[], ["drain"]])
    assert get(shared, "b", other) not in lines

"""The live list of providers: swapped whole, identities kept, the departed released, the unreachable passed over."""

from __future__ import annotations

from typing import Any

import pytest
from support.attempts import attempt_of
from support.clock import FakeClock
from support.cluster import endpoints
from support.shop import Shop

from callahead.config.attempts import Outlier
from callahead.config.policy import MethodPolicy
from callahead.consumer.call.invocation import Invocation
from callahead.consumer.call.provider import Provider
from callahead.consumer.cluster.directory import Directory
from callahead.consumer.cluster.health import UNHEALTHY_S, Health
from callahead.consumer.errors import ConnectFailed, ConnectionLost, RemoteError
from callahead.registry import MemoryRegistry
from callahead.registry.models import Endpoint, Snapshot


class Fixture:
    def __init__(self, count: int = 3) -> None:
        self.clock = FakeClock()
        self.released: list[Provider] = []
        self.refreshed: list[Provider] = []
        self.directory = Directory(
            "tri", self.released.append, self.clock, self.refreshed.append, lambda: 1_795_634_098.0
        )
        self.health = Health(self.directory, Outlier(), self.clock)
        if count:
            self.publish(*endpoints(count))

    def publish(self, *listed: Endpoint, reason: str = "the test") -> None:
        self.directory.notify(Snapshot(1, listed, reason))

    def end(self, provider: Provider, error: Exception | None) -> None:
        self.health.judge(attempt_of(MethodPolicy(reference="foo", method="find"), provider=provider), error)


def test_a_provider_that_stays_is_the_same_object() -> None:
    """Connections and health survive a new list."""
    here = Fixture(2)
    first, second = here.directory.providers
    here.publish(endpoints(2)[1], *endpoints(4)[2:])
    assert here.directory.providers[0] is second
    assert here.released == [first]
    assert [provider.name for provider in here.directory.providers] == ["tri://h2:1", "tri://h3:1", "tri://h4:1"]


def test_a_list_in_hand_does_not_change() -> None:
    """Readers keep the tuple that they took."""
    here = Fixture(2)
    taken = here.directory.providers
    here.publish()
    assert len(taken) == 2
    assert here.directory.providers == ()
    assert set(here.released) == set(taken)


def test_without_tried_or_unreachable_ones_the_list_is_one_object() -> None:
    """A load balancer may keep its work per list."""
    here = Fixture()
    assert here.directory.candidates(()) is here.directory.candidates([]) is here.directory.providers


def test_other_protocols_are_passed_over_and_counted() -> None:
    """An error can say that there are providers, only of another protocol."""
    here = Fixture(0)
    assert here.directory.reason == "the registry has not answered yet"
    here.publish(Endpoint(protocol="dubbo", host="h", port=1), *endpoints(1), reason="x.yml: 2 providers")
    assert [provider.name for provider in here.directory.providers] == ["tri://h1:1"]
    assert here.directory.reason == 'x.yml: 2 providers; 1 of another protocol than "tri"'
    assert repr(here.directory) == "<Directory of 1 tri providers, 0 passed over>"


@pytest.mark.parametrize("change", [{"weight": 5}, {"path": "a.Foo"}, {"parameters": {"token": "x"}}], ids=str)
def test_one_that_changes_is_the_same_provider(change: dict[str, Any]) -> None:
    """It takes over what the registry says now, and keeps its connections and its health; the list is a new one."""
    here = Fixture(2)
    before = here.directory.providers
    here.end(before[0], ConnectFailed("refused", not_sent=True))
    changed = endpoints(2, **change)
    here.publish(changed[0], *endpoints(2)[1:])
    assert here.directory.providers == before
    assert here.directory.providers is not before
    assert before[0].endpoint is changed[0]
    assert before[0].weight == change.get("weight", 100)
    assert before[0] not in here.directory.candidates(())
    assert (here.released, here.refreshed) == ([], [before[0]])


def test_one_that_has_started_again_is_another_provider() -> None:
    """Its address is the old one, but what was known of that is not true of it: it is asked at once."""
    here = Fixture(0)
    here.publish(*endpoints(1, parameters={"timestamp": "1795634000000"}))
    [old] = here.directory.providers
    here.end(old, ConnectFailed("refused", not_sent=True))
    here.publish(*endpoints(1, parameters={"timestamp": "1795634090000"}))
    [new] = here.directory.providers
    assert new is not old
    assert (here.released, here.refreshed) == ([old], [])
    assert (old.has_left, new.is_at_risk) == (True, False)


def test_a_list_that_says_nothing_new_is_the_same_object() -> None:
    """So that nothing that was made of it is made anew."""
    here = Fixture(3)
    before = here.directory.providers
    here.publish(*endpoints(3), reason="again")
    assert here.directory.providers is before
    assert here.directory.reason == "again"
    here.publish(*reversed(endpoints(3)))
    assert here.directory.providers == before[::-1]
    assert (here.released, here.refreshed) == ([], [])


def test_when_a_provider_started_is_kept_by_the_clock_that_nobody_sets() -> None:
    """A minute ago by its own word: nine are left of ten, whatever becomes of the clock on the wall."""
    here = Fixture(0)
    started = str(1_795_634_098_000 - 60_000)
    here.publish(*endpoints(1, parameters={"timestamp": started}))
    [provider] = here.directory.providers
    assert provider.warm_at == here.clock.now + 540


def test_those_that_can_be_reached_are_one_object_as_long_as_none_changes() -> None:
    """A load balancer may keep its work for this list, too."""
    here = Fixture(4)
    first, second, *_ = here.directory.providers
    here.end(first, ConnectFailed("refused", not_sent=True))
    usable = here.directory.candidates(())
    here.clock.advance(UNHEALTHY_S / 2)
    assert here.directory.candidates(()) is usable
    here.end(second, ConnectFailed("refused", not_sent=True))
    assert here.directory.candidates(()) == here.directory.providers[2:]
    here.clock.advance(UNHEALTHY_S / 2)
    assert here.directory.candidates(()) == (first, *here.directory.providers[2:])
    here.publish(*endpoints(5))
    assert here.directory.candidates(()) == (first, *here.directory.providers[2:])


def test_one_that_cannot_be_reached_is_passed_over_and_comes_back() -> None:
    """For a second it is not chosen while another is there; then it is a candidate again."""
    here = Fixture()
    bad, *good = here.directory.providers
    here.end(bad, ConnectFailed("refused", not_sent=True))
    assert here.directory.candidates(()) == tuple(good)
    here.clock.advance(UNHEALTHY_S)
    assert here.directory.candidates(()) == (bad, *good)


def test_a_list_that_rules_have_left_is_narrowed_once() -> None:
    """It is one object, too, beside the whole list; and itself where all of it can be reached."""
    here = Fixture(5)
    bad, *_ = here.directory.providers
    left, others = here.directory.providers[:3], here.directory.providers[3:]
    here.end(bad, ConnectFailed("refused", not_sent=True))
    narrowed = here.directory.candidates_among(left, ())
    assert narrowed == left[1:]
    assert here.directory.candidates(()) == here.directory.providers[1:]
    assert here.directory.candidates_among(left, ()) is narrowed
    assert here.directory.candidates_among(others, ()) is others
    here.clock.advance(UNHEALTHY_S)
    assert here.directory.candidates_among(left, ()) is left


def test_many_lists_that_rules_have_left_are_not_kept_for_ever() -> None:
    """However many a program's rules can leave."""
    here = Fixture(3)
    bad, *good = here.directory.providers
    here.end(bad, ConnectFailed("refused", not_sent=True))
    for _ in range(100):
        assert here.directory.candidates_among((bad, *good), ()) == tuple(good)
    assert len(here.directory._usable[0]) <= 16


def test_if_none_can_be_reached_all_are_candidates() -> None:
    """Something must be tried."""
    here = Fixture(2)
    for provider in here.directory.providers:
        here.end(provider, ConnectFailed("refused", not_sent=True))
    assert here.directory.candidates(()) == here.directory.providers


def test_untried_and_unreachable_beats_tried() -> None:
    """Nobody is asked twice while another is untried, even one that was just unreachable."""
    here = Fixture(2)
    bad, good = here.directory.providers
    here.end(bad, ConnectFailed("refused", not_sent=True))
    assert here.directory.candidates([good]) == (bad,)
    assert here.directory.candidates([bad, good]) == (good,)


def test_an_answer_makes_it_healthy_at_once() -> None:
    """Any word from the provider shows that it can be reached: then the list is the plain one again."""
    for error in (None, RemoteError("no such foo")):
        here = Fixture(2)
        bad, _ = here.directory.providers
        here.end(bad, ConnectFailed("refused", not_sent=True))
        here.end(bad, error)
        assert here.directory.candidates(()) is here.directory.providers


def test_other_failures_say_nothing_of_reachability() -> None:
    """A lost connection neither condemns a provider nor absolves it."""
    here = Fixture(2)
    bad, _ = here.directory.providers
    here.end(bad, ConnectionLost("reset", in_doubt=True))
    assert here.directory.candidates(()) is here.directory.providers
    here.end(bad, ConnectFailed("refused", not_sent=True))
    here.end(bad, ConnectionLost("reset", in_doubt=True))
    assert bad not in here.directory.candidates(())


def test_one_that_left_is_not_remembered_as_unreachable() -> None:
    """A failure that arrives after the provider left the list leaves no trace."""
    here = Fixture(3)
    gone, *_ = here.directory.providers
    here.publish(*endpoints(3)[1:])
    here.end(gone, ConnectFailed("refused", not_sent=True))
    assert repr(here.directory) == "<Directory of 2 tri providers, 0 passed over>"
    assert here.directory.candidates(()) is here.directory.providers


def test_one_that_was_unreachable_and_leaves_is_forgotten() -> None:
    """The mark goes with the provider."""
    here = Fixture(2)
    bad, _ = here.directory.providers
    here.end(bad, ConnectFailed("refused", not_sent=True))
    here.publish(endpoints(2)[1])
    assert repr(here.directory) == "<Directory of 1 tri providers, 0 passed over>"


def test_one_that_is_about_to_stop_takes_no_new_calls() -> None:
    """A read-only provider is no candidate, even if nobody else is; when it takes it back it is one again."""
    here = Fixture(2)
    leaving, staying = here.directory.providers
    leaving.set_read_only(True)
    assert here.directory.candidates(()) == (staying,)
    assert here.directory.candidates([staying]) == (staying,)
    staying.set_read_only(True)
    assert here.directory.candidates(()) == ()
    assert here.directory.why_none() == "none of 2 takes new calls, for they are about to stop; the test"
    leaving.set_read_only(False)
    staying.set_read_only(False)
    assert here.directory.candidates(()) is here.directory.providers


def test_a_consumer_follows_its_registry() -> None:
    """New providers are asked, removed ones are released, and an empty list says why in the error."""
    service = "com.alibaba.foo.FooService"
    with MemoryRegistry.named("unit-directory") as space:
        space.publish(service, ["tri://a:1"])
        config: dict[str, object] = {"registries": {"main": {"address": "memory://unit-directory"}}}
        asked = ShopOfRegistry(config, service)
        with asked.consumer:
            assert asked.ask() == "tri://a:1"
            space.publish(service, ["tri://b:1", "dubbo://c:1"])
            assert asked.ask() == "tri://b:1"
            assert [provider.name for provider in asked.transport.released] == ["tri://a:1"]
            space.withdraw(service)
            error = asked.consumer.reference("foo").find.future().exception(0)
            assert type(error).__name__ == "NoProviderAvailable"
            assert str(error).startswith(
                "foo.find: no provider: none is known: memory://unit-directory: no provider of "
            )
            assert error.not_sent
        assert space.subscriptions == 0


class ShopOfRegistry:
    def __init__(self, config: dict[str, object], service: str) -> None:
        from callahead.consumer import Consumer
        from callahead.consumer.testing.scripted_transport import ScriptedTransport

        self.transport = ScriptedTransport(lambda invocation: invocation.provider.name)
        references = {"foo": {"interface": service, "registry": "main"}}
        self.consumer = Consumer({**config, "references": references}, transports={"tri": self.transport})

    def ask(self) -> str:
        return str(self.consumer.reference("foo").find())


def test_calls_avoid_an_unreachable_provider() -> None:
    """Through the whole chain: after one refused connection the next calls go elsewhere at once."""
    asked: list[str] = []

    def reply(invocation: Invocation) -> str:
        asked.append(invocation.provider.name)
        if invocation.provider.name == "tri://h1:1":
            raise ConnectFailed("refused", not_sent=True)
        return "answer"

    with Shop(reply, providers=2, consumer={"loadbalance": "roundrobin"}) as shop:
        for _ in range(10):
            assert shop.foo.findFoo(1) == "answer"
    assert asked.count("tri://h1:1") == 1

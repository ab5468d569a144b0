"""How the answers of rules are kept, and what calls without rules pay."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from support.routing import CALLER, call, condition_routers, providers

from callahead.consumer.call.invocation import Invocation
from callahead.consumer.router.api import Look, Providers, Split, method_of
from callahead.consumer.router.routing import Routing
from callahead.consumer.router.tag_router import TagRouter

LISTED = providers("1", "2", "3")


class Counting:
    """Keeps the first providers, and counts how often it is asked."""

    name = "counting"

    def __init__(self, keeps: int = 2, looks: tuple[Look, ...] = ()) -> None:
        self.looks = looks
        self.keeps = keeps
        self.asked = 0

    def route(self, providers: Providers, invocation: Invocation) -> Providers | Split:
        self.asked += 1
        return providers[: self.keeps]


def routing(*routers: object) -> Routing:
    made = Routing(Random(1))
    made.obey(list(routers), is_idle=False)  # type: ignore[arg-type]
    return made


def test_a_list_is_narrowed_once_for_calls_that_are_alike() -> None:
    """And the answer is the same tuple, so that load balancers keep what they know of it."""
    counting = Counting()
    here = routing(counting)
    first = here.narrow(LISTED, call("find"))
    assert all(here.narrow(LISTED, call(name)) is first for name in ("find", "get", "put"))
    assert first == LISTED[:2]
    assert counting.asked == 1


def test_calls_that_a_rule_tells_apart_are_kept_apart() -> None:
    """By what it looks at, not by the call."""
    counting = Counting(looks=(method_of,))
    here = routing(counting)
    for _ in range(3):
        for name in ("find", "get"):
            here.narrow(LISTED, call(name))
    assert counting.asked == 2


def test_another_list_is_another_question() -> None:
    """Providers come and go."""
    counting = Counting()
    here = routing(counting)
    here.narrow(LISTED, call())
    assert here.narrow(LISTED[1:], call()) == LISTED[1:]
    assert counting.asked == 2


def test_what_is_kept_is_bounded() -> None:
    """However many kinds of calls there are."""
    counting = Counting(looks=(method_of,))
    here = routing(counting)
    for number in range(10_000):
        here.narrow(LISTED, call(f"m{number}"))
    assert len(here._rules.known[1]) <= 4097


def test_routers_follow_one_another_until_nobody_is_left() -> None:
    """The next one is asked about what the one before has left, and never about nobody."""
    none, after = Counting(keeps=0), Counting()
    here = routing(Counting(keeps=2), none, after)
    assert here.narrow(LISTED, call()) == ()
    assert (none.asked, after.asked) == (1, 0)
    assert here.why_none(LISTED, call()) == ("of 3 known none is left by the rules: counting drops 1; counting drops 2")


def test_chance_decides_anew_for_each_call_and_what_follows_is_kept() -> None:
    """Shares hold, though each list is narrowed once."""
    (shares,) = condition_routers(
        "configVersion: v3.1\nconditions: [{from: {}, to: [{match: port=1, weight: 3}, {match: 'port!=1', weight: 1}]}]"
    )
    after = Counting(keeps=1)
    here = routing(shares, after)
    counts = Counter(here.narrow(LISTED, call())[0].endpoint.port for _ in range(2000))
    assert counts.keys() == {1, 2}
    assert 1400 < counts[1] < 1600
    assert after.asked == 2


def test_a_router_that_fails_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    """A rule must not cost calls, and the log says which it was."""

    class Failing(Counting):
        def route(self, providers: Providers, invocation: Invocation) -> Providers:
            raise ValueError("no")

    assert routing(Failing(), Counting(keeps=1)).narrow(LISTED, call()) == LISTED[:1]
    assert "counting is passed over for foo.find, for it failed" in caplog.text


def test_without_rules_and_tags_no_call_is_concerned() -> None:
    """But one that insists on a tag, which nobody has."""
    here = Routing(Random(1))
    here.obey([TagRouter(None, CALLER)], is_idle=True)
    assert not here.concerns(call())
    assert not here.concerns(call(trace="1"))
    assert here.concerns(call(dubbo_force_tag="true"))
    assert here.narrow(LISTED, call(dubbo_tag="blue", dubbo_force_tag="true")) == ()


def test_tags_of_providers_concern_every_call_from_before_they_are_listed() -> None:
    """And until the last of them has left."""
    here = Routing(Random(1))
    tagged = [one.endpoint for one in providers("tri://h:1?dubbo.tag=gray")]
    here.expect(tagged, only=False)
    assert here.concerns(call())
    here.expect([one.endpoint for one in LISTED], only=False)
    assert here.concerns(call())
    here.expect([one.endpoint for one in LISTED], only=True)
    assert not here.concerns(call())


def test_which_router_drops_whom_is_told() -> None:
    """For people who wonder."""
    told = routing(Counting(keeps=2), Counting(keeps=3), Counting(keeps=1)).explain(LISTED, call())
    assert [(one.router, [dropped.endpoint.port for dropped in one.dropped]) for one in told] == [
        ("counting", [3]),
        ("counting", [2]),
    ]


def test_nobody_whom_chance_may_choose_is_told_to_be_dropped() -> None:
    """Each of them gets calls."""
    (shares,) = condition_routers(
        "configVersion: v3.1\nconditions: [{from: {}, to: [{match: port=1, weight: 3}, {match: port=2, weight: 1}]}]"
    )
    (told,) = routing(shares).explain(LISTED, call())
    assert [dropped.endpoint.port for dropped in told.dropped] == [3]

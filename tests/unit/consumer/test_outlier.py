"""Providers that fail are ejected, and come back by one call at a time."""

from __future__ import annotations

from typing import Any

import pytest
from support.clock import FakeClock
from support.cluster import endpoints
from support.shop import Shop

from callahead.config.attempts import Outlier
from callahead.config.policy import MethodPolicy
from callahead.consumer import CallTimeout, ConnectFailed, ConnectionLost, LimitExceeded, RemoteError, RpcContext
from callahead.consumer.call.attempt import Attempt
from callahead.consumer.call.invocation import CallRecord, Invocation
from callahead.consumer.call.provider import Provider
from callahead.consumer.cluster.directory import Directory
from callahead.consumer.cluster.health import Health
from callahead.registry.models import Snapshot

CONTEXT = RpcContext.get_context()
POLICY = MethodPolicy(reference="foo", method="find", timeout_ms=1000)


class Estate:
    """Some providers, and attempts that end as a test says."""

    def __init__(self, count: int = 3, **outlier: Any) -> None:
        self.clock = FakeClock()
        self.directory = Directory("tri", lambda _: None, self.clock)
        self.publish(count)
        self.health = Health(self.directory, Outlier(**outlier), self.clock)

    def publish(self, count: int) -> None:
        self.directory.notify(Snapshot(1, endpoints(count), "the test"))

    @property
    def first(self) -> Provider:
        return self.directory.providers[0]

    def begin(self, provider: Provider, timeout: float = 1.0) -> Attempt:
        record = CallRecord(POLICY, "find", self.clock())
        invocation = Invocation(POLICY, "find", (), {}, {}, self.clock() + 3, self.clock, record, blocking=False)
        attempt = Attempt(invocation, provider, waits=False)
        attempt.timeout, attempt.ends = timeout, self.clock() + timeout
        return attempt

    def end(self, attempt: Attempt, error: BaseException | None = None) -> None:
        if error is not None or attempt.provider.is_watched:  # as the last stage does
            self.health.judge(attempt, error)

    def ask(self, provider: Provider, error: BaseException | None = None, times: int = 1) -> None:
        for _ in range(times):
            self.end(self.begin(provider), error)
            self.clock.advance(0.01)

    @property
    def asked(self) -> list[str]:
        return [provider.name for provider in self.directory.candidates(())]


def timed_out() -> CallTimeout:
    return CallTimeout("no answer within 1000 ms", in_doubt=True)


def lost() -> ConnectionLost:
    return ConnectionLost("reset by peer", in_doubt=True)


def busy() -> LimitExceeded:
    return LimitExceeded("the pool of threads is exhausted", is_remote=True)


@pytest.mark.parametrize("failure", [timed_out, lost, busy])
def test_failures_in_a_row_eject(failure: Any) -> None:
    """Five do, and four do not."""
    estate = Estate()
    estate.ask(estate.first, failure(), times=4)
    assert len(estate.asked) == 3
    estate.ask(estate.first, failure())
    assert estate.asked == ["tri://h2:1", "tri://h3:1"]
    assert estate.health.counts().ejected == 1


def test_an_ejection_is_logged_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    """One line for each, and none for the failures before it."""
    estate = Estate()
    estate.ask(estate.first, busy(), times=9)
    [record] = caplog.records
    assert record.getMessage() == (
        "foo: tri://h1:1 fails again and again, and is passed over for 30.0 s; the last failure: "
        "the pool of threads is exhausted"
    )


def test_an_answer_between_them_begins_a_new_row() -> None:
    """An error of the method is one."""
    for answer in (None, RemoteError("no such foo")):
        estate = Estate(min_calls=1000)
        for _ in range(10):
            estate.ask(estate.first, timed_out(), times=4)
            estate.ask(estate.first, answer)
        assert len(estate.asked) == 3


@pytest.mark.parametrize(
    "error",
    [
        RemoteError("no"),
        CallTimeout("the deadline had passed before the attempt began", not_sent=True),
        LimitExceeded("max_pending is 3"),
    ],
)
def test_what_is_not_its_fault_ejects_none(error: Exception) -> None:
    """Errors of the method, of this side, and of the time that there was."""
    estate = Estate()
    estate.ask(estate.first, error, times=50)
    assert len(estate.asked) == 3


def test_a_timeout_after_too_little_time_ejects_none() -> None:
    """A deadline that a scope left is not the provider's."""
    estate = Estate()
    for _ in range(50):
        estate.end(estate.begin(estate.first, timeout=0.3), timed_out())
    assert len(estate.asked) == 3


def test_all_that_a_connection_carried_is_one_failure() -> None:
    """Else a provider that restarts would be ejected, though it is back at once."""
    estate = Estate()
    running = [estate.begin(estate.first) for _ in range(100)]
    estate.clock.advance(0.5)
    for attempt in running:
        estate.end(attempt, lost())
    assert len(estate.asked) == 3


def test_a_share_of_failures_ejects() -> None:
    """Half of at least twenty within ten seconds."""
    estate = Estate()
    for _ in range(20):
        estate.ask(estate.first, timed_out())
        if len(estate.asked) == 2:
            break
        estate.ask(estate.first)
    assert estate.health.counts().ejections == 1
    rare = Estate()
    for _ in range(100):
        rare.ask(rare.first, timed_out())
        rare.ask(rare.first, times=3)
    assert rare.health.counts().ejections == 0


@pytest.mark.parametrize(("count", "percent", "most"), [(1, 100, 0), (2, 10, 1), (3, 100, 2), (10, 30, 3), (3, 0, 0)])
def test_never_more_than_the_share_and_never_all(count: int, percent: int, most: int) -> None:
    """One may always be, unless the share is 0."""
    estate = Estate(count, max_ejection_percent=percent)
    for provider in estate.directory.providers:
        estate.ask(provider, timed_out(), times=20)
    counts = estate.health.counts()
    assert counts.ejected == most
    assert counts.spared > 0


def test_one_that_left_makes_room() -> None:
    """What is no more in the list is no more among the ejected."""
    estate = Estate(3)
    estate.ask(estate.directory.providers[2], timed_out(), times=5)
    estate.publish(2)
    estate.ask(estate.first, timed_out(), times=5)
    assert estate.health.counts().ejected == 1
    assert estate.asked == ["tri://h2:1"]


def test_one_call_at_a_time_tries_it_again() -> None:
    """Its answer brings the provider back for all."""
    estate = Estate()
    bad = estate.first
    estate.ask(bad, timed_out(), times=5)
    estate.clock.advance(30)
    assert bad in estate.directory.candidates(())
    assert estate.health.admits(bad, 1000)
    probe = estate.begin(bad)
    assert bad not in estate.directory.candidates(())
    assert not estate.health.admits(bad, 1000)
    estate.end(probe)
    assert estate.directory.candidates(()) is estate.directory.providers
    assert estate.health.counts().ejected == 0


def test_a_failure_ejects_it_for_longer_up_to_the_most() -> None:
    """30 s, 60 s, 90 s and so on, at most 300 s."""
    estate = Estate()
    bad = estate.first
    estate.ask(bad, timed_out(), times=5)
    for length in (30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300):
        estate.clock.advance(length - 1)
        assert bad not in estate.directory.candidates(())
        estate.clock.advance(1)
        assert estate.health.admits(bad, 1000)
        estate.end(estate.begin(bad), timed_out())


def test_a_probe_that_is_given_up_lets_another_try() -> None:
    """Whether it would have been answered is not known."""
    from concurrent.futures import CancelledError

    estate = Estate()
    bad = estate.first
    estate.ask(bad, timed_out(), times=5)
    estate.clock.advance(30)
    assert estate.health.admits(bad, 1000)
    estate.end(estate.begin(bad), CancelledError())
    assert estate.health.admits(bad, 1000)


def test_an_answer_to_an_old_attempt_does_not_bring_it_back() -> None:
    """It was asked before it was ejected."""
    estate = Estate()
    old = estate.begin(estate.first)
    estate.ask(estate.first, timed_out(), times=5)
    estate.end(old)
    assert len(estate.asked) == 2


def test_after_an_interval_without_a_failure_nothing_is_kept() -> None:
    """And so nothing is looked at when it answers."""
    estate = Estate()
    estate.ask(estate.first, timed_out())
    assert estate.first.is_watched
    for _ in range(3):
        estate.clock.advance(11)
        estate.ask(estate.first)
    assert not estate.first.is_watched
    assert estate.first.suspicion is None


def test_one_that_cannot_be_reached_is_tried_by_one_call_at_a_time() -> None:
    """After its second; another call goes elsewhere, unless there is nowhere."""
    estate = Estate()
    estate.ask(estate.first, ConnectFailed("refused", not_sent=True))
    estate.clock.advance(1)
    assert estate.health.admits(estate.first, 1000)
    assert not estate.health.admits(estate.first, 1000)


def test_one_that_is_reached_again_is_asked_at_once() -> None:
    """No call has to find out by itself that the connection is there."""
    estate = Estate(3)
    estate.ask(estate.first, ConnectFailed("refused", not_sent=True))
    assert len(estate.asked) == 2
    estate.first.reached()
    assert len(estate.asked) == 3
    assert estate.health.admits(estate.first, 1000)
    assert estate.health.counts().probes == 0


def test_one_that_was_ejected_is_brought_back_by_no_connection() -> None:
    """It takes connections, and fails; nor is one whose method another one has, whatever it was before."""
    estate = Estate(3)
    estate.ask(estate.first, lost(), times=5)
    estate.ask(estate.first, ConnectFailed("refused", not_sent=True))
    estate.directory.providers[1].miss(estate.clock() + 1)
    estate.health.lacks(estate.directory.providers[1])
    for provider in estate.directory.providers:
        provider.reached()
    assert estate.asked == [estate.directory.providers[2].name]


def test_it_can_be_switched_off() -> None:
    """Then only those are passed over that cannot be connected to."""
    estate = Estate(enabled=False)
    estate.ask(estate.first, timed_out(), times=50)
    assert len(estate.asked) == 3
    estate.ask(estate.first, ConnectFailed("refused", not_sent=True))
    assert len(estate.asked) == 2


def test_calls_leave_an_ejected_provider_alone() -> None:
    """From end to end: those that fail are repeated, and soon none fails."""
    asked: list[str] = []

    def answer(attempt: Any) -> str:
        asked.append(attempt.provider.endpoint.host)
        if attempt.provider.endpoint.host == "h1":
            raise lost()
        return "answer"

    methods = {"findFoo": {"idempotent": True}}
    with Shop(answer, methods=methods, providers=3) as shop:
        assert {shop.foo.findFoo(1) for _ in range(100)} == {"answer"}
        assert asked.count("h1") == 5
        counts = shop.consumer.health()["foo"]
        assert (counts.providers, counts.passed_over, counts.ejected, counts.ejections) == (3, 1, 1, 1)

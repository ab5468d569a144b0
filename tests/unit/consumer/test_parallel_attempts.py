"""Two attempts of one call at once: each is judged, counted, cancelled and traced by itself."""

from __future__ import annotations

from typing import Any

from support.cluster import Bench
from support.forking import TwoAtOnce

from callahead.consumer.call.attempt import Attempt
from callahead.consumer.call.invocation import Done, Outcome
from callahead.consumer.errors import ConnectFailed, RemoteError
from callahead.consumer.reference.stages import Transported


class Carrier:
    """A `MethodTransport` whose attempts wait for the test."""

    def __init__(self) -> None:
        self.sent: list[tuple[Attempt, Done]] = []
        self.cancelled: list[str] = []

    def send(self, attempt: Attempt, done: Done) -> None:
        """Keep it."""
        self.sent.append((attempt, done))
        attempt.carried_by(_Running(self, attempt.provider.name))


class _Running:
    def __init__(self, carrier: Carrier, name: str) -> None:
        self._carrier = carrier
        self._name = name

    def cancel(self) -> None:
        self._carrier.cancelled.append(self._name)


class Watcher:
    """A load balancer that counts what runs at each provider."""

    def __init__(self) -> None:
        self.running: dict[str, int] = {}
        self.ends: list[tuple[str, int, str]] = []

    def attempt_began(self, attempt: Attempt) -> None:
        name = attempt.provider.name
        self.running[name] = self.running.get(name, 0) + 1

    def attempt_ended(self, attempt: Attempt, outcome: Outcome) -> None:
        self.running[attempt.provider.name] -= 1
        self.ends.append((attempt.provider.name, attempt.number, type(outcome.error or outcome.value).__name__))


class Race:
    """One call that asks two providers, and what was noted of it."""

    def __init__(self) -> None:
        self.carrier, self.watcher = Carrier(), Watcher()
        self.bench = Bench(TwoAtOnce, 2, lambda attempt, done: self.stage(attempt, done))
        self.stage = Transported(self.bench.health, self.watcher, self.bench.clock)
        self.invocation = self.bench.invocation()
        self.invocation.carrier = self.carrier
        self.outcomes: list[Any] = self.bench.call(self.invocation)
        [(self.first, self.end_first), (self.second, self.end_second)] = self.carrier.sent


def test_both_are_asked_with_a_number_and_a_provider_of_their_own() -> None:
    """Neither waits for the other, and neither may block the caller."""
    race = Race()
    assert [(one.number, one.provider.name, one.waits) for one in (race.first, race.second)] == [
        (1, "tri://h1:1", False),
        (2, "tri://h2:1", False),
    ]
    assert race.watcher.running == {"tri://h1:1": 1, "tri://h2:1": 1}


def test_the_first_answer_wins_and_the_other_is_cancelled() -> None:
    """Whichever of them it is."""
    race = Race()
    race.second.response_attachments = {"by": "h2"}
    race.end_second(Outcome("quick"))
    assert [outcome.value for outcome in race.outcomes] == ["quick"]
    assert race.carrier.cancelled == ["tri://h1:1"]
    record = race.invocation.record
    assert (record.endpoint, record.response_attachments) == ("tri://h2:1", {"by": "h2"})


def test_a_late_answer_reaches_nobody_and_is_counted() -> None:
    """The record goes on telling of the winner; whoever counts attempts hears of both ends."""
    race = Race()
    race.end_second(Outcome("quick"))
    race.first.response_attachments = {"by": "h1"}
    race.end_first(Outcome(7))
    assert [outcome.value for outcome in race.outcomes] == ["quick"]
    assert race.invocation.record.endpoint == "tri://h2:1"
    assert race.watcher.ends == [("tri://h2:1", 2, "str"), ("tri://h1:1", 1, "int")]
    assert set(race.watcher.running.values()) == {0}


def test_each_provider_is_judged_by_its_own_attempt() -> None:
    """One that cannot be reached is passed over; the error names it, though the other began later."""
    race = Race()
    error = ConnectFailed("refused", not_sent=True)
    race.end_first(Outcome(error=error))
    assert (error.endpoint, error.attempt) == ("tri://h1:1", 1)
    assert [bool(one.provider.unhealthy_until) for one in (race.first, race.second)] == [True, False]
    assert race.outcomes == []
    race.end_second(Outcome("answer"))
    assert race.outcomes[0].value == "answer"


def test_where_both_fail_the_last_one_decides() -> None:
    """Each error tells of its own attempt."""
    race = Race()
    errors = [RemoteError("one"), RemoteError("two")]
    race.end_second(Outcome(error=errors[1]))
    race.end_first(Outcome(error=errors[0]))
    assert [outcome.error for outcome in race.outcomes] == [errors[0]]
    assert [(error.endpoint, error.attempt) for error in errors] == [("tri://h1:1", 1), ("tri://h2:1", 2)]
    assert race.invocation.record.endpoint == "tri://h1:1"


def test_cancelling_the_call_cancels_both() -> None:
    """Nothing goes on for a caller who has gone."""
    race = Race()
    race.invocation.record.cancel()
    assert sorted(race.carrier.cancelled) == ["tri://h1:1", "tri://h2:1"]

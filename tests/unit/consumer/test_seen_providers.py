"""`Consumer.providers`: what calls would see, and obey, now."""

from __future__ import annotations

from support.ruled import CONDITIONS, CONFIGURATORS, Ruled

from callahead.consumer import ConnectFailed, ConnectionLost


def test_calls_that_run_are_counted_where_they_are() -> None:
    """Each at the provider that its newest attempt asks, until it ends."""
    with Ruled("tri://h1:1", "tri://h2:2", answers=False) as ruled, ruled.space:
        futures = [ruled.foo.findFoo.future() for _ in range(5)]
        calls = [ruled.next_call() for _ in range(5)]
        found = ruled.consumer.providers("foo").providers
        assert [one.provider for one in found] == ["tri://h1:1", "tri://h2:2"]
        assert [one.running for one in found] == [
            sum(call.provider.name == one.provider for call in calls) for one in found
        ]
        for call in calls:
            call.reply()
        assert [future.result(20) for future in futures] == [None] * 5
        assert [one.running for one in ruled.consumer.providers("foo").providers] == [0, 0]


def test_the_health_is_that_of_the_moment() -> None:
    """A provider that cannot be reached is passed over, one that is about to stop says so."""
    with Ruled("tri://h1:1", "tri://h2:2", answers=False, consumer={"retries": 0}) as ruled, ruled.space:
        future = ruled.foo.findFoo.future()
        call = ruled.next_call()
        call.fail(ConnectFailed("refused", not_sent=True))
        assert future.exception(20) is not None
        health = {one.provider: one.health for one in ruled.consumer.providers("foo").providers}
        assert health.pop(call.provider.name) == "unreachable"
        assert list(health.values()) == ["ok"]
        call.provider.set_read_only(True)
        told = {one.provider: one.health for one in ruled.consumer.providers("foo").providers}
        assert told[call.provider.name] == "stopping"


def test_rules_are_told_with_whom_they_keep_away_and_what_is_wrong_with_them() -> None:
    """For a call of the method that is asked about."""
    with Ruled("tri://h1:1", "tri://h2:2") as ruled, ruled.space:
        ruled.space.write(CONDITIONS, "conditions: ['method=findFoo => port=1']")
        ruled.space.write(CONFIGURATORS, "configs: 7")
        found = ruled.consumer.providers("foo", "findFoo")
        assert [one.dropped_by for one in found.providers] == [
            "",
            f"condition method=findFoo => port=1 ({CONDITIONS})",
        ]
        assert [one.dropped_by for one in ruled.consumer.providers("foo").providers] == ["", ""]
        assert len(found.problems) == 1
        assert found.problems[0].startswith(f"{CONFIGURATORS}:1: configs: ")


def test_nobody_need_be_there() -> None:
    """Though ``check`` is true: who asks wants to know just that."""
    with Ruled() as ruled, ruled.space:
        found = ruled.consumer.providers("foo")
        assert found.providers == ()
        assert "no provider" in found.reason


def test_the_policy_is_what_calls_obey_now() -> None:
    """Rules included, whether or not the method was called."""
    with Ruled("tri://h1:1") as ruled, ruled.space:
        assert ruled.consumer.providers("foo", "findFoo").policy.retries == 2
        ruled.space.write(CONFIGURATORS, "configs: [{side: consumer, parameters: {retries: 7}}]")
        assert ruled.consumer.providers("foo", "findFoo").policy.retries == 7


def test_who_is_ejected_for_its_failures_is_told() -> None:
    """It is passed over like one that cannot be reached, for another reason."""
    settings = {"consumer": {"retries": 0, "outlier": {"consecutive": 1}}}
    with Ruled("tri://h1:1", "tri://h2:2", answers=False, **settings) as ruled, ruled.space:
        future = ruled.foo.findFoo.future()
        call = ruled.next_call()
        call.fail(ConnectionLost("gone", in_doubt=True))
        assert future.exception(20) is not None
        health = {one.provider: one.health for one in ruled.consumer.providers("foo").providers}
        assert health[call.provider.name] == "ejected"

"""The clusters beside failover and failfast: what each does with several providers, and with failures."""

from __future__ import annotations

from typing import Any

import pytest
from support.cluster import EMPTY, Bench, endpoints
from support.shop import Shop, Spy

from callahead.config import ConfigError, load_text
from callahead.consumer import AllAttemptsFailed, CallTimeout, ConnectFailed, ConnectionLost, RemoteError, RpcContext
from callahead.consumer.call.invocation import Outcome
from callahead.consumer.cluster.available import AvailableCluster
from callahead.consumer.cluster.broadcast import BroadcastCluster
from callahead.consumer.cluster.failback import FailbackCluster
from callahead.consumer.cluster.failsafe import FailsafeCluster
from callahead.consumer.cluster.forking import ForkingCluster
from callahead.consumer.cluster.mergeable import MergeableCluster
from callahead.consumer.errors import LocalProtocolError

CONTEXT = RpcContext.get_context()
MODES: list[dict[str, Any]] = [{}, {"async": True}, {"async": True, "sent": True}, {"async": "lazy"}]


def refused() -> ConnectFailed:
    return ConnectFailed("refused", not_sent=True)


def lost() -> ConnectionLost:
    return ConnectionLost("reset by peer", in_doubt=True)


class TestForking:
    def test_the_first_answer_counts_and_the_others_are_cancelled(self) -> None:
        """Their late answers change nothing, and are counted."""
        bench = Bench(ForkingCluster, 5)
        outcomes = bench.call(forks=3, idempotent=True)
        losers = [bench.attempts[0], bench.attempts[2]]
        bench.attempts[1][1](Outcome("quick"))
        assert [outcome.value for outcome in outcomes] == ["quick"]
        assert all(attempt.is_cancelled for attempt, _ in losers)
        for _, done in losers:
            done(Outcome("late"))
        assert len(outcomes) == 1
        assert bench.cluster.counts() == {"cancelled": 2, "late": 2}

    def test_each_provider_is_asked_once(self) -> None:
        """Forks is the most; 0 is all there are."""
        for forks, asked in ((2, 2), (9, 3), (0, 3)):
            bench = Bench(ForkingCluster, 3)
            bench.call(forks=forks)
            assert len(set(bench.asked)) == len(bench.asked) == asked

    def test_it_fails_where_all_have_failed(self) -> None:
        """Each attempt stands in the error, with its provider."""
        bench = Bench(ForkingCluster, 2)
        outcomes = bench.call()
        bench.end(refused())
        assert outcomes == []
        bench.end(lost())
        error = outcomes[0].error
        assert isinstance(error, AllAttemptsFailed)
        assert len(error.failures) == 2
        assert (error.not_sent, error.in_doubt) == (False, True)

    def test_an_error_of_the_method_is_an_answer(self) -> None:
        """The others would say the same."""
        bench = Bench(ForkingCluster, 2)
        outcomes = bench.call()
        bench.end(RemoteError("no such foo"))
        assert isinstance(outcomes[0].error, RemoteError)
        assert bench.attempts[0][0].is_cancelled

    @pytest.mark.parametrize("mode", MODES)
    def test_every_mode_gets_the_first_answer(self, mode: dict[str, Any]) -> None:
        """It acts on the end of attempts, whatever the call waits for."""
        methods = {"findFoo": {"cluster": "forking", "idempotent": True, **mode}}
        asked = Spy(lambda attempt: "answer")
        with Shop(asked, methods=methods, providers=3) as shop:
            value = shop.foo.findFoo(1)
            assert (CONTEXT.get_future().result(5) if mode.get("async") else value) == "answer"

    def test_a_method_that_must_not_run_twice_is_refused(self) -> None:
        """At load where the YAML names the method, and at its first call where it does not."""
        text = "references: {foo: {interface: a.Foo, url: 'tri://h:1', cluster: forking, methods: {find: {}}}}"
        with pytest.raises(ConfigError, match=r"x.yml:1: references.foo.*forking runs .* must be idempotent"):
            load_text(text, "x.yml")
        methods = {"findFoo": {"idempotent": True}}
        with Shop(methods=methods, reference={"cluster": "forking"}) as shop:
            with pytest.raises(ConfigError, match="write idempotent: true for findBar"):
                shop.foo.findBar(1)


class TestBroadcast:
    def test_every_provider_is_asked_and_the_last_answer_is_given(self) -> None:
        """All at once, those too that are passed over elsewhere."""
        bench = Bench(BroadcastCluster, 3)
        bench.directory.providers[0].pass_over(bench.clock() + 60)
        outcomes = bench.call()
        assert sorted(bench.asked) == ["tri://h1:1", "tri://h2:1", "tri://h3:1"]
        bench.end(value=1)
        bench.end(value=2)
        assert outcomes == []
        bench.end(value=3)
        assert outcomes[0].value == 3

    def test_one_failure_fails_the_call_which_says_so(self) -> None:
        """The others have run it, so it was sent, whatever became of the one."""
        bench = Bench(BroadcastCluster, 3)
        outcomes = bench.call()
        failure = refused()
        failure.endpoint = "tri://h1:1"
        bench.end(failure)
        bench.end(value=1)
        bench.end(value=2)
        error = outcomes[0].error
        assert isinstance(error, AllAttemptsFailed)
        assert error.message == "1 of 3 providers failed: 1. tri://h1:1: refused"
        assert (error.not_sent, error.in_doubt) == (False, True)

    def test_the_percentage_ends_it_early(self) -> None:
        """50 % of four are two."""
        bench = Bench(BroadcastCluster, 4)
        outcomes = bench.call(broadcast_fail_percent=50)
        bench.end(refused())
        assert outcomes == []
        bench.end(RemoteError("no"))
        assert "2 of 4 providers failed" in str(outcomes[0].error)
        assert all(attempt.is_cancelled for attempt, _ in bench.attempts)


class TestFailsafe:
    def test_a_failure_is_answered_by_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        """It is logged and counted."""
        bench = Bench(FailsafeCluster)
        outcomes = bench.call()
        bench.end(CallTimeout("no answer within 100 ms", in_doubt=True))
        assert (outcomes[0].value, outcomes[0].error) == (EMPTY, None)
        assert "foo.find failed and is answered by nothing: no answer within 100 ms" in caplog.text
        assert bench.cluster.counts() == {"swallowed": 1}

    @pytest.mark.parametrize("mode", MODES)
    def test_every_mode_gets_it(self, mode: dict[str, Any]) -> None:
        """Nothing is None where nothing is known of the answer's type."""

        def fail(_: Any) -> Any:
            raise lost()

        with Shop(fail, methods={"findFoo": {"cluster": "failsafe", **mode}}) as shop:
            value = shop.foo.findFoo(1)
            assert (CONTEXT.get_future().result(5) if mode.get("async") else value) is None
            assert shop.consumer.counts()["foo"]["findFoo"].cluster == {"swallowed": 1}


class TestFailback:
    def test_a_failure_is_made_good_later(self) -> None:
        """The call is answered at once; repetitions follow after growing pauses until one is answered."""
        bench = Bench(FailbackCluster)
        outcomes = bench.call(retries=5)
        bench.end(refused())
        assert [(outcome.value, outcome.error) for outcome in outcomes] == [(EMPTY, None)]
        assert bench.timer.next_in is not None
        assert 5 <= bench.timer.next_in <= 7.5
        bench.timer.advance(7.5)
        bench.end(refused())
        assert 10 <= bench.timer.next_in <= 15
        assert bench.cluster.counts() == {"queued": 1, "repeated": 1}
        bench.timer.advance(15)
        bench.end(value="late")
        assert bench.cluster.counts() == {"repeated": 2, "delivered": 1}
        assert (len(outcomes), bench.afterwards.running) == (1, set())

    def test_it_is_given_up_and_reported(self, caplog: pytest.LogCaptureFixture) -> None:
        """After as many repetitions as retries say."""
        bench = Bench(FailbackCluster, 3, lambda _, done: done(Outcome(error=refused())))
        bench.call(retries=2)
        bench.timer.advance(3600)
        assert len(bench.asked) == 3
        assert bench.cluster.counts() == {"repeated": 2, "given_up": 1}
        assert "foo.find failed and is given up after 2 repetitions: refused" in caplog.text

    def test_what_must_not_run_twice_is_not_repeated(self) -> None:
        """A timeout leaves in doubt whether the method has run."""
        bench = Bench(FailbackCluster)
        bench.call(retries=2)
        bench.end(lost())
        assert bench.cluster.counts() == {"given_up": 1}
        bench.call(retries=2, idempotent=True)
        bench.end(lost())
        assert bench.cluster.counts() == {"given_up": 1, "queued": 1}

    @pytest.mark.parametrize("bound", [{"failback_tasks": 2}, {"max_delayed_bytes": 20}])
    def test_the_queue_is_bounded(self, bound: dict[str, int]) -> None:
        """By count and by bytes; what finds no room is given up at once."""
        bench = Bench(FailbackCluster, 3, lambda _, done: done(Outcome(error=refused())))
        for _ in range(5):
            invocation = bench.invocation(retries=2, **bound)
            invocation.request = b"ten bytes!"
            bench.call(invocation)
        assert bench.cluster.counts() == {"queued": 2, "given_up": 3}

    def test_closing_tries_once_more_at_once(self) -> None:
        """What has waited is tried, and not again."""
        bench = Bench(FailbackCluster)
        for _ in range(2):
            bench.call(retries=5)
            bench.end(refused())
        bench.cluster.hurry()
        bench.end(value="good")
        bench.end(refused())
        assert bench.cluster.counts() == {"repeated": 2, "delivered": 1, "given_up": 1}
        assert bench.afterwards.running == set()

    def test_what_is_left_at_the_end_is_given_up(self) -> None:
        """The one that waits as the one that runs, whose late answer changes nothing."""
        bench = Bench(FailbackCluster)
        bench.call(retries=5)
        bench.end(refused())
        bench.timer.advance(8)
        bench.call(retries=5)
        bench.attempts.pop()[1](Outcome(error=refused()))
        bench.cluster.close()
        assert bench.attempts[0][0].is_cancelled
        bench.end(value="late")
        bench.timer.advance(3600)
        assert bench.cluster.counts() == {"repeated": 1, "given_up": 2}
        assert bench.attempts == []

    def test_the_copy_of_a_forked_child_forgets_it(self) -> None:
        """The parent repeats it, and the child counts nothing."""
        bench = Bench(FailbackCluster)
        bench.call(retries=5)
        bench.end(refused())
        for one in list(bench.afterwards.running):
            one.forget()
        bench.timer.advance(3600)
        assert bench.attempts == []
        assert bench.cluster.counts() == {}

    def test_closing_the_consumer_waits_for_it(self) -> None:
        """close() has it tried once more, and returns when that has ended."""
        failing = [True]

        def reply(_: Any) -> Any:
            if failing[0]:
                raise refused()

        shop = Shop(reply, methods={"touch": {"cluster": "failback", "return": False}}, providers=2)
        shop.foo.touch(1)
        assert shop.consumer.counts()["foo"]["touch"].cluster == {"queued": 1}
        failing[0] = False
        shop.consumer.close(10)
        assert shop.consumer.counts()["foo"]["touch"].cluster == {"repeated": 1, "delivered": 1}


class TestAvailable:
    def test_the_first_that_can_be_reached_is_asked(self) -> None:
        """The others stand by."""
        bench = Bench(AvailableCluster, 3)
        for _ in range(5):
            bench.call()
        assert set(bench.asked) == {"tri://h1:1"}
        bench.directory.providers[0].pass_over(bench.clock() + 60)
        bench.call()
        assert bench.asked[-1] == "tri://h2:1"


def in_groups(bench: Bench, *groups: str) -> None:
    """Give each group two providers."""
    listed = [
        one for place, group in enumerate(groups) for one in endpoints(2 * place + 2, parameters={"group": group})[-2:]
    ]
    bench.publish(*listed)


class TestMergeable:
    def merged(self, *answers: Any, **policy: Any) -> Outcome:
        bench = Bench(MergeableCluster, 0)
        in_groups(bench, *(f"g{number}" for number in range(len(answers))))
        outcomes = bench.call(**policy)
        for answer in answers:
            bench.end(*([answer] if isinstance(answer, Exception) else [None, answer]))
        assert bench.attempts == []
        return outcomes[0]

    def test_one_of_each_group_is_asked(self) -> None:
        """Whatever the number of providers."""
        bench = Bench(MergeableCluster, 0)
        in_groups(bench, "a", "b", "c")
        bench.call()
        groups = [attempt.provider.endpoint.parameters["group"] for attempt, _ in bench.attempts]
        assert groups == ["a", "b", "c"]

    @pytest.mark.parametrize(
        ("answers", "merger", "whole"),
        [
            (([1], [2, 3]), "default", [1, 2, 3]),
            (({1}, {1, 2}), "default", {1, 2}),
            (({"a": 1}, {"a": 2, "b": 3}), "default", {"a": 2, "b": 3}),
            ((None, [2]), "default", [2]),
            ((1, 2, 3), "sum", 6),
            ((1, 2, 3), "max", 3),
            ((1, 2, 3), "min", 1),
            ((True, False), "all", False),
            ((True, False), "any", True),
            (([1], [1]), "set", {1}),
        ],
    )
    def test_answers_become_one(self, answers: tuple[Any, ...], merger: str, whole: Any) -> None:
        """By the merger's name, or by the type of the answers; in the order of the groups."""
        assert self.merged(*answers, merger=merger).value == whole

    def test_messages_are_merged(self) -> None:
        """As protobuf does it."""
        from callahead.conf.foo_pb2 import Foo

        assert self.merged(Foo(foo_id=1), Foo(name="a foo")).value == Foo(foo_id=1, name="a foo")

    def test_what_fails_is_left_out(self, caplog: pytest.LogCaptureFixture) -> None:
        """It is logged and counted, and fails the call only where all do."""
        assert self.merged([1], refused(), [3]).value == [1, 3]
        assert "foo.find: 1 of 3 groups failed and are left out; the last: refused" in caplog.text
        assert isinstance(self.merged(refused(), refused()).error, AllAttemptsFailed)

    def test_answers_that_cannot_be_merged_are_an_error(self) -> None:
        """It says the merger, and what to do."""
        error = self.merged(1, 2).error
        assert isinstance(error, LocalProtocolError)
        assert 'merger "default" raised TypeError' in error.message
        assert "merger: sum" in error.message

    def test_a_merger_that_is_not_installed_is_refused(self) -> None:
        """At load, with the line."""
        text = "references: {foo: {interface: a.Foo, url: 'tri://h:1', merger: lisst}}"
        with pytest.raises(ConfigError, match=r'x.yml:1: references.foo.merger.*"lisst"'):
            load_text(text, "x.yml")

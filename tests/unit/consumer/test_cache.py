"""``cache`` and ``sticky``: what was answered before, and by whom."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import CancelledError
from typing import Any

import pytest
from support.clock import FakeClock
from support.shop import Background, Shop

from callahead.consumer import CallTimeout, RemoteError, RpcContext
from callahead.consumer.loadbalance.sticky import Sticky


def shop(answer: Any = None, **options: Any) -> Shop:
    method = {"cache": "lru", "retries": 0, **options.pop("method", {})}
    return Shop(answer, methods={"findFoo": method}, **options)


def attempts(one: Shop) -> int:
    return one.consumer.counts()["foo"]["findFoo"].attempts


@pytest.mark.parametrize("view", ["sync", "future"])
def test_equal_requests_are_asked_once(view: str) -> None:
    """Others are asked for themselves; in every mode."""
    with shop(lambda attempt: [attempt.args[0]]) as one:
        for foo_id in (1, 2, 1, 1, 2):
            found = getattr(one.foo.findFoo, view)(foo_id)
            assert (found if view == "sync" else found.result(5)) == [foo_id]
        assert attempts(one) == 2


def test_everybody_has_a_copy() -> None:
    """What one user does to his answer nobody else sees."""
    with shop(lambda _: [1]) as one:
        one.foo.findFoo.sync(1).append(2)
        one.foo.findFoo.sync(1).append(3)
        assert one.foo.findFoo.sync(1) == [1]


def test_failures_are_not_kept() -> None:
    """The next call asks anew."""
    answers = iter([RemoteError("no"), "there"])

    def answer(_: Any) -> Any:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    with shop(answer) as one:
        with pytest.raises(RemoteError):
            one.foo.findFoo.sync(1)
        assert one.foo.findFoo.sync(1) == "there"


def test_none_is_an_answer() -> None:
    """It is kept as any."""
    with shop(lambda _: None) as one:
        assert [one.foo.findFoo.sync(1) for _ in range(3)] == [None] * 3
        assert attempts(one) == 1


def test_attachments_tell_requests_apart() -> None:
    """Another tenant has another answer."""
    with shop(lambda attempt: dict(attempt.attachments)) as one:
        for tenant in ("a", "b", "a"):
            RpcContext.get_context().attachments["tenant"] = tenant
            assert one.foo.findFoo.sync(1)["tenant"] == tenant
        assert attempts(one) == 2


def test_an_answer_grows_old() -> None:
    """After cache_ttl it is asked again; 0 is for ever."""
    clock = FakeClock()
    for ttl, expected in ((1000, 2), (0, 1)):
        with shop(lambda _: 1, clock=clock, method={"cache_ttl": ttl}) as one:
            one.foo.findFoo.sync(1)
            clock.advance(0.999)
            one.foo.findFoo.sync(1)
            assert attempts(one) == 1
            clock.advance(0.001)
            one.foo.findFoo.sync(1)
            assert attempts(one) == expected


def test_the_least_recently_used_goes_first() -> None:
    """Where there are more than cache_size."""
    with shop(lambda _: 1, method={"cache_size": 2}) as one:
        for foo_id in (1, 2, 1, 3, 1, 2):
            one.foo.findFoo.sync(foo_id)
        assert attempts(one) == 4  # 1, 2, 3, and 2 again


def test_equal_requests_at_once_wait_for_one() -> None:
    """Each gets the answer."""
    with shop() as one:
        futures = [one.foo.findFoo.future(1) for _ in range(5)]
        call = one.next_call()
        assert one.transport.is_idle
        call.reply(["there"])
        assert [future.result(5) for future in futures] == [["there"]] * 5
        assert len({id(future.result()) for future in futures}) == 5


def test_where_the_one_fails_the_others_ask_for_themselves() -> None:
    """A failure is its own call's."""
    with shop() as one:
        futures = [one.foo.findFoo.future(1) for _ in range(3)]
        one.next_call().fail(RemoteError("no"))
        assert isinstance(futures[0].exception(5), RemoteError)
        for future in futures[1:]:
            one.next_call().reply("there")
            assert future.result(5) == "there"


def test_where_the_one_is_cancelled_the_others_ask_for_themselves() -> None:
    """Likewise."""
    with shop() as one:
        futures = [one.foo.findFoo.future(1) for _ in range(2)]
        assert futures[0].cancel()
        one.next_call()
        one.next_call().reply("there")
        assert futures[1].result(5) == "there"


def test_one_that_waits_may_be_cancelled() -> None:
    """The others go on."""
    with shop() as one:
        futures = [one.foo.findFoo.future(1) for _ in range(3)]
        assert futures[1].cancel()
        one.next_call().reply("there")
        assert [future.result(5) for future in (futures[0], futures[2])] == ["there"] * 2
        with pytest.raises(CancelledError):
            futures[1].result(0)
        assert one.consumer.counts()["foo"]["findFoo"].running == 0


def test_one_that_waits_has_its_own_deadline() -> None:
    """It ends with it, whatever becomes of the other."""
    with shop() as one:
        one.foo.findFoo.future(1)
        error = one.foo.findFoo.with_options(total_timeout=20).future(1).exception(20)
        assert isinstance(error, CallTimeout)
        assert error.not_sent
        assert "no answer within 20 ms" in error.message
        one.next_call().reply()


def test_a_synchronous_call_waits_in_its_thread() -> None:
    """For the answer to another's."""
    with shop() as one:
        future = one.foo.findFoo.future(1)
        waiting = Background(one.foo.findFoo.sync, 1)
        call = one.next_call()
        while one.consumer.counts()["foo"]["findFoo"].running < 2:
            pass
        call.reply("there")
        assert (future.result(5), waiting.join()) == ("there", "there")


def test_a_one_way_call_passes_by() -> None:
    """There is nothing to keep."""
    with shop(lambda _: None, method={"return": False}) as one:
        one.foo.findFoo(1)
        one.foo.findFoo(1)
        assert attempts(one) == 2


class Once:
    """An answer that cannot be copied."""

    def __deepcopy__(self, _: Any) -> Any:
        raise TypeError("only once")


def test_what_cannot_be_copied_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    """It is given as it is, and a warning says why nothing is kept."""
    with shop(lambda _: Once()) as one:
        assert isinstance(one.foo.findFoo.sync(1), Once)
        assert isinstance(one.foo.findFoo.sync(1), Once)
        assert attempts(one) == 2
    assert "cannot be copied, so it is not kept" in caplog.text


# sticky


@pytest.mark.parametrize(("sticky", "providers"), [(True, 1), (False, 3)])
def test_sticky_calls_stay_with_one_provider(sticky: bool, providers: int) -> None:
    """Without it they spread."""
    asked: Counter[str] = Counter()
    method = {"sticky": sticky, "loadbalance": "roundrobin"}
    with Shop(lambda it: asked.update([it.provider.name]), methods={"findFoo": method}, providers=3) as one:
        for number in range(9):
            one.foo.findFoo.sync(number)
    assert len(asked) == providers


def test_sticky_moves_on_when_its_provider_is_gone() -> None:
    """And stays with the next."""

    class Last:
        def select(self, providers: Any, invocation: Any) -> Any:
            del invocation
            return providers[-1]

    sticky: Any = Sticky(Last())  # type: ignore[arg-type]
    assert sticky.select(("a", "b", "c"), None) == "c"
    assert sticky.select(("a", "c"), None) == "c"
    assert sticky.select(("a", "b"), None) == "b"
    assert sticky.select(("a", "b", "c"), None) == "b"

"""``actives``: a bound on running calls that gives every place back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.shop import Shop

from callahead.consumer import ConnectionLost, LimitExceeded, RemoteError


def test_one_call_too_many_is_refused_at_once() -> None:
    """The error gives the number, the setting and its place; nothing was sent; both views are counted together."""
    with Shop(methods={"findFoo": {"actives": 2}}) as shop:
        futures = [shop.foo.findFoo.future(number) for number in range(2)]
        for refused in (shop.foo.findFoo.sync, lambda x: shop.foo.findFoo.future(x).result(0)):
            with pytest.raises(LimitExceeded) as caught:
                refused(3)
            error = caught.value
            text = "2 calls of foo.findFoo are running, the most that actives allows (<mapping>)"
            assert error.message == text
            assert str(error).startswith(f"foo.findFoo: {text} (")
            assert (error.reference, error.method, error.not_sent, error.is_remote) == ("foo", "findFoo", True, False)
        shop.next_call().reply(1)
        assert futures[0].result(5) == 1
        assert not shop.foo.findFoo.future(4).done()


def test_methods_are_limited_apart() -> None:
    """A full method does not stop another."""
    with Shop(methods={"findFoo": {"actives": 1}, "findBar": {"actives": 1}}) as shop:
        shop.foo.findFoo.future(1)
        assert not shop.foo.findBar.future(1).done()


ENDS = st.sampled_from(["reply", "fail", "lost", "cancel", "cancel attempt", "refused"])


@settings(max_examples=60, deadline=None)
@given(st.lists(ENDS, max_size=12))
def test_every_end_gives_its_place_back(ends: list[str]) -> None:
    """After any outcomes in any order as many calls can run as at the start."""
    with Shop(methods={"findFoo": {"actives": 3, "retries": 1}}, providers=2) as shop:
        find = shop.foo.findFoo
        for end in ends:
            future = find.future(1)
            attempt = shop.next_call()
            if end == "reply":
                attempt.reply(1)
            elif end == "fail":
                attempt.fail(RemoteError("no"))
            elif end == "lost":
                attempt.fail(ConnectionLost("reset", not_sent=True))
                shop.next_call().fail(ConnectionLost("reset", in_doubt=True))
            elif end == "cancel":
                assert future.cancel()
            elif end == "cancel attempt":
                attempt.cancel()
            else:
                attempt.reply(1)
                full = [find.future(1) for _ in range(3)]
                assert isinstance(find.future(1).exception(0), LimitExceeded)
                for _ in full:
                    shop.next_call().reply(1)
            assert future.done()
        running = [find.future(number) for number in range(3)]
        assert not any(future.done() for future in running)
        assert isinstance(find.future(4).exception(0), LimitExceeded)


class Oops(Exception):
    pass


def test_a_transport_that_breaks_its_word_gives_its_place_back() -> None:
    """A foreign exception out of a transport is one of ours with that as its cause, and leaks no place."""

    def fail(_: Any) -> Any:
        raise Oops("not an RpcError")

    with Shop(fail, methods={"findFoo": {"actives": 1}}) as shop:
        for _ in range(3):
            error = shop.foo.findFoo.future(1).exception(0)
            assert error.message == "the attempt could not be made: ScriptedMethod raised Oops('not an RpcError')"
            assert isinstance(error.__cause__, Oops)


def test_an_interrupt_in_a_blocking_transport_gives_its_place_back() -> None:
    """Ctrl-C under a synchronous call is raised as itself, and the call has ended."""

    def interrupt(_: Any) -> Any:
        raise KeyboardInterrupt

    with Shop(interrupt, methods={"findFoo": {"actives": 1}}) as shop:
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                shop.foo.findFoo(1)
        counts = shop.consumer.counts()["foo"]["findFoo"]
        assert (counts.running, counts.failures) == (0, {"KeyboardInterrupt": 3})

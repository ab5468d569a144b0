"""``cache``: answers that are kept for equal requests, and asked for once where several come at a time."""

from __future__ import annotations

import copy
import logging
import threading
from collections import OrderedDict
from collections.abc import Hashable
from concurrent.futures import CancelledError
from typing import Any

from callahead.config.policy import MethodPolicy
from callahead.registry.forking import fork_safe_lock

from ..call.in_time import end_in_time
from ..call.invocation import Done, Invocation, Outcome, Stage
from ..errors import CallTimeout
from ..runtime.timer import Timer
from .later import Later, Work

_LOG = logging.getLogger("callahead.consumer.interceptor")


class Cache:
    """Keeps the answers of one method by what was asked, in bytes, and by attachments; each user gets his own copy.

    The least recently used goes first, each goes once it is too old. Equal requests that come while one is asked wait
    for its answer; where that fails they ask for themselves. Failures are never kept, and one-way calls pass by.
    Source: Dubbo ``CacheFilter`` with ``lru`` and ``expiring``; differs: the key is the request itself and not the text
    of its arguments, and what is kept is the answer of an asynchronous call, too (apache/dubbo#3731).

    Args:
        policy: ``cache_size`` answers, each for ``cache_ttl_ms``, 0 for ever.
        timer: Ends the waiting of those whose deadline comes first; its clock tells the age of answers.
    """

    def __init__(self, policy: MethodPolicy, timer: Timer) -> None:
        self._size = policy.cache_size
        self._ttl = policy.cache_ttl_ms / 1000
        self._timer = timer
        self._lock = fork_safe_lock()
        self._answers: OrderedDict[Hashable, tuple[Any, float]] = OrderedDict()
        self._flights: dict[Hashable, list[_Follower]] = {}

    def stage(self, following: Stage, later: Later) -> Stage:
        """Make the stage that asks *following* for what is not kept; it stands beneath the encoding.

        Those who have waited, and must ask for themselves, go on by *later*.
        """

        def stage(invocation: Invocation, done: Done) -> None:
            key = None if invocation.one_way else _key_of(invocation)
            if key is None:
                following(invocation, done)
                return
            follower = None
            with self._lock:
                kept = self._kept(key)
                flight = self._flights.get(key)
                if kept is None and flight is not None:
                    follower = _Follower(invocation, done, later(following, invocation, done))
                    flight.append(follower)
                elif kept is None:
                    self._flights[key] = []
            if kept is not None:
                done(Outcome(copy.deepcopy(kept[0])))
            elif follower is None:
                self._lead(key, invocation, done, following)
            else:
                follower.watch(self._timer)

        return stage

    def _lead(self, key: Hashable, invocation: Invocation, done: Done, following: Stage) -> None:
        try:
            following(invocation, lambda outcome: self._land(key, outcome, done))
        except BaseException:
            self._land(key, Outcome(error=CancelledError()), lambda _: None)
            raise

    def _land(self, key: Hashable, outcome: Outcome, done: Done) -> None:
        """Keep the answer, and let those go on who waited for it."""
        kept = _copied(outcome)
        with self._lock:
            if kept is not None:
                self._keep(key, kept.value)
            followers = self._flights.pop(key, [])
        done(outcome)
        for follower in followers:
            follower.hear(kept)

    def _kept(self, key: Hashable) -> tuple[Any, float] | None:
        kept = self._answers.get(key)
        if kept is None:
            return None
        if self._ttl and self._timer.now() >= kept[1]:
            del self._answers[key]
            return None
        self._answers.move_to_end(key)
        return kept

    def _keep(self, key: Hashable, value: Any) -> None:
        self._answers[key] = (value, self._timer.now() + self._ttl)
        self._answers.move_to_end(key)
        while len(self._answers) > self._size:
            self._answers.popitem(last=False)


def _key_of(invocation: Invocation) -> Hashable | None:
    """Return what is equal for equal requests; None where the carrier makes nothing that tells."""
    request = invocation.request
    if isinstance(request, bytearray | memoryview):
        request = bytes(request)
    key = request if isinstance(request, bytes) else getattr(request, "key", None)
    return None if key is None else (key, *sorted(invocation.attachments.items()))


def _copied(outcome: Outcome) -> Outcome | None:
    if outcome.error is not None:
        return None
    try:
        return Outcome(copy.deepcopy(outcome.value))
    except Exception:
        _LOG.warning("an answer of type %s cannot be copied, so it is not kept", type(outcome.value).__name__)
        return None


class _Follower:
    """A call that waits for the answer to an equal one; it ends once."""

    def __init__(self, invocation: Invocation, done: Done, go_on: Work) -> None:
        self._invocation = invocation
        self._go_on = go_on
        self._lock = threading.Lock()
        self._done: Done | None = done
        if invocation.record.first is None:  # before anybody may let it go on, for then another takes this place
            invocation.record.first = self

    def watch(self, timer: Timer) -> None:
        """End with the call: when it was given up meanwhile, or its deadline comes."""
        end_in_time(self, self._invocation, timer)

    def hear(self, kept: Outcome | None) -> None:
        """Take a copy of the answer, or ask where there is none."""
        done = self._taken()
        if done is None:
            return
        if kept is None:
            self._go_on()
        else:
            done(Outcome(copy.deepcopy(kept.value)))

    def cancel(self) -> None:
        """End as given up."""
        self._end(CancelledError())

    def expire(self) -> None:
        """End as too late."""
        given = (self._invocation.ends - self._invocation.record.started) * 1000
        text = f"the equal request that it waits for had no answer within {given:.0f} ms (cache)"
        self._end(CallTimeout(text, not_sent=True))

    def _end(self, error: BaseException) -> None:
        done = self._taken()
        if done is not None:
            done(Outcome(error=error))

    def _taken(self) -> Done | None:
        with self._lock:
            done, self._done = self._done, None
            return done

"""Providers that fail are passed over for a while, and come back by one call at a time."""

from __future__ import annotations

import logging
from typing import NamedTuple

from callahead.config.attempts import Outlier
from callahead.registry.forking import fork_safe_lock

from ..call.attempt import Attempt
from ..call.provider import Provider
from ..errors import CallTimeout, ConnectFailed, ConnectionLost, LimitExceeded, NoProviderAvailable, TransportError
from ..runtime.deadline import Clock
from .directory import Directory

_LOG = logging.getLogger("callahead.consumer.cluster")

UNHEALTHY_S = 1.0
"""How long a provider that could not be reached is passed over, in seconds."""

# What a call that tries a provider again may take beyond the time of its attempt, before another may.
_GRACE_S = 1.0


class HealthCounts(NamedTuple):
    """What is known of the health of one reference's providers.

    Attributes:
        providers: How many there are.
        passed_over: Of these, that are passed over at this moment, whyever.
        ejected: Of these, for their failures.
        ejections: How often one was since the reference was made.
        spared: How often one was not, since as many were as may be.
        probes: Calls that tried one whose time was over.
    """

    providers: int
    passed_over: int
    ejected: int
    ejections: int
    spared: int
    probes: int


class Suspicion:
    """What one provider did since it failed first; forgotten after an interval without a failure.

    Attributes:
        ejected_until: Monotonic second until which it is passed over for its failures; 0 where it is not. It stays
            after that second, until an answer comes.
        ejections: How often in a row it was.
        lost_at: When a connection to it was lost last.
    """

    __slots__ = ("_calls", "_failed", "_in_a_row", "_since", "ejected_until", "ejections", "lost_at")

    def __init__(self, now: float) -> None:
        self._since = now
        self._calls = self._failed = self._in_a_row = 0
        self.ejected_until = self.lost_at = 0.0
        self.ejections = 0

    def take(self, now: float, policy: Outlier, *, has_failed: bool) -> None:
        """Count the end of an attempt."""
        if now - self._since > policy.interval_ms / 1000:
            self._since, self._calls, self._failed = now, 0, 0
        self._calls += 1
        self._failed += has_failed
        self._in_a_row = self._in_a_row + 1 if has_failed else 0

    def is_cleared(self, now: float, policy: Outlier) -> bool:
        """Tell whether a whole interval was without a failure."""
        return not self._failed and now - self._since > policy.interval_ms / 1000

    def is_enough(self, policy: Outlier) -> bool:
        """Tell whether it has failed so often that it is to be passed over."""
        if self._in_a_row >= policy.consecutive:
            return True
        return self._calls >= policy.min_calls and self._failed * 100 >= self._calls * policy.failure_percent

    def eject(self, now: float, policy: Outlier) -> float:
        """Count an ejection, and return the second at which it ends."""
        self.ejections += 1
        length_ms = min(policy.base_ejection_ms * self.ejections, policy.max_ejection_ms)
        self._in_a_row = 0
        self.ejected_until = now + length_ms / 1000
        return self.ejected_until


class Health:
    """Judges the providers of one reference by the ends of their attempts; from any thread.

    One to which no connection came about is passed over for a second (Finagle's ``FailFast``), or until its transport
    has one again. One whose attempts time out, lose their connection or are refused is ejected, as *policy* says
    (Envoy's outlier detection), but never all. When the time of either is over one call at a time tries it, until one
    is answered. The answers of a provider of which nothing is suspected never come here.
    """

    def __init__(self, directory: Directory, policy: Outlier, clock: Clock) -> None:
        self._directory = directory
        self._policy = policy
        self._clock = clock
        self._lock = fork_safe_lock()
        self._ejected: set[Provider] = set()
        self._tried_at: dict[Provider, float] = {}
        self._ejections = self._spared = self._probes = 0

    def judge_by(self, policy: Outlier) -> None:
        """Go by *policy* from now on; who is passed over stays so for its time."""
        self._policy = policy

    def judge(self, attempt: Attempt, error: BaseException | None) -> None:
        """Take what the end of *attempt* says of its provider; *error* is None for an answer."""
        provider = attempt.provider
        with self._lock:
            now, before = self._clock(), self._ejections
            if isinstance(error, ConnectFailed):
                self._unreachable(provider, now)
            elif error is not None and self._policy.enabled and _blames(attempt, error):
                self._failed(attempt, error, now)
            elif error is None or getattr(error, "is_remote", False):
                self._answered(attempt, now)
            else:
                self._unsaid(attempt, now)
            seconds = provider.unhealthy_until - now if self._ejections > before else 0.0
        if seconds:  # not under the lock: a handler of the log may be anybody's
            text = "%s: %s fails again and again, and is passed over for %.1f s; the last failure: %s"
            _LOG.warning(text, attempt.policy.reference, provider.name, seconds, error)

    def _unreachable(self, provider: Provider, now: float) -> None:
        suspicion = provider.suspicion
        if suspicion is not None and suspicion.ejected_until:
            self._spare(provider, now)  # no connection ends what it was ejected for
        else:
            self._tried_at.pop(provider, None)
            provider.miss(now + UNHEALTHY_S)

    def _spare(self, provider: Provider, now: float) -> None:
        self._tried_at.pop(provider, None)
        suspicion = provider.suspicion
        ends = 0.0 if suspicion is None else suspicion.ejected_until
        provider.pass_over(max(now + UNHEALTHY_S, ends))

    def lacks(self, provider: Provider) -> None:
        """Pass *provider* over for a while, as one that cannot be reached: it lacks a method that another one has.

        It may be about to start. That it said so to a call proves nothing yet, for the mistake may be the call's.
        """
        with self._lock:
            self._spare(provider, self._clock())

    def _answered(self, attempt: Attempt, now: float) -> None:
        provider = attempt.provider
        suspicion = provider.suspicion
        if suspicion is not None and suspicion.ejected_until:
            if _began(attempt) < suspicion.ejected_until:  # it says nothing of today
                return
            suspicion.ejected_until = 0.0
            self._ejected.discard(provider)
        if suspicion is not None:
            if suspicion.is_cleared(now, self._policy):
                provider.suspect(None)
            suspicion.take(now, self._policy, has_failed=False)
        self._is_back(provider)

    def _is_back(self, provider: Provider) -> None:
        self._tried_at.pop(provider, None)
        if provider.unhealthy_until:
            provider.pass_over(0.0)

    def _failed(self, attempt: Attempt, error: BaseException, now: float) -> None:
        provider = attempt.provider
        suspicion = provider.suspicion
        if suspicion is None:
            suspicion = Suspicion(now)
            provider.suspect(suspicion)
        began = _began(attempt)
        if suspicion.ejected_until:
            if began >= suspicion.ejected_until:  # it was tried again
                self._eject(provider, suspicion, now)
            return
        if isinstance(error, ConnectionLost) and began < suspicion.lost_at:
            return  # all that a connection carried is one failure
        if isinstance(error, ConnectionLost):
            suspicion.lost_at = now
        suspicion.take(now, self._policy, has_failed=True)
        if suspicion.is_enough(self._policy) and self._has_room(provider):
            self._eject(provider, suspicion, now)
        elif getattr(error, "is_remote", False):  # it can be reached
            self._is_back(provider)

    def _has_room(self, provider: Provider) -> bool:
        providers = self._directory.providers
        self._ejected.intersection_update(providers)
        percent = self._policy.max_ejection_percent
        most = max(1, len(providers) * percent // 100) if percent else 0
        if provider in providers and len(self._ejected) < min(most, len(providers) - 1):
            return True
        self._spared += 1
        return False

    def _eject(self, provider: Provider, suspicion: Suspicion, now: float) -> None:
        self._tried_at.pop(provider, None)
        self._ejected.add(provider)
        self._ejections += 1
        provider.pass_over(suspicion.eject(now, self._policy))

    def _unsaid(self, attempt: Attempt, now: float) -> None:
        """Let another call try the provider, where *attempt* was to, and ended without a word of it."""
        tried_at = self._tried_at.get(attempt.provider)
        if tried_at is not None and _began(attempt) >= tried_at:
            del self._tried_at[attempt.provider]
            attempt.provider.pass_over(now)

    def admits(self, provider: Provider, attempt_ms: int) -> bool:
        """Tell whether a call may ask *provider*, which was passed over; its attempt has *attempt_ms* milliseconds.

        That is so where its time is over, and no other call tries it just now; then none does until this one has ended.
        """
        with self._lock:
            now = self._clock()
            if provider.unhealthy_until > now:
                return False
            if provider.unhealthy_until:
                self._probes += 1
                self._tried_at[provider] = now
                provider.pass_over(now + attempt_ms / 1000 + _GRACE_S)
            return True

    def counts(self) -> HealthCounts:
        """Return what is known at this moment."""
        with self._lock:
            providers, now = self._directory.providers, self._clock()
            self._tried_at = {one: at for one, at in self._tried_at.items() if one in providers}
            return HealthCounts(
                providers=len(providers),
                passed_over=sum(provider.unhealthy_until > now for provider in providers),
                ejected=len(self._ejected.intersection(providers)),
                ejections=self._ejections,
                spared=self._spared,
                probes=self._probes,
            )


def _began(attempt: Attempt) -> float:
    return attempt.ends - attempt.timeout


def _blames(attempt: Attempt, error: BaseException) -> bool:
    """Tell whether the provider is to blame for *error*: it had time, and the request came as far as to it."""
    if isinstance(error, CallTimeout):
        return not error.not_sent and attempt.timeout * 2000 >= attempt.policy.timeout_ms
    if isinstance(error, LimitExceeded | NoProviderAvailable):
        return error.is_remote
    return isinstance(error, TransportError)

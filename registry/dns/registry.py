"""The providers that a name in DNS stands for, looked up again and again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from random import Random
from threading import Thread, current_thread
from typing import NamedTuple

from callahead.config.policy import RegistryPolicy
from callahead.config.values.line import one_line

from ..api import NotifyListener, Subscription
from ..catalogue import Providers, counted
from ..errors import ProviderDataError
from ..forking import fork_safe_condition, go_on_in_child
from ..models import Endpoint, ServiceKey
from ..notify import NotifyQueue
from ..passed_over import PassedOver
from ..settings import named_at
from ..url import Url, endpoint_of
from .resolving import LookupFailed, Place, Resolve, by_dnspython, by_system
from .settings import Settings

_log = logging.getLogger("callahead.registry")

_SHORTEST_S = 1.0  # whatever a ttl says
_JITTER = 0.1  # so that many consumers do not ask at once
_KEPT = "nothing is there any more; the last good list stays (empty_protection)"
_EXTRA = 'pip install "callahead[dns]"'
_NOTHING = "; the name does not exist, or has no such records"
_SHOWN = 100


class _State(NamedTuple):
    """What is known of the name; a change is one new state.

    Attributes:
        endpoints: None before the first answer.
        problem: Why *endpoints* is not what was answered last; "" where it is.
        ttl_s: Of the last answer, None where it is not known.
    """

    endpoints: tuple[Endpoint, ...] | None = None
    problem: str = ""
    ttl_s: float | None = None


class DnsRegistry:
    """The addresses of one name, as providers of whatever service they are asked for.

    A daemon thread, which the first subscription starts, looks the name up as its ttl says, at least every ``refresh``.
    While nobody answers the last list stays, for however long. So it does where the name has gone, unless
    ``empty_protection`` is false, for a name server that has just started shows the same. Without an answer at the
    start the list is empty, and the reason says why. A forked child looks by a thread of its own.

    Args:
        policy: Address ``dns://host:port``, or ``dns://_service._proto.domain`` for SRV records.
        resolve: Makes what looks up, for tests.
        random: Spreads the looks, for tests.

    Raises:
        ConfigError: The address names no host or port, a setting is unknown or wrong, or it needs dnspython, which is
            not installed.
    """

    def __init__(
        self,
        policy: RegistryPolicy,
        *,
        resolve: Callable[[Settings], Resolve] | None = None,
        random: Random | None = None,
    ) -> None:
        self._id = policy.id
        self._named_at = named_at(policy)
        self._settings = Settings.of(policy)
        self._resolve = (_kind(policy, self._settings) if resolve is None else resolve)(self._settings)
        self._random = Random() if random is None else random  # noqa: S311 - it spreads looks, it keeps no secret
        self._queue = NotifyQueue(policy.id, self._find)
        self._changed = fork_safe_condition()
        self._closing = False
        self._looker: Thread | None = None
        self._state = _State()
        self._looks = 0
        self._passed_over = PassedOver("an address")
        go_on_in_child(self._go_on_after_fork)

    @property
    def problem(self) -> str | None:
        """Why the list in use is not what was answered last; None where it is."""
        return self._state.problem or None

    def subscribe(self, key: ServiceKey, listener: NotifyListener) -> Subscription:
        """Tell *listener* of the addresses, whatever *key* is, as `Registry.subscribe` promises.

        Raises:
            RegistryError: The registry is closed.
        """
        with self._changed:
            if self._looker is None and not self._closing:
                self._start()
            # The look is bounded, but for the system's resolver, whose own bounds may be long.
            self._changed.wait_for(lambda: self._looks or self._closing, self._settings.timeout_s * 2)
        return self._queue.subscribe(key, listener)

    def close(self) -> None:
        """End every subscription and the thread. Idempotent.

        A look that is under way is not waited for: the thread ends after it.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            looker = self._looker
        self._queue.close()
        if looker is not None and looker is not current_thread():
            looker.join(self._settings.timeout_s)

    def __repr__(self) -> str:
        return f"<DnsRegistry {self._settings}{': ' + self.problem if self.problem else ''}>"

    def _start(self) -> None:
        looker = Thread(target=self._keep_looking, name=f"callahead-registry-{self._id}", daemon=True)
        looker.start()
        self._looker = looker

    def _keep_looking(self) -> None:
        while not self._closing:
            self._look()
            with self._changed:
                self._looks += 1
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closing, self._pause())

    def _pause(self) -> float:
        ttl_s = self._state.ttl_s
        pause = self._settings.refresh_s if ttl_s is None else min(max(ttl_s, _SHORTEST_S), self._settings.refresh_s)
        return pause * (1 - _JITTER * self._random.random())

    def _look(self) -> None:
        old = self._state
        try:
            answer = self._resolve()
            found = tuple(self._endpoints(answer.places))
            keeps = self._settings.protects and old.endpoints and not found
            new = old._replace(problem=_KEPT, ttl_s=answer.ttl_s) if keeps else _State(found, ttl_s=answer.ttl_s)
        except LookupFailed as error:
            new = old._replace(problem=f"it cannot be looked up: {one_line(str(error))}", ttl_s=None)
        self._state = new
        if new.problem != old.problem:
            self._report(new)
        self._queue.announce(wait=False)  # a listener may be closing this registry, which waits for this thread

    def _endpoints(self, places: Iterable[Place]) -> Iterator[Endpoint]:
        """Make those of *places* that are any: who writes SRV records may name what is no host, or the port 0."""
        faults: dict[str, str] = {}
        for host, port, weight in places:
            try:
                endpoint = endpoint_of(Url(protocol=self._settings.protocol, host=host, port=port))
                assert endpoint is not None
                yield replace(endpoint, weight=weight)
            except (ProviderDataError, ValueError) as error:
                faults[f"{host}:{port}"] = f"{host[:_SHOWN]}:{port}: {error}"
        self._passed_over.tell(str(self._settings), faults)

    def _report(self, state: _State) -> None:
        count = counted(len(state.endpoints or ()))
        if state.problem:
            _log.warning("registry %s: %s: %s; known: %s", self._id, self._settings, state.problem, count)
        else:
            _log.info("registry %s: %s: %s", self._id, self._settings, count)

    def _find(self, key: ServiceKey) -> Providers:
        state = self._state
        endpoints = state.endpoints or ()
        reason = f"{self._settings}: {counted(len(endpoints))} of {key}{self._passed_over.note}"
        problem = f"; not renewed: {state.problem}" if state.problem else "" if endpoints else _NOTHING
        text = f"{reason}{problem}{self._named_at}" if problem else reason
        return Providers(endpoints, text, is_known=state.endpoints is not None)

    def _go_on_after_fork(self) -> None:
        if self._looker is not None and self._looker is not current_thread() and not self._closing:
            self._start()


def _kind(policy: RegistryPolicy, settings: Settings) -> Callable[[Settings], Resolve]:
    if find_spec("dns") is not None:
        return by_dnspython
    for setting, needs in (("address", settings.is_service), ("server", settings.server is not None)):
        if needs:
            raise policy.error(setting, "needs dnspython, which is not installed", _EXTRA)
    return by_system

"""The live list of a reference's providers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from callahead.registry.forking import fork_safe_lock
from callahead.registry.models import Endpoint, Snapshot

from ..call.provider import Provider
from ..runtime.deadline import Clock

_Identity = tuple[str, int, str]
_NEVER = -math.inf
_MOST_LISTS = 16


class _Narrowed(NamedTuple):
    """A list, which is held here so that its id stays its own, and those of it that can be reached."""

    providers: tuple[Provider, ...]
    usable: tuple[Provider, ...]


def _keep(provider: Provider) -> None:
    """Make nothing anew for *provider*."""


class Directory:
    """Holds the providers of one reference as one tuple, replaced whole with each snapshot of the registry.

    Readers take no lock. A provider that stays from one snapshot to the next keeps its `Provider`, which takes over
    what else the registry says of it now. One that has started again is another, though its address is the same: what
    is known of the old one, such as that it cannot be reached, is not true of it. A list in which nothing changed
    stays the same tuple.

    Args:
        protocol: Endpoints of other protocols are passed over.
        release: Told of each provider that left the list.
        clock: Monotonic seconds.
        refresh: Told of each provider that stays, but of which the registry says something else than before.
        wall: Seconds since 1970, by which providers say when they started.
    """

    def __init__(
        self,
        protocol: str,
        release: Callable[[Provider], None],
        clock: Clock,
        refresh: Callable[[Provider], None] = _keep,
        wall: Clock = time.time,
    ) -> None:
        self._protocol = protocol
        self._release = release
        self._refresh = refresh
        self._clock = clock
        self._wall = wall
        self._lock = fork_safe_lock()
        self._at_risk: set[Provider] = set()
        self._usable: tuple[dict[int, _Narrowed], float] = ({}, _NEVER)
        self.providers: tuple[Provider, ...] = ()
        self.reason = "the registry has not answered yet"

    def notify(self, snapshot: Snapshot) -> None:
        """Take over *snapshot*; a `callahead.registry.NotifyListener`."""
        with self._lock:
            mine = [endpoint for endpoint in snapshot.endpoints if endpoint.protocol == self._protocol]
            known = {_identity(provider.endpoint): provider for provider in self.providers}
            changed = self._take_over(known, mine)
            listed = tuple(map(known.__getitem__, map(_identity, mine)))
            left = set(self.providers).difference(listed)
            for provider in left:
                provider.has_left = True
            if changed or listed != self.providers:
                self.providers = listed
            self._at_risk -= left
            self._usable = ({}, _NEVER)
            self.reason = self._explain(snapshot, mine)
        for provider in changed:
            self._refresh(provider)
        for provider in left:
            self._release(provider)

    def _take_over(self, known: dict[_Identity, Provider], mine: Iterable[Endpoint]) -> list[Provider]:
        """Let the providers that are *known* be as the registry says, add new ones, and return those that changed."""
        changed = []
        now, now_ms = self._clock(), self._wall() * 1000
        for endpoint in mine:
            provider = known.get(_identity(endpoint))
            if provider is None:
                known[_identity(endpoint)] = Provider(endpoint, self._changed, now_ms, now)
            elif provider.endpoint != endpoint:
                provider.take(endpoint, now_ms, now)
                changed.append(provider)
        return changed

    def _explain(self, snapshot: Snapshot, mine: list[Endpoint]) -> str:
        others = len(snapshot.endpoints) - len(mine)
        passed_over = f'; {others} of another protocol than "{self._protocol}"' if others else ""
        return f"{snapshot.reason or 'the registry'}{passed_over}"

    def candidates(self, tried: Sequence[Provider]) -> tuple[Provider, ...]:
        """List those to choose from: untried and reachable ones first, then untried, then all that take calls."""
        if not (tried or self._at_risk):
            return self.providers
        return self.candidates_among(self.providers, tried)

    def candidates_among(self, providers: tuple[Provider, ...], tried: Sequence[Provider]) -> tuple[Provider, ...]:
        """List those to choose from likewise, of *providers*, which are what rules have left."""
        reachable = self._reachable(providers) if self._at_risk else providers
        if not tried:
            return reachable
        untried = tuple(provider for provider in reachable if provider not in tried)
        if untried or not self._at_risk:
            return untried or reachable
        return tuple(one for one in _taking_calls(providers) if one not in tried) or reachable

    def _reachable(self, providers: tuple[Provider, ...]) -> tuple[Provider, ...]:
        """List those of *providers* to choose from first: one tuple, as long as none of them changes."""
        known, until = self._usable
        found = known.get(id(providers))
        if found is not None and self._clock() < until:
            return found.usable
        with self._lock:  # whatever changes meanwhile finds the new list, and takes it away again
            known, until = self._usable
            now = self._clock()
            if now >= until or len(known) >= _MOST_LISTS:
                passed_over = [one.unhealthy_until for one in self._at_risk if one.unhealthy_until > now]
                known, until = {}, min(passed_over, default=math.inf)
            made = _narrowed(providers, now)
            self._usable = ({**known, id(providers): made}, until)
        return made.usable

    def _changed(self, provider: Provider) -> None:
        with self._lock:
            if provider.is_at_risk and not provider.has_left:  # one that left must not be remembered for ever
                self._at_risk.add(provider)
            else:
                self._at_risk.discard(provider)
            self._usable = ({}, _NEVER)

    def why_none(self) -> str:
        """Say why `candidates` is empty."""
        if self.providers:
            return f"none of {len(self.providers)} takes new calls, for they are about to stop; {self.reason}"
        return f"none is known: {self.reason}"

    def __repr__(self) -> str:
        return f"<Directory of {len(self.providers)} {self._protocol} providers, {len(self._at_risk)} passed over>"


def _identity(endpoint: Endpoint) -> _Identity:
    return endpoint.host, endpoint.port, endpoint.parameters.get("timestamp", "")


def _narrowed(providers: tuple[Provider, ...], now: float) -> _Narrowed:
    taking = _taking_calls(providers)
    usable = tuple(provider for provider in taking if provider.unhealthy_until <= now) or taking
    return _Narrowed(providers, providers if len(usable) == len(providers) else usable)


def _taking_calls(providers: tuple[Provider, ...]) -> tuple[Provider, ...]:
    return tuple(provider for provider in providers if not provider.is_read_only)

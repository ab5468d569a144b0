"""The live list of a reference's providers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from callahead.registry.models import Endpoint, Snapshot

from ..call.provider import Provider
from ..runtime.deadline import Clock
from ..runtime.forking import fork_safe_lock

UNHEALTHY_S = 1.0
"""How long a provider that could not be reached is passed over, in seconds."""


class Directory:
    """Holds the providers of one reference as one tuple, replaced whole with each snapshot of the registry.

    Readers take no lock. A provider that stays from one snapshot to the next keeps its `Provider`.

    Args:
        protocol: Endpoints of other protocols are passed over.
        release: Told of each provider that left the list.
        clock: Monotonic seconds.
    """

    def __init__(self, protocol: str, release: Callable[[Provider], None], clock: Clock) -> None:
        self._protocol = protocol
        self._release = release
        self._clock = clock
        self._lock = fork_safe_lock()
        self._at_risk: frozenset[Provider] = frozenset()
        self.providers: tuple[Provider, ...] = ()
        self.reason = "the registry has not answered yet"

    def notify(self, snapshot: Snapshot) -> None:
        """Take over *snapshot*; a `callahead.registry.NotifyListener`."""
        with self._lock:
            known = {provider.endpoint: provider for provider in self.providers}
            mine = [endpoint for endpoint in snapshot.endpoints if endpoint.protocol == self._protocol]
            kept = tuple(known.get(endpoint) or Provider(endpoint, self._changed) for endpoint in mine)
            left = set(self.providers) - set(kept)
            self.providers = kept
            self._at_risk -= left
            self.reason = self._explain(snapshot, mine)
        for provider in left:
            self._release(provider)

    def _explain(self, snapshot: Snapshot, mine: list[Endpoint]) -> str:
        others = len(snapshot.endpoints) - len(mine)
        passed_over = f'; {others} of another protocol than "{self._protocol}"' if others else ""
        return f"{snapshot.reason or 'the registry'}{passed_over}"

    def candidates(self, tried: Sequence[Provider], among: tuple[Provider, ...] | None = None) -> tuple[Provider, ...]:
        """List those to choose from: untried and reachable ones first, then untried, then all that take calls.

        Args:
            tried: By the same call.
            among: What rules have left of `providers`; None for all.
        """
        providers = self.providers if among is None else among
        if not self._at_risk:
            if not tried:
                return providers
        else:
            providers = tuple(provider for provider in providers if not provider.is_read_only)
        untried = tuple(provider for provider in providers if provider not in tried) or providers
        now = self._clock()
        return tuple(provider for provider in untried if provider.unhealthy_until <= now) or untried

    def mark(self, provider: Provider, *, healthy: bool) -> None:
        """Note that *provider* could be reached, or could not."""
        if not healthy:
            provider.pass_over(self._clock() + UNHEALTHY_S)
        elif provider.unhealthy_until:
            provider.pass_over(0.0)

    def _changed(self, provider: Provider) -> None:
        with self._lock:
            one = frozenset([provider])
            # One that has left the list meanwhile must not be remembered for ever.
            remembered = provider.is_at_risk and provider in self.providers
            self._at_risk = self._at_risk | one if remembered else self._at_risk - one

    def why_none(self) -> str:
        """Say why `candidates` is empty."""
        if self.providers:
            return f"none of {len(self.providers)} takes new calls, for they are about to stop; {self.reason}"
        return f"none is known: {self.reason}"

    def __repr__(self) -> str:
        return f"<Directory of {len(self.providers)} {self._protocol} providers, {len(self._at_risk)} passed over>"

"""Settings that belong together: when a call is attempted again, and at which providers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Pauses between the attempts of one call: by chance up to the base, doubled with each, never above the most.

    Attributes:
        base_ms: Longest pause before the first repetition, >= 0; 0 for no pauses.
        max_ms: Longest pause before any, >= 0.
    """

    base_ms: int = 10
    max_ms: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """Further attempts beside one that takes long.

    Attributes:
        after_ms: Milliseconds without an answer, > 0, or ``p50`` to ``p99``: as long as that share of the method's
            attempts takes.
        most: YAML ``max``: further attempts of one call at most, 0 for none.
    """

    after_ms: int | str = "p95"
    most: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlier:
    """When a provider that fails is passed over for a while. Source: Envoy's outlier detection.

    Attributes:
        enabled: False passes over none but those that cannot be connected to.
        consecutive: Failures in a row that are enough, > 0.
        failure_percent: Share of failures within *interval_ms* that is enough, 1..100; after *min_calls* attempts.
        min_calls: See there, > 0.
        interval_ms: Time over which the share is taken, > 0; as long without a failure clears a provider's name.
        base_ejection_ms: How long it is passed over the first time; the second time in a row twice as long, and so on.
        max_ejection_ms: How long at most.
        max_ejection_percent: Share of the providers that may be passed over at a time, 0..100: one at least, all never.
    """

    enabled: bool = True
    consecutive: int = 5
    failure_percent: int = 50
    min_calls: int = 20
    interval_ms: int = 10_000
    base_ejection_ms: int = 30_000
    max_ejection_ms: int = 300_000
    max_ejection_percent: int = 10

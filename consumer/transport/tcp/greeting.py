"""Connections that are brought about before a call needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from callahead.config.policy import ReferencePolicy

from ...call.attempt import Attempt
from ...call.invocation import Done, Outcome
from ..api import Providers
from ..gathered import all_of
from ..trouble import Trouble
from .pool import Pool, PooledT, SettingsT


class NothingAsked:
    """What a call asks for that comes before all others: nothing; a `CalledMethod`.

    Args:
        policy: Of the reference.
    """

    def __init__(self, policy: ReferencePolicy) -> None:
        self._policy = policy

    def decode(self, *answer: Any) -> Outcome:
        """See `CalledMethod.decode`; whatever came is no answer that anybody waits for."""
        del answer
        return Outcome(None)

    def worded(self, trouble: Trouble) -> str:
        """Word *trouble* with the places of the reference's settings."""
        return trouble.of(self._policy)


def greet(
    pool: Pool[SettingsT, PooledT],
    policy: ReferencePolicy,
    providers: Providers,
    attempt: Attempt,
    begin: Callable[[PooledT, Done], None],
    done: Done,
) -> None:
    """Let *begin* bring about each connection of a reference to the provider of *attempt*; *done* hears of all."""
    provider = attempt.provider
    connections = pool.connections(provider, policy)
    if provider not in providers():  # it left meanwhile, and nobody will release it any more
        pool.release(provider)
    end = all_of(len(connections), done)
    for connection in connections:
        begin(connection, end)

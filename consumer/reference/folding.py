"""From the policy of a method to the chain that its calls run through."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from callahead.config.extension import LOADBALANCE, load
from callahead.config.policy import BatchPolicy, MethodPolicy, ReferencePolicy

from ..call.attempt import AttemptStage
from ..call.invocation import Stage
from ..cluster.api import ClusterParts, Lasting
from ..cluster.budget import RetryBudget
from ..cluster.choice import make_cluster
from ..cluster.directory import Directory
from ..cluster.health import Health
from ..cluster.retry import check_listed
from ..interceptor.chain import fold
from ..interceptor.empty import Describe, empty_answer
from ..interceptor.later import aside, here
from ..interceptor.order import attempt_chain, call_chain, load_interceptors, scope_of
from ..limit import Gate, limited, limits_of
from ..loadbalance.api import AttemptWatcher, LoadBalance, LoadBalanceParts
from ..loadbalance.sticky import Sticky
from ..loadbalance.weights import Weights
from ..router.routing import Routing
from ..runtime.callbacks import CallbackExecutor
from .caller import Chain
from .ending import Runtime
from .stages import Transported, after_room, apart, encoded

if TYPE_CHECKING:
    from ..interceptor.mock import CallOther
    from .batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """What the chains of one reference stand on.

    Attributes:
        policy: Of the reference.
        runtime: Shared by all callers.
        random: The one source of chance.
        directory: The providers, at any moment.
        health: Judges them.
        routing: Says which of them a call may go to.
        describe: Gives what is known of a method's types.
        call_other: Calls another method of the reference in the place of one.
        calls: Returns how many calls of the reference were begun so far.
    """

    policy: ReferencePolicy
    runtime: Runtime
    random: Random
    directory: Directory
    health: Health
    routing: Routing
    describe: Describe
    call_other: CallOther
    calls: Callable[[], int]


class Folding:
    """Makes the chains of one reference, which share its limits, its retry budget and its batches.

    Attributes:
        batches: Requests of its methods that wait for each other; those of its views are added.
    """

    def __init__(self, on: Footing) -> None:
        self._on = on
        self._budget = RetryBudget(on.calls, on.runtime.clock)
        self._limits = limits_of(on.policy)
        self._gates = [Gate(limit, on.runtime.timer) for limit in self._limits]
        self._of_all = on.runtime.gates
        self._lasting: weakref.WeakSet[Lasting] = weakref.WeakSet()
        self._configured: dict[tuple[str, BatchPolicy], Batch] = {}  # what is set once, for several methods, is one
        self.batches: weakref.WeakSet[Batch] = weakref.WeakSet()

    def under(self, policy: ReferencePolicy) -> Folding:
        """Make the chains of another configuration of the reference; a limit that stays goes on counting."""
        other = copy(self)  # shares all that calls have in common
        other._on, other._of_all = replace(self._on, policy=policy), self._on.runtime.gates
        if (limits := limits_of(policy)) != self._limits:
            other._limits, other._gates = limits, [Gate(limit, self._on.runtime.timer) for limit in limits]
        return other

    def has_limits_of(self, other: Folding) -> bool:
        """Tell whether calls through the chains of both are counted together."""
        return self._gates is other._gates and self._of_all == other._of_all

    def fold(self, policy: MethodPolicy, name: str) -> Chain:
        """Make the chain of *policy* for the method that the provider calls *name*.

        Raises:
            ConfigError: An interceptor, or what else the policy names, cannot be made.
        """
        return self.fold_with(policy, self.balance(policy, name))

    def balance(self, policy: MethodPolicy, name: str) -> LoadBalance:
        """Make what chooses the providers of the method that they call *name*, "" for any."""
        clock = self._on.runtime.clock
        parts = LoadBalanceParts(policy=policy, random=self._on.random, clock=clock, weights=Weights(name, clock))
        balance: LoadBalance = load(LOADBALANCE, policy.loadbalance)(parts)
        return balance

    def fold_with(self, policy: MethodPolicy, loadbalance: LoadBalance) -> Chain:
        """Make the chain of *policy*, whose attempts ask those that *loadbalance* chooses."""
        runtime = self._on.runtime
        check_listed(policy)
        users = load_interceptors(policy)
        # Here and below a bound method: it is called in less than half the time of an object.
        bottom = Transported(self._on.health, watcher_in(loadbalance), runtime.clock).__call__
        attempt = fold(attempt_chain(users), bottom, runtime.callbacks)
        chooser = Sticky(loadbalance) if policy.sticky else loadbalance
        callbacks = runtime.callbacks if any(scope_of(one) == "attempt" for one in users) else None
        cluster = make_cluster(policy, self._parts(policy, chooser, attempt, callbacks))
        if isinstance(cluster, Lasting):
            self._lasting.add(cluster)
        gates = [*(Gate(limit, runtime.timer) for limit in limits_of(policy)), *self._gates, *self._of_all]
        later = here if callbacks is None else aside(callbacks)
        passed = limited(gates, cluster.__call__, runtime.callbacks, later)
        if policy.cache != "none":
            from ..interceptor.cache import Cache  # which few methods need

            passed = Cache(policy, runtime.timer).stage(passed, later)
        chain = call_chain(policy, users, self._on.describe, self._on.call_other)
        bottom_of_calls = encoded(passed, runtime.clock)
        if policy.batch is not None:
            bottom_of_calls = self._batched(bottom_of_calls, policy.batch, policy)
        stage = fold(chain, bottom_of_calls, runtime.callbacks)
        if chain or users:  # which may make calls on the caller's thread
            stage = apart(stage)
        overflow = runtime.callbacks.overflow
        return Chain(policy, after_room(overflow, stage, runtime.clock) if overflow.blocks else stage, cluster)

    def _batched(self, following: Stage, settings: BatchPolicy, policy: MethodPolicy) -> Stage:
        from .batch import Batch, batching  # which few methods need

        made = Batch(settings.max_bytes, settings.max_count, settings.max_delay_ms / 1000)
        batch = self._configured.setdefault((policy.origin("batch"), settings), made)
        self._on.runtime.batches.add(batch)
        self.batches.add(batch)
        return batching(following, batch, self._on.runtime.timer)

    def _parts(
        self, policy: MethodPolicy, loadbalance: LoadBalance, attempt: AttemptStage, callbacks: CallbackExecutor | None
    ) -> ClusterParts:
        on = self._on
        return ClusterParts(
            directory=on.directory,
            health=on.health,
            routing=on.routing,
            loadbalance=loadbalance,
            attempt=attempt,
            budget=self._budget,
            clock=on.runtime.clock,
            random=on.random,
            timer=on.runtime.timer,
            empty=partial(empty_answer, on.describe, policy.method),
            afterwards=on.runtime,
            callbacks=callbacks,
        )

    def lasting(self) -> Iterator[Lasting]:
        """Give the clusters that do something after the end of calls."""
        yield from list(self._lasting)


def watcher_in(balance: LoadBalance) -> AttemptWatcher | None:
    """Give *balance* where it hears of attempts, else None."""
    return balance if isinstance(balance, AttemptWatcher) else None

"""From a reference's policy to its callers: everything that is made once per reference or once per method."""

from __future__ import annotations

import contextvars
import logging
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random

from callahead.config.extension import LOADBALANCE, load
from callahead.config.policy import MethodPolicy, ReferencePolicy
from callahead.config.provided import amend
from callahead.registry.api import Registry, Subscription
from callahead.registry.models import ServiceKey, Snapshot

from ..call.attempt import AttemptStage
from ..call.future import InvocationFuture
from ..call.invocation import Invocation
from ..call.provider import Provider
from ..cluster.api import ClusterParts, Counting, Lasting
from ..cluster.budget import RetryBudget
from ..cluster.choice import check_stream, make_cluster, refuses_streams
from ..cluster.directory import Directory
from ..cluster.retry import check_listed
from ..errors import ConfigError, LocalProtocolError, NoProviderAvailable, RpcError
from ..interceptor.chain import fold
from ..interceptor.empty import empty_answer
from ..interceptor.later import aside, here
from ..interceptor.metrics import CallMetrics, MethodCounts
from ..interceptor.order import attempt_chain, call_chain, load_interceptors, scope_of
from ..interface.description import MethodDescription
from ..interface.spelling import Spellings
from ..limit import Gate, limited, limits_of
from ..loadbalance.api import AttemptWatcher, LoadBalance, LoadBalanceParts
from ..loadbalance.sticky import Sticky
from ..loadbalance.weights import Weights
from ..runtime.callbacks import CallbackExecutor
from ..runtime.forking import fork_safe_lock
from ..transport.api import MethodTransport, ReferenceTransport, Transport
from ..transport.shortage import preparing
from .caller import Caller, Chain, MethodBinding
from .ending import Runtime
from .provided import Provided
from .reference import Method, Reference
from .stages import Transported, encoded, streamed
from .stream import StreamMethod, of_stream

_LOG = logging.getLogger("callahead.consumer.call")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a pipeline takes from its consumer.

    Attributes:
        runtime: Shared by all callers.
        random: The one source of chance.
        transport: Of the reference's protocol.
        registry: Where the reference's providers are.
    """

    runtime: Runtime
    random: Random
    transport: Transport
    registry: Registry


class Pipeline:
    """All that stands behind one reference.

    Raises:
        ConfigError: The transport cannot honour *policy*.
        RegistryError: The registry cannot be read.
    """

    def __init__(self, policy: ReferencePolicy, around: Surroundings) -> None:
        self.policy = policy
        self._around = around
        self.runtime = around.runtime
        self._lock = fork_safe_lock()
        self._policies = Spellings(policy.methods)
        self._methods: dict[str, Method | StreamMethod] = {}
        self._bindings: dict[str, MethodBinding] = {}
        self._obeyed: dict[str, MethodPolicy] = {}
        self._reference: Reference | None = None
        runtime = around.runtime
        transport = around.transport
        self.directory = Directory(policy.protocol, transport.release, runtime.clock, transport.refresh)
        self.transport: ReferenceTransport = transport.open(policy, lambda: self.directory.providers)
        self._stream_balance = self._balance(policy.default, "")
        self.stream_watcher = _watcher(self._stream_balance)
        self._streamed = streamed(self.choose, self.directory, self.stream_watcher, runtime.clock)
        self._lasting: weakref.WeakSet[Lasting] = weakref.WeakSet()
        self._budget = RetryBudget(self._calls, runtime.clock)
        self._gates = [Gate(limit, runtime.timer) for limit in limits_of(policy)]
        key = ServiceKey(policy.interface, policy.group, policy.version)
        self._provided = Provided()
        self._told: dict[str, list[str]] = {}
        self._subscription: Subscription = around.registry.subscribe(key, self._notify)

    def _notify(self, snapshot: Snapshot) -> None:
        """Take over the list of providers, and what they say of calls."""
        self.directory.notify(snapshot)
        provided = Provided.by(self.directory.providers)
        if provided.votes and provided != self._provided:  # where all have left, what they said stays
            self._provided = provided
            self.renew()

    def renew(self) -> None:
        """Let each method that was looked up obey what holds for it now; a call that runs goes on as it began."""
        for binding in list(self._bindings.values()):
            self._renew(binding)

    def _renew(self, binding: MethodBinding) -> None:
        policy = self._effective(binding.name)
        if binding.chain.stage is not self._streamed and policy != self._obeyed[binding.name]:
            self._obeyed[binding.name] = policy
            binding.chain = self._fold(policy, binding.name)

    def _effective(self, method: str) -> MethodPolicy:
        """Return what the method that the provider calls *method* obeys: the configuration, below it the providers."""
        policy, problems = amend(self.policy_of(method), self._provided.of(method))
        if problems and self._told.get(method) != problems:
            text = "%s.%s: what the providers say cannot be obeyed, and is passed over: %s"
            _LOG.warning(text, self.policy.id, method, "; ".join(problems))
        self._told[method] = problems
        return policy

    def _calls(self) -> int:
        return sum(binding.metrics.calls for binding in list(self._bindings.values()))

    def check(self) -> None:
        """Make sure that a provider is known, where ``check`` says so.

        Raises:
            NoProviderAvailable: None is known.
        """
        if self.policy.check and not self.directory.providers:
            hint = f"; start without one by check: false (check is true, {self.policy.origin('check')})"
            raise self._no_provider("(check)", hint)

    def _no_provider(self, method: str, hint: str) -> NoProviderAvailable:
        error = NoProviderAvailable(f"no provider: {self.directory.why_none()}{hint}", not_sent=True)
        error.reference, error.method = self.policy.id, method
        return error

    def policy_of(self, method: str) -> MethodPolicy:
        """Return the policy of a method, whichever way the YAML spells it."""
        named = self._policies.find(method)
        return named if named is not None else replace(self.policy.default, method=method)

    def method(self, name: str) -> Method | StreamMethod:
        """Return the method that users call *name*, in any of its spellings.

        Raises:
            LookupError: The interface has no such method.
            ConfigError: An interceptor, or what else the method's policy names, cannot be made.
            TransportError: The system has no descriptor or no memory left to prepare it; the next one tries again.
        """
        with self._lock, preparing():
            method = self._methods.get(name)
            if method is None:
                carrier = self.transport.method(name, self.policy_of(name))
                method = self._methods.get(carrier.name)
                if method is None:
                    method = self._methods[carrier.name] = self._made(carrier)
                self._methods[name] = method
            return method

    def reference(self, name: str) -> Reference:
        """Make what stands for the service in the program, which calls it *name*."""
        self._check_streams()
        made = Reference(name, self.policy.interface, self.method, self.transport.methods, self.transport.attribute)
        self._reference = made
        return made

    def client(self) -> Reference | None:
        """Return what stands for the service in the program, as handlers are given it; None before it is made."""
        return self._reference

    def _made(self, carrier: MethodTransport) -> Method | StreamMethod:
        binding = self._bind(carrier.name, is_streaming=carrier.is_streaming or carrier.is_upload)
        if carrier.is_streaming:
            return StreamMethod(binding, carrier, self.choose, self._describe, self.stream_watcher)
        return Method(Caller(binding, carrier), self._describe, self.client)

    def _describe(self, name: str) -> Sequence[MethodDescription]:
        try:
            return self.transport.describe().find(name)
        except (ConfigError, RpcError):  # whoever looks at a method is not told that a provider is away
            return ()

    def bind(self, name: str, *, is_streaming: bool = False) -> MethodBinding:
        """Return what all share who call the method that the provider calls *name*; its chain is folded once.

        Raises:
            ConfigError: An interceptor, or what else the method's policy names, cannot be made.
            TransportError: The system has no descriptor or no memory left to prepare it; the next one tries again.
        """
        with self._lock, preparing():
            return self._bind(name, is_streaming=is_streaming)

    def _check_streams(self) -> None:
        """Find the methods that stream, where a cluster refuses them, before one of them is called."""
        for name in self.transport.methods() if refuses_streams(self.policy) else ():
            carrier = self.transport.method(name, self.policy_of(name))
            if carrier.is_streaming or carrier.is_upload:
                check_stream(self.policy_of(name), name)

    def _bind(self, name: str, *, is_streaming: bool) -> MethodBinding:
        binding = self._bindings.get(name)
        if binding is None:
            seen = self._provided
            policy = self._obeyed[name] = self.policy_of(name) if is_streaming else self._effective(name)
            if is_streaming:
                check_stream(policy, name)
            chain = Chain(of_stream(policy), self._streamed) if is_streaming else self._fold(policy, name)
            binding = self._bindings[name] = MethodBinding(self.runtime, name, CallMetrics(), chain)
            if self._provided is not seen:  # who said something else meanwhile did not see the new binding
                self._renew(binding)
        return binding

    def swap(self, name: str, policy: MethodPolicy) -> None:
        """Let the calls that begin from now on obey *policy*, however they reach the method called *name*.

        Calls that run go on as they began. What the old chain counted, such as ``actives``, ends with it.

        Raises:
            ConfigError: As `bind` does; nothing has changed then.
        """
        binding = self.bind(name)
        is_streaming = binding.chain.stage is self._streamed
        binding.chain = Chain(of_stream(policy), self._streamed) if is_streaming else self._fold(policy, binding.name)

    def choose(self, invocation: Invocation) -> Provider:
        """Choose the provider of a streaming call.

        Raises:
            NoProviderAvailable: None is known.
        """
        providers = self._candidates(invocation.method)
        return providers[0] if len(providers) == 1 else self._stream_balance.select(providers, invocation)

    def any_provider(self, purpose: str) -> Provider:
        """Return a provider for something that is no call, which the error names as *purpose*.

        Raises:
            NoProviderAvailable: None is known.
        """
        return self._candidates(purpose)[0]

    def _candidates(self, purpose: str) -> tuple[Provider, ...]:
        providers = self.directory.candidates(())
        if not providers:
            raise self._no_provider(purpose, "")
        return providers

    def _fold(self, policy: MethodPolicy, name: str) -> Chain:
        return self._fold_with(policy, self._balance(policy, name))

    def _balance(self, policy: MethodPolicy, name: str) -> LoadBalance:
        """Make what chooses the providers of the method that they call *name*, "" for any."""
        clock = self.runtime.clock
        parts = LoadBalanceParts(policy=policy, random=self._around.random, clock=clock, weights=Weights(name, clock))
        balance: LoadBalance = load(LOADBALANCE, policy.loadbalance)(parts)
        return balance

    def _fold_with(self, policy: MethodPolicy, loadbalance: LoadBalance) -> Chain:
        runtime = self.runtime
        check_listed(policy)
        users = load_interceptors(policy)
        # Here and below a bound method: it is called in less than half the time of an object.
        bottom = Transported(self.directory, _watcher(loadbalance), runtime.clock).__call__
        attempt = fold(attempt_chain(users), bottom, runtime.callbacks)
        chooser = Sticky(loadbalance) if policy.sticky else loadbalance
        callbacks = runtime.callbacks if any(scope_of(one) == "attempt" for one in users) else None
        cluster = make_cluster(policy, self._parts(policy, chooser, attempt, callbacks))
        if isinstance(cluster, Lasting):
            self._lasting.add(cluster)
        gates = [*(Gate(limit, runtime.timer) for limit in limits_of(policy)), *self._gates, *runtime.gates]
        later = here if callbacks is None else aside(callbacks)
        passed = limited(gates, cluster.__call__, runtime.callbacks, later)
        if policy.cache != "none":
            from ..interceptor.cache import Cache  # which few methods need

            passed = Cache(policy, runtime.timer).stage(passed, later)
        chain = call_chain(policy, users, self._describe, self._call_other)
        return Chain(policy, fold(chain, encoded(passed, runtime.clock), runtime.callbacks), cluster)

    def _call_other(self, name: str, invocation: Invocation) -> InvocationFuture:
        """Call another method in the place of one of ours; the context still tells of ours."""
        method = self.method(name)
        if isinstance(method, StreamMethod):
            text = f"{self.policy.id}.{name} streams, and cannot answer for {invocation.method}"
            raise LocalProtocolError(text, not_sent=True)
        context = contextvars.copy_context()
        return context.run(method.future, *invocation.args, **invocation.kwargs)

    def _parts(
        self, policy: MethodPolicy, loadbalance: LoadBalance, attempt: AttemptStage, callbacks: CallbackExecutor | None
    ) -> ClusterParts:
        runtime = self.runtime
        return ClusterParts(
            directory=self.directory,
            loadbalance=loadbalance,
            attempt=attempt,
            budget=self._budget,
            clock=runtime.clock,
            random=self._around.random,
            timer=runtime.timer,
            empty=partial(empty_answer, self._describe, policy.method),
            afterwards=runtime,
            callbacks=callbacks,
        )

    def counts(self) -> Mapping[str, MethodCounts]:
        """Return what was counted, by method; streams are not."""
        bindings = [one for one in list(self._bindings.values()) if one.chain.stage is not self._streamed]
        return {binding.name: replace(binding.metrics.counts(), cluster=_counts_of(binding)) for binding in bindings}

    def hurry(self) -> None:
        """Let clusters do now what they were to do later: the consumer is about to close, and waits."""
        for cluster in list(self._lasting):
            cluster.hurry()

    def close(self) -> None:
        """Hear no more of the registry, and give up what clusters have left."""
        self._subscription.close()
        for cluster in list(self._lasting):
            cluster.close()

    def __repr__(self) -> str:
        return f"<Pipeline of {self.policy.id}: {self.directory!r}>"


def _watcher(balance: LoadBalance) -> AttemptWatcher | None:
    return balance if isinstance(balance, AttemptWatcher) else None


def _counts_of(binding: MethodBinding) -> Mapping[str, int]:
    cluster = binding.chain.cluster
    return cluster.counts() if isinstance(cluster, Counting) else {}

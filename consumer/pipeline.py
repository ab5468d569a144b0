"""From a reference's policy to its callers: everything that is made once per reference or once per method."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from callahead.config.extension import CLUSTER, LOADBALANCE, load
from callahead.config.policy import MethodPolicy, ReferencePolicy
from callahead.registry.api import Registry, Subscription
from callahead.registry.models import ServiceKey

from .caller import Caller, Runtime
from .cluster.api import Cluster, ClusterParts
from .cluster.budget import RetryBudget
from .cluster.directory import Directory
from .cluster.health import judge
from .deadline import Clock
from .errors import CallTimeout, LocalProtocolError, NoProviderAvailable, RpcError
from .forking import fork_safe_lock
from .future import InvocationFuture
from .interceptor.chain import fold, is_harmless
from .interceptor.notify import wants_notice
from .interceptor.order import attempt_chain, call_chain, load_interceptors, scope_of
from .interceptor.watch import CallMetrics, MethodCounts
from .interface.spelling import Spellings
from .invocation import Done, Invocation, Outcome, Stage, blame
from .loadbalance.api import LoadBalance
from .provider import Provider
from .reference import Method
from .stream import StreamMethod
from .transport.api import MethodTransport, ReferenceTransport, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a pipeline takes from its consumer.

    Attributes:
        runtime: Shared by all callers.
        random: The one source of chance.
        application: This program's name.
        transport: Of the reference's protocol.
        registry: Where the reference's providers are.
    """

    runtime: Runtime
    random: Random
    application: str
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
        self._metrics: dict[str, CallMetrics] = {}
        runtime = around.runtime
        self.directory = Directory(policy.protocol, around.transport.release, runtime.clock)
        self.transport: ReferenceTransport = around.transport.open(
            policy, around.application, lambda: self.directory.providers
        )
        self._stream_balance: LoadBalance = load(LOADBALANCE, policy.default.loadbalance)(around.random)
        self._budget = RetryBudget(self._calls, runtime.clock)
        key = ServiceKey(policy.interface, policy.group, policy.version)
        self._subscription: Subscription = around.registry.subscribe(key, self.directory.notify)

    def _calls(self) -> int:
        return sum(metrics.calls for metrics in list(self._metrics.values()))

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
        return named if named is not None else dataclasses.replace(self.policy.default, method=method)

    def bind(self, name: str) -> Method | StreamMethod:
        """Return the method that users call *name*, in any of its spellings; its chain is folded once.

        Raises:
            LookupError: The interface has no such method.
            ConfigError: An interceptor, or what else the method's policy names, cannot be made.
        """
        with self._lock:
            method = self._methods.get(name)
            if method is None:
                carried = self.transport.method(name, self.policy_of(name))
                method = self._methods.get(carried.name)
                if method is None:
                    method = self._methods[carried.name] = self._bind(carried)
                self._methods[name] = method
            return method

    def _bind(self, carried: MethodTransport) -> Method | StreamMethod:
        policy = self.policy_of(carried.name)
        if carried.is_streaming:
            return StreamMethod(carried, policy, self._around.runtime, self.choose)
        return Method(self.prepare(carried, policy), policy)

    def choose(self, invocation: Invocation) -> Provider:
        """Choose the provider of a streaming call.

        Raises:
            NoProviderAvailable: None is known.
        """
        providers = self.directory.candidates(())
        if not providers:
            raise self._no_provider(invocation.method, "")
        return providers[0] if len(providers) == 1 else self._stream_balance.select(providers, invocation)

    def prepare(
        self,
        carried: MethodTransport,
        policy: MethodPolicy,
        future_class: type[InvocationFuture] = InvocationFuture,
    ) -> Caller:
        """Fold the chain of one method and put a caller at its head."""
        runtime = self._around.runtime
        users = load_interceptors(policy)
        metrics = self._metrics.setdefault(carried.name, CallMetrics())
        attempt = fold(attempt_chain(users), _transported(carried, self.directory, runtime), runtime.callbacks)
        cluster = self._cluster(policy, attempt, any(scope_of(one) == "attempt" for one in users))
        chain = fold(call_chain(policy, users), _encoded(carried, cluster, runtime), runtime.callbacks)
        guarded = wants_notice(policy) or not all(scope_of(one) == "call" and is_harmless(one) for one in users)
        return Caller(runtime, carried.name, chain, metrics, guarded=guarded, future_class=future_class)

    def _cluster(self, policy: MethodPolicy, attempt: Stage, users_in_attempt: bool) -> Stage:
        runtime = self._around.runtime
        parts = ClusterParts(
            directory=self.directory,
            loadbalance=load(LOADBALANCE, policy.loadbalance)(self._around.random),
            attempt=attempt,
            budget=self._budget,
            clock=runtime.clock,
            callbacks=runtime.callbacks if users_in_attempt else None,
        )
        cluster: Cluster = load(CLUSTER, policy.cluster)(parts)
        return cluster

    def counts(self) -> Mapping[str, MethodCounts]:
        """Return what was counted, by method."""
        return {name: metrics.counts() for name, metrics in list(self._metrics.items())}

    def close(self) -> None:
        """Hear no more of the registry."""
        self._subscription.close()

    def __repr__(self) -> str:
        return f"<Pipeline of {self.policy.id}: {self.directory!r}>"


def _encoded(carried: MethodTransport, following: Stage, runtime: Runtime) -> Stage:
    """Encode once per call, however many attempts follow."""
    encode, clock = carried.encode, runtime.clock

    def stage(invocation: Invocation, done: Done) -> None:
        try:
            invocation.request = encode(invocation.args, invocation.kwargs)
        except Exception as error:  # a codec may raise anything over a user's arguments
            ours = _ours(error, carried, "the arguments cannot be encoded")
            blame(ours, invocation.record, clock)
            done(Outcome(error=ours))
            return
        following(invocation, done)

    return stage


def _ours(error: Exception, carried: MethodTransport, text: str) -> RpcError:
    """Return *error* itself, or where it is foreign the one of ours that it is the cause of."""
    if isinstance(error, RpcError):
        return error
    ours = LocalProtocolError(f"{text}: {type(carried).__name__} raised {error!r}", not_sent=True)
    ours.__cause__ = error
    return ours


def _transported(carried: MethodTransport, directory: Directory, runtime: Runtime) -> Stage:
    """The slots ``health`` and ``timeout``, and the transport: bound one attempt, and judge by its end."""
    send, clock = carried.send, runtime.clock

    def stage(invocation: Invocation, done: Done) -> None:
        timeout = invocation.policy.timeout_ms / 1000
        left = invocation.deadline.at - clock()
        if left < timeout:
            timeout = left
        finish = _EndOfAttempt(invocation, directory, clock, done)
        if timeout <= 0:
            total = invocation.policy.total_timeout_ms
            text = f"the total timeout of {total} ms had passed before the attempt began"
            finish(Outcome(error=CallTimeout(text, not_sent=True)))
            return
        try:
            send(invocation.provider, invocation, timeout, finish)
        except Exception as error:  # a transport that breaks its word
            if not finish.ended:
                finish(Outcome(error=_ours(error, carried, "the attempt could not be made")))
        except BaseException as error:  # Ctrl-C: the attempt must not go on without its caller
            invocation.record.cancel()
            if not finish.ended:
                finish(Outcome(error=error))
            raise

    return stage


class _EndOfAttempt:
    """The end of one attempt; one object, where a closure would be seven for the garbage collector."""

    __slots__ = ("_clock", "_directory", "_done", "_invocation", "ended")

    def __init__(self, invocation: Invocation, directory: Directory, clock: Clock, done: Done) -> None:
        self._invocation = invocation
        self._directory = directory
        self._clock = clock
        self._done = done
        self.ended = False

    def __call__(self, outcome: Outcome) -> None:
        self.ended = True
        error, provider = outcome.error, self._invocation.provider
        if error is not None:
            blame(error, self._invocation.record, self._clock)
        if error is not None or provider.unhealthy_until:
            judge(self._directory, provider, error)
        self._done(outcome)

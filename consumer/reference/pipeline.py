"""From a reference's policy to its callers: everything that is made once per reference or once per method."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from callahead.config.change import read_once
from callahead.config.policy import MethodPolicy, ReferencePolicy
from callahead.registry.api import Registry, Subscription
from callahead.registry.forking import fork_safe_lock
from callahead.registry.models import ServiceKey, Snapshot

from ..call.current import keep_last_call
from ..call.future import InvocationFuture
from ..call.invocation import CallRecord, Invocation
from ..call.provider import Provider
from ..cluster.attempt import candidates_for, why_none
from ..cluster.choice import check_stream, refuses_streams
from ..cluster.directory import Directory
from ..cluster.health import Health
from ..errors import ConfigError, LocalProtocolError, NoProviderAvailable, RpcError
from ..interceptor.metrics import CallMetrics, MethodCounts
from ..interface.description import MethodDescription
from ..interface.named import Named, method_problems
from ..router.ruling import Ruling
from ..router.telling import RuleLog
from ..runtime.weakly import weakly
from ..transport.api import MethodTransport, ReferenceTransport, Transport
from ..transport.shortage import preparing
from .caller import Caller, Chain, MethodBinding
from .chains import Chains
from .ending import Runtime
from .folding import Folding, Footing, watcher_in
from .in_force import PoliciesInForce
from .reference import Method, Reference
from .stages import streamed
from .stream import StreamMethod

if TYPE_CHECKING:
    from .seen import SeenProviders

_LOG = logging.getLogger("callahead.consumer.call")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a pipeline takes from its consumer.

    Attributes:
        runtime: Shared by all callers.
        random: The one source of chance.
        transport: Of the reference's protocol.
        registry: Where the reference's providers are.
        application: Name of the program, "" for none.
        rule_log: Tells what becomes of the rules of registries.
    """

    runtime: Runtime
    random: Random
    transport: Transport
    registry: Registry
    rule_log: RuleLog
    application: str = ""


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
        self._methods: dict[str, Method | StreamMethod] = {}
        self._bindings: dict[str, MethodBinding] = {}
        self._obeyed: dict[str, tuple[Chains, MethodPolicy]] = {}
        self._reference: Reference | None = None
        self._is_connected = False
        runtime = around.runtime
        key = ServiceKey(policy.interface, policy.group, policy.version)
        self._hearing = fork_safe_lock()  # held while rules or providers are taken over, one after the other
        self._heard: Snapshot | None = None
        self._changes = 0
        self._ruling = Ruling(policy, key, around.application, around.random, weakly(self._obey), around.rule_log)
        transport = around.transport
        self.directory = directory = Directory(policy.protocol, transport.release, runtime.clock, transport.refresh)
        self.health = Health(self.directory, policy.outlier, runtime.clock)
        # Not by this pipeline: the future of a call that has ended leads here, and is to keep no consumer open.
        self.transport: ReferenceTransport = transport.open(policy, lambda: directory.providers)
        folding = Folding(self._footing())
        self._stream_balance = folding.balance(policy.default, "")
        self.stream_watcher = watcher_in(self._stream_balance)
        last = streamed(self.choose, self.health, self.stream_watcher, runtime.clock)
        self._chains = Chains(PoliciesInForce(policy, self._ruling), folding, last)
        # Weakly: a registry lasts, by a thread or since the program has it, and a consumer that nobody holds shall not.
        self._subscription: Subscription = around.registry.subscribe(key, weakly(self._notify))
        try:
            self._ruling.watch(around.registry)
        except BaseException:
            self.close()
            raise

    def _footing(self) -> Footing:
        return Footing(
            policy=self.policy,
            runtime=self.runtime,
            random=self._around.random,
            directory=self.directory,
            health=self.health,
            routing=self._ruling.routing,
            describe=self._describe,
            call_other=self._call_other,
            calls=self._calls,
        )

    def _notify(self, snapshot: Snapshot, /) -> None:
        """Take over the list of providers, and what they say of calls."""
        with self._hearing:
            self._heard = snapshot
            self._show(snapshot)
            is_news = self._ruling.takes(snapshot.endpoints)
        if is_news:
            what = f"rules of {self.policy.id}"
            self.runtime.callbacks.submit(contextvars.Context(), what, self._ruling.follow)

    def _show(self, snapshot: Snapshot) -> None:
        """Let the directory know *snapshot*; no call may see a provider with a tag before the routing knows of it."""
        seen, routing = self._ruling.seen(snapshot), self._ruling.routing
        routing.expect(seen.endpoints, only=False)
        self.directory.notify(seen)
        routing.expect(seen.endpoints, only=True)
        if self._chains.policies.hear(self.directory.providers):
            self.renew()

    def _obey(self) -> None:
        """Take over what the rules of the registry say now; heard of on its queue."""
        with self._hearing:
            self._ruling.renew()
            if self._heard is not None:
                self._show(self._heard)
            self.renew()

    def renew(self) -> None:
        """Let each method that was looked up obey what holds for it now; a call that runs goes on as it began."""
        self._changes += 1
        for binding in list(self._bindings.values()):
            self._renew(binding)

    def _renew(self, binding: MethodBinding) -> None:
        chains, (made_by, before) = self._chains, self._obeyed[binding.name]
        is_streaming = chains.is_streaming(binding.chain)
        policy = chains.policies.of(binding.name, is_streaming=is_streaming)
        if made_by is not chains or policy != before or policy.origins != before.origins:
            self._obey_chain(binding, chains, policy, chains.of(policy, binding.name, is_streaming=is_streaming))

    def _obey_chain(self, binding: MethodBinding, chains: Chains, policy: MethodPolicy, made: Chain) -> None:
        binding.chain, self._obeyed[binding.name] = made, (chains, policy)

    def adopt(self, policy: ReferencePolicy) -> Callable[[], None]:
        """Make what calls need that are to obey *policy*, another configuration of this reference.

        Returns:
            What lets those obey it that begin from then on, to be called once. Calls that run go on as they began. Of a
            method for which something has changed the cache is empty, and what its own limits count begins anew.

        Raises:
            ConfigError: It cannot be obeyed by this reference; nothing has changed.
        """
        chains = self._chains.under(policy)
        bindings = list(self._bindings.values())
        self._check_adopted(policy, has_streams=any(chains.is_streaming(one.chain) for one in bindings))
        ready = [(one, self._adopted(one, chains)) for one in bindings]

        def obey() -> None:
            with self._hearing:
                chains.policies.follow(self._chains.policies)
                self.policy, self._chains = policy, chains
                self.health.judge_by(policy.outlier)
                self._ruling.adopt(policy)
                for binding, (written, made) in ready:
                    self._obey_chain(binding, chains, written, made)
                self.renew()  # for what has been said or bound meanwhile

        return obey

    def _adopted(self, binding: MethodBinding, chains: Chains) -> tuple[MethodPolicy, Chain]:
        """Make the chain of a method by *chains*, or take the one that it has where that would be the same."""
        chain, (_, before) = binding.chain, self._obeyed[binding.name]
        is_streaming = chains.is_streaming(chain)
        policy = chains.policies.of(binding.name, is_streaming=is_streaming)
        if policy == before == chain.policy and chains.folding.has_limits_of(self._chains.folding):
            return policy, replace(chain, policy=policy)  # where it was written may be another line now
        return policy, chains.of(policy, binding.name, is_streaming=is_streaming)

    def _check_adopted(self, policy: ReferencePolicy, *, has_streams: bool) -> None:
        """Check what *policy* says of methods, and that streams, where there are any, are balanced as they were."""
        old, new = self.policy.default, policy.default
        for key in ("loadbalance", "hash_nodes", "hash_arguments"):
            if has_streams and getattr(old, key) != getattr(new, key):
                raise ConfigError([new.problem(key, *read_once("when a method that streams is made", old.origin(key)))])
        if self._reference is not None:  # else nobody has asked for its types yet
            self._check_methods(policy)

    def _check_methods(self, policy: ReferencePolicy) -> None:
        def find(name: str) -> Named:
            carrier = self.transport.method(name, policy.methods[name])
            return Named(carrier.name, carrier.is_streaming)

        if problems := method_problems(policy, find):
            raise ConfigError(problems)

    def _calls(self) -> int:
        return sum(binding.metrics.calls for binding in list(self._bindings.values()))

    def check(self) -> None:
        """Make sure that a provider is known, where ``check`` says so, and connected, where ``lazy`` does.

        Raises:
            NoProviderAvailable: None is known.
            ConnectFailed: None can be reached.
        """
        if self.policy.check and not self.directory.providers:
            hint = f"; start without one by check: false (check is true, {self.policy.origin('check')})"
            raise self._no_provider("(check)", f"{self.directory.why_none()}{hint}")
        if not self.policy.lazy and not self._is_connected:
            from .eager import connect  # which few references need

            connect(self.policy, self.directory.providers, self.transport, self.runtime.clock)
            self._is_connected = True

    def _no_provider(self, method: str, why: str) -> NoProviderAvailable:
        error = NoProviderAvailable(f"no provider: {why}", not_sent=True)
        error.reference, error.method = self.policy.id, method
        return error

    def policy_of(self, method: str) -> MethodPolicy:
        """Return the policy of a method, whichever way the YAML spells it."""
        return self._chains.policies.configured(method)

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

    def seen(self, method: str, attachments: Mapping[str, str]) -> SeenProviders:
        """Look at the providers as a call of *method* would, without arguments and with *attachments*."""
        from .seen import SeenProviders, seen  # which few programs need

        policy, clock = self._chains.policies.of(method, is_streaming=False), self.runtime.clock
        record = CallRecord(policy, method, clock())
        known = {**policy.attachments, **attachments}
        invocation = Invocation(policy, method, (), {}, known, record.ends, clock, record, blocking=False)
        running = [one for one in list(self.runtime.running) if one.policy.reference == self.policy.id]
        return SeenProviders(
            providers=seen(self.directory, self._ruling.routing, invocation, running, clock),
            reason=self.directory.reason,
            problems=tuple(self._ruling.problems),
            policy=policy,
        )

    def reference(self, name: str) -> Reference:
        """Make what stands for the service in the program, which calls it *name*."""
        self._check_streams()
        made = Reference(name, self.policy.interface, self.method, self.transport.methods, self.transport.attribute)
        made._batches = self._chains.folding.batches  # a channel's stub may have been there first
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
            changes, chains = self._changes, self._chains
            policy = chains.policies.of(name, is_streaming=is_streaming)
            chain = chains.of(policy, name, is_streaming=is_streaming)
            self._obeyed[name] = chains, policy
            binding = self._bindings[name] = MethodBinding(self.runtime, name, CallMetrics(), chain)
            if self._changes != changes:  # who said something else meanwhile did not see the new binding
                self._renew(binding)
        return binding

    def choose(self, invocation: Invocation) -> Provider:
        """Choose the provider of a streaming call.

        Raises:
            NoProviderAvailable: None is known.
        """
        routing = self._ruling.routing
        providers = candidates_for(self.directory, routing, invocation)
        if not providers:
            raise self._no_provider(invocation.method, why_none(self.directory, routing, invocation))
        return providers[0] if len(providers) == 1 else self._stream_balance.select(providers, invocation)

    def any_provider(self, purpose: str) -> Provider:
        """Return a provider for something that is no call, which the error names as *purpose*.

        Raises:
            NoProviderAvailable: None is known.
        """
        providers = self.directory.candidates(())
        if not providers:
            raise self._no_provider(purpose, self.directory.why_none())
        return providers[0]

    def _call_other(self, name: str, invocation: Invocation) -> InvocationFuture:
        """Call another method in the place of one of ours; the context still tells of ours."""
        method = self.method(name)
        if isinstance(method, StreamMethod):
            text = f"{self.policy.id}.{name} streams, and cannot answer for {invocation.method}"
            raise LocalProtocolError(text, not_sent=True)
        return keep_last_call(method.future, *invocation.args, **invocation.kwargs)

    def counts(self) -> Mapping[str, MethodCounts]:
        """Return what was counted, by method; streams are not."""
        bindings = [one for one in list(self._bindings.values()) if not self._chains.is_streaming(one.chain)]
        return {binding.name: binding.counts() for binding in bindings}

    def hurry(self) -> None:
        """Let clusters do now what they were to do later: the consumer is about to close, and waits."""
        for cluster in self._chains.folding.lasting():
            cluster.hurry()

    def close(self) -> None:
        """Hear no more of the registry and its rules, and give up what clusters have left."""
        self._ruling.close()
        self._subscription.close()
        for cluster in self._chains.folding.lasting():
            cluster.close()

    def __repr__(self) -> str:
        return f"<Pipeline of {self.policy.id}: {self.directory!r}>"

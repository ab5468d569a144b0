"""From a reference's policy to its callers: everything that is made once per reference or once per method."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

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
from ..router.ruling import Ruling
from ..router.telling import RuleLog
from ..runtime.weakly import weakly
from ..transport.api import MethodTransport, ReferenceTransport, Transport
from ..transport.shortage import preparing
from .caller import Caller, Chain, MethodBinding
from .ending import Runtime
from .folding import Folding, Footing, watcher_in
from .in_force import PoliciesInForce
from .reference import Method, Reference
from .stages import streamed
from .stream import StreamMethod, of_stream

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
        self._obeyed: dict[str, MethodPolicy] = {}
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
        self._policies = PoliciesInForce(policy, self._ruling)
        self._folding = Folding(self._footing())
        self._stream_balance = self._folding.balance(policy.default, "")
        self.stream_watcher = watcher_in(self._stream_balance)
        self._streamed = streamed(self.choose, self.health, self.stream_watcher, runtime.clock)
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
        if self._policies.hear(self.directory.providers):
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
        is_streaming = binding.chain.stage is self._streamed
        policy, before = self._policies.of(binding.name, is_streaming=is_streaming), self._obeyed[binding.name]
        if policy != before or policy.origins != before.origins:
            self._obeyed[binding.name], binding.chain = self._made_chain(binding.name, is_streaming=is_streaming)

    def _made_chain(self, name: str, *, is_streaming: bool) -> tuple[MethodPolicy, Chain]:
        """Make the chain of what holds for a method, and return both; a rule that it cannot obey is passed over."""
        policy = self._policies.of(name, is_streaming=is_streaming)
        try:
            return policy, self._chain(policy, name, is_streaming=is_streaming)
        except ConfigError as error:
            written = self._policies.without_rules(name, is_streaming=is_streaming)
            if policy == written:
                raise
            _LOG.warning("%s.%s: a rule cannot be obeyed, and is passed over: %s", self.policy.id, name, error)
            return policy, self._chain(written, name, is_streaming=is_streaming)

    def _chain(self, policy: MethodPolicy, name: str, *, is_streaming: bool) -> Chain:
        if not is_streaming:
            return self._folding.fold(policy, name)
        check_stream(policy, name)
        return Chain(of_stream(policy), self._streamed)

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
        return self._policies.configured(method)

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

        policy, clock = self._policies.of(method, is_streaming=False), self.runtime.clock
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
        made._batches = self._folding.batches  # a channel's stub may have been there first
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
            changes = self._changes
            policy, chain = self._made_chain(name, is_streaming=is_streaming)
            self._obeyed[name] = policy
            binding = self._bindings[name] = MethodBinding(self.runtime, name, CallMetrics(), chain)
            if self._changes != changes:  # who said something else meanwhile did not see the new binding
                self._renew(binding)
        return binding

    def swap(self, name: str, policy: MethodPolicy) -> None:
        """Let the calls that begin from now on obey *policy*, however they reach the method called *name*.

        Calls that run go on as they began. What the old chain counted, such as ``actives``, ends with it.

        Raises:
            ConfigError: As `bind` does; nothing has changed then.
        """
        binding = self.bind(name)
        binding.chain = self._chain(policy, binding.name, is_streaming=binding.chain.stage is self._streamed)

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
        bindings = [one for one in list(self._bindings.values()) if one.chain.stage is not self._streamed]
        return {binding.name: binding.counts() for binding in bindings}

    def hurry(self) -> None:
        """Let clusters do now what they were to do later: the consumer is about to close, and waits."""
        for cluster in self._folding.lasting():
            cluster.hurry()

    def close(self) -> None:
        """Hear no more of the registry and its rules, and give up what clusters have left."""
        self._ruling.close()
        self._subscription.close()
        for cluster in self._folding.lasting():
            cluster.close()

    def __repr__(self) -> str:
        return f"<Pipeline of {self.policy.id}: {self.directory!r}>"

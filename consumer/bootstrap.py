"""`Consumer`: what a configuration comes to life as."""

from __future__ import annotations

import math
import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from callahead.config import load_file
from callahead.config.errors import ConfigError
from callahead.config.extension import nearest
from callahead.config.policy import ConsumerConfig, ReferencePolicy, SslPolicy
from callahead.registry.api import Registry

from .call.invocation import CallRecord
from .cluster.health import HealthCounts
from .discovery.registries import Registries
from .errors import ConsumerClosed
from .given import callbacks_of, configuration_of, transports_of
from .interceptor.metrics import MethodCounts
from .limit import Gate, limits_of
from .living import LIVING
from .reference.declared import require_declared
from .reference.ending import OnDrop, Runtime
from .reference.given_up import say_given_up
from .reference.pipeline import Pipeline, Surroundings
from .reference.reference import Reference
from .reloading import Reloading, other_configuration
from .router.telling import RuleLog
from .runtime.deadline import Clock
from .runtime.dropped import close_soon
from .runtime.elsewhere import Place
from .transport.api import ConnectionCounts, Transport
from .transport.shortage import preparing

if TYPE_CHECKING:
    from callahead.registry.discovery.metadata import MetadataSource

    from .channel.channel import ConsumerChannel
    from .reference.seen import SeenProviders
    from .scope import OnError, Scope

S = TypeVar("S")

# References whose names are shown of many.
_NAMED = 10


class Consumer:
    """References to remote services, as a configuration describes them.

    Everything of it may be used from any thread; a process may have many. A forked child may go on using its copy: it
    opens connections of its own, and the calls that were running at the fork stay the parent's.

    Args:
        config: From `callahead.config.load_file` and its like, or a mapping as the YAML would be.
        transports: By protocol, in place of those that entry points offer; closed with the consumer.
        registries: By id, in place of those that their addresses mean; closed with the consumer.
        callback_executor: Where callbacks run, in place of threads as ``callback_executor`` of the configuration
            describes them: a `concurrent.futures.Executor`, or an event loop of ``asyncio``. What it does not take
            runs on such a thread. It is yours, and not closed with the consumer.
        on_drop: Called as ``on_drop(invocation, error)`` on a callback thread when a call whose ``return`` is false has
            failed and nobody was told.
        clock: Monotonic seconds, for tests.
        random: The one source of chance, for tests.

    Use it in a ``with`` block, or call `close`. Where nobody did, the interpreter waits at its exit for the one-way and
    async calls that still run, for at most ``shutdown_timeout``; a warning says which were given up. One that nobody
    can reach any more, not by a reference, a stub, a stream or a pending future either, is closed once Python's
    collector finds it, and a `ResourceWarning` says so.
    """

    def __init__(
        self,
        config: ConsumerConfig | Mapping[str, Any],
        *,
        transports: Mapping[str, Transport] | None = None,
        registries: Mapping[str, Registry] | None = None,
        callback_executor: Place | None = None,
        on_drop: OnDrop | None = None,
        clock: Clock = time.monotonic,
        random: Random | None = None,
    ) -> None:
        self.config = configuration_of(config)
        self._runtime = Runtime(clock, callbacks_of(self.config, callback_executor), on_drop)
        self._runtime.gates = [Gate(limit, self._runtime.timer) for limit in limits_of(self.config)]
        self._random = Random() if random is None else random  # noqa: S311 - it spreads load, it keeps no secret
        self._lock = threading.RLock()
        self._turns: dict[str, threading.RLock] = {}
        self._reloading = threading.RLock()
        self._transports = transports_of(transports or {}, self._runtime, self._random, self.config.application)
        self._registries = Registries(self.config, registries or {}, self._metadata_source)
        self._clients: dict[str, Any] = {}  # by reference: what `wrap` was given
        self._pipelines: dict[str, Pipeline] = {}
        self._rule_log = RuleLog()
        self._references: dict[str, Reference] = {}
        self._runtime.owner = self
        self._runtime.callbacks.owner = weakref.ref(self)
        LIVING.add(self)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], **options: Any) -> Self:
        """Make a consumer of the YAML file at *path*; *options* are those of the class.

        Raises:
            ConfigError: The file cannot be obeyed; nothing was started.
        """
        return cls(load_file(path), **options)

    @overload
    def reference(self, name: str) -> Reference: ...
    @overload
    def reference(self, name: str, stub: Callable[..., S]) -> S: ...
    def reference(self, name: str, stub: Callable[..., Any] | None = None) -> Any:
        """Return the stand-in of the service that the configuration calls *name*; the same object each time.

        Args:
            name: As under ``references``.
            stub: A class or Protocol that declares its methods, as which a type checker then sees the stand-in; see
                `callahead.consumer.remote`. It changes nothing else: the configuration says where the types come from.

        The first call of a name asks registries and looks for types, which may take seconds. Who asks for that name
        meanwhile waits for it, others do not; a failure is not kept, so the next call tries again.

        Raises:
            ConfigError: There is no such reference, or its types or methods are not what the configuration says.
            NoProviderAvailable: No provider is known, and ``check`` is true.
            ConnectFailed: None can be reached, where ``lazy`` is false and ``check`` is true.
            RegistryError: The registry cannot be read.
            TransportError: The system has no descriptor, no thread or no memory left to make it.
            ConsumerClosed: After `close`, or closed meanwhile.
            TypeError: *stub* declares a method that the service does not have, or none at all.
        """
        with self._lock:
            reference = self._references.get(name)
            self._require_open(is_made=reference is not None)
        if reference is None:
            reference = self._make_reference(name)
        if stub is not None:
            require_declared(reference, stub)
        return reference

    def _make_reference(self, name: str) -> Reference:
        with self._making(name) as pipeline:
            reference = self._references.get(name)
            if reference is None:
                pipeline.transport.methods()  # finds the types now, so that a wrong one is no error of a call
                reference = self._references[name] = pipeline.reference(name)
            return reference

    def made(self, name: str) -> Reference | None:
        """Return what `reference` has made of *name*, or None; asks nobody."""
        return self._references.get(name)

    def wrap(self, name: str, client: Any) -> Reference:
        """Return the reference that the configuration calls *name*, whose calls are those of *client*'s methods.

        What the configuration says of the reference holds, but for its ``target``, in whose place *client* is. It is
        yours: it is closed only where ``close`` says how.

        Raises:
            ConfigError: There is no such reference, its protocol serves nothing in this process, it has been made for
                something else, or its settings do not fit *client*.
            ConsumerClosed: After `close`.
        """
        policy = self._policy(name)
        if not policy.is_local:
            raise policy.error("protocol", f'protocol "{policy.protocol}" cannot call an object of this program')
        with self._lock:
            self._require_open()
            if name in self._pipelines and self._pipelines[name].policy.client is not client:
                raise policy.error("protocol", "has been made already, for another client")
            self._clients[name] = client
        return self.reference(name)

    def channel(self, name: str) -> ConsumerChannel:
        """Return a `grpc.Channel` for the service that the configuration calls *name*.

        A generated stub made with it, ``GreeterStub(consumer.channel("greeter"))``, sends its unary calls through the
        reference's chain and its streaming calls to a provider of the reference. See `callahead.consumer.channel`.

        Within `grpc.intercept_channel` a plain call always waits and gives the answer, whatever ``async`` and
        ``return`` say: grpcio makes it of ``with_call``, which is bound to. ``future`` is as ever.

        Raises:
            ConfigError: There is no such reference, or its protocol is not ``tri``.
            NoProviderAvailable: No provider is known, and ``check`` is true.
        """
        from .channel.channel import ConsumerChannel

        with self._making(name) as pipeline:
            return ConsumerChannel(pipeline)

    def providers(self, name: str, method: str = "*", attachments: Mapping[str, str] | None = None) -> SeenProviders:
        """Return the providers of the reference *name* as calls see them now, and what these obey, rules included.

        Args:
            name: As under ``references``.
            method: Rules may speak of it; ``*`` is one of which none does.
            attachments: Rules may look at them.

        The first call asks registries. Nobody is called, and nothing is connected to.

        Raises:
            ConfigError: There is no such reference.
            RegistryError: The registry cannot be read.
            ConsumerClosed: After `close`.
        """
        with self._making(name, must_have=False) as pipeline:
            return pipeline.seen(method, attachments or {})

    def scope(self, *, timeout: float | None = None, on_error: OnError = "wait_all", retry_failed: int = 0) -> Scope:
        """Collect the calls of a ``with`` block, and wait for them at its end; see `callahead.consumer.scope.Scope`."""
        from .scope import Scope

        return Scope(self._runtime, timeout=timeout, on_error=on_error, retry_failed=retry_failed)

    def reload(self, config: ConsumerConfig | Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """Let the calls that begin from now on obey another configuration, all of it or, where it is wrong, nothing.

        Args:
            config: As for the class; None reads the file again of which the consumer was made.

        What calls obey may change: each setting of a method, wherever it is inherited from, but ``parameter_types``;
        ``routers``, ``outlier`` and the limits of references in use, and those of the consumer. References that are not
        in use may change in any way, come and go. Calls that run go on as they began, and references, methods and stubs
        stay the same objects. What a limit counts goes on where it stays the same, and so does the cache of a method
        for which nothing changes. It waits for references that are being made. Any thread.

        Returns:
            The references in use for which something has changed.

        Raises:
            ConfigError: It cannot be obeyed, or changes what is read only once; every problem is in it.
            ConsumerClosed: After `close`.

        Source: Aerospike's dynamic configuration, of which a part needs a new client likewise; differs: nothing that
        has no effect is accepted.
        """
        with self._nothing_made():
            new = other_configuration(self.config, config)
            reloading = Reloading(self.config, new, self._pipelines, self._runtime, self._registries)
            self.config = new
            reloading.obey()
            return reloading.changed

    @contextmanager
    def _making(self, name: str, *, must_have: bool = True) -> Iterator[Pipeline]:
        """Give the pipeline of *name*, checked for providers where it *must_have* some, to one thread at a time.

        Registries and types are read here, which may take seconds, and other names are not held up by it. Where the
        consumer is closed meanwhile, whatever that leads to is `ConsumerClosed`.
        """
        with self._lock:
            self._require_open()
            turn = self._turns.setdefault(self._policy(name).id, threading.RLock())
        with turn:
            try:
                with preparing():
                    pipeline = self._pipeline(name)
                    if must_have:
                        pipeline.check()
                    yield pipeline
            except Exception:
                self._require_open()
                raise
            self._require_open()

    @contextmanager
    def _nothing_made(self) -> Iterator[None]:
        """Let no reference be made meanwhile, by one thread at a time; those that are being made are waited for."""
        with self._reloading, ExitStack() as turns:
            with self._lock:
                known = [self._turns.setdefault(name, threading.RLock()) for name in self.config.references]
            for turn in known:
                turns.enter_context(turn)
            self._require_open()
            yield

    def _require_open(self, *, is_made: bool = False) -> None:
        """Refuse to make anything once closed; what *is_made* serves callbacks, while `close` waits for them."""
        runtime = self._runtime
        if runtime.closed and (not is_made or runtime.refuses()):
            raise ConsumerClosed("the consumer is closed", not_sent=True)

    def _pipeline(self, name: str) -> Pipeline:
        pipeline = self._pipelines.get(name)
        if pipeline is None:
            policy = self._policy(name)
            with self._lock:
                self._require_open()
                if name in self._clients:
                    policy = replace(policy, client=self._clients[name])
                around = self._surroundings(policy)
            pipeline = Pipeline(policy, around)
            with self._lock:
                closed = self._runtime.closed
                if not closed:
                    self._pipelines[name] = pipeline
            if closed:
                pipeline.close()  # which `close` came too early to do
                self._require_open()
        return pipeline

    def _policy(self, name: str) -> ReferencePolicy:
        known = self.config.references
        if name not in known:
            hint = nearest(name, known)
            raise ConfigError.one(
                f'there is no reference "{name}"', file=self.config.source, key="references", hint=hint
            )
        return known[name]

    def _surroundings(self, policy: ReferencePolicy) -> Surroundings:
        return Surroundings(
            runtime=self._runtime,
            random=self._random,
            transport=self._transports[policy.protocol],
            registry=self._registries.of(policy),
            rule_log=self._rule_log,
            application=self.config.application,
        )

    def _metadata_source(self, ssl: SslPolicy | None) -> MetadataSource:
        from .discovery.source import CalledMetadata

        return CalledMetadata(Consumer, self.config.application, ssl)

    @property
    def references(self) -> tuple[str, ...]:
        """Names that `reference` takes, as the configuration gives them."""
        return tuple(self.config.references)

    def counts(self) -> Mapping[str, Mapping[str, MethodCounts]]:
        """Return what was counted so far, by reference and method."""
        return {name: pipeline.counts() for name, pipeline in list(self._pipelines.items())}

    def health(self) -> Mapping[str, HealthCounts]:
        """Return what is known of the health of providers, by reference; each reference judges for itself."""
        return {name: pipeline.health.counts() for name, pipeline in list(self._pipelines.items())}

    def connections(self) -> tuple[ConnectionCounts, ...]:
        """Return what happened on the connections; grpcio keeps most of it to itself, over ``tri``."""
        transports = list(self._transports.values())
        return tuple(counts.owned_by(self) for transport in transports for counts in transport.connections())

    @property
    def refused_callbacks(self) -> int:
        """How many callbacks were not run, since too many waited already: ``overflow: reject`` says that."""
        return self._runtime.callbacks.overflow.refused

    def wait_idle(self, timeout: float | None = None) -> bool:
        """Wait until no call runs and no callback, handler or listener is due, and go on being open.

        Args:
            timeout: Longest wait in seconds; None waits for as long as it takes, which the calls' deadlines bound.

        Returns:
            False where the time passed first. Calls that begin meanwhile are waited for, too; a callback that waits
            here is not waited for itself.
        """
        return self._runtime.wait_idle(math.inf if timeout is None else time.monotonic() + timeout)

    def close(self, timeout: float | None = None) -> None:
        """Begin no further call, wait for those that run and for callbacks, then close every connection and thread.

        Args:
            timeout: Longest wait in seconds; 0 waits for none. None is the configuration's ``shutdown_timeout``. What
                still runs then ends as `ConsumerClosed`, and one warning says so unless no wait was asked for.

        What waits in a batch leaves first, unless no wait was asked for. A callback may still call while this waits, to
        finish what it is at. Callbacks that were due have run when this returns, but for those that would wait for this
        very call; what an executor of the program has begun, or not, by the end of the wait is left to it.
        Idempotent; any thread.
        """
        with self._lock:
            runtime = self._runtime
            runtime.closed = True
            pipelines = list(self._pipelines.values())
        began = time.monotonic()
        if timeout != 0:
            runtime.leave_batches()
            for pipeline in pipelines:
                pipeline.hurry()
        runtime.drain(began + (self.config.shutdown_timeout_ms / 1000 if timeout is None else timeout))
        if timeout != 0:
            say_given_up("the consumer is closed", began, self._running())
        for ending in list(runtime.running.values()):
            ending.give_up(ConsumerClosed("the consumer was closed under the call", in_doubt=True))
        for pipeline in pipelines:
            pipeline.close()
        self._registries.close()
        for transport in self._transports.values():
            transport.close()
        runtime.timer.close()
        runtime.callbacks.close(wait=True)
        LIVING.discard(self)  # neither a fork nor the exit is any business of it now
        runtime.owner = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close on a thread of its own: the loop must go on, for those who await what `close` waits for."""
        import asyncio

        await asyncio.to_thread(self.close)

    def _flush(self, ends: float) -> None:
        """Let the calls end that run at the interpreter's exit, until *ends*, and say which did not."""
        began = time.monotonic()
        try:
            self._runtime.flush(ends)
        finally:  # Ctrl-C: the user knows even less what became of the calls
            lost = [record for record in self._running() if not record.thread]
            say_given_up("the interpreter exits", began, lost)
            self._runtime.abandon(lost)
        if not self._running():  # else a daemon's call would raise now, for nobody
            for transport in self._transports.values():
                transport.close()  # gRPC's channels, let go of any later, may wait for threads that are no more

    def _running(self) -> list[CallRecord]:
        return list(self._runtime.running)

    def _after_fork(self) -> None:
        self._lock = threading.RLock()
        self._turns.clear()
        self._reloading = threading.RLock()
        self._runtime.after_fork()
        for transport in self._transports.values():
            transport.after_fork()

    def __del__(self) -> None:
        # Absent where `__init__` has raised; empty where nothing was opened.
        if getattr(self, "_transports", None) and not self._runtime.closed:
            close_soon(self._close_dropped)
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=1, source=self)

    def _close_dropped(self) -> None:
        """Close what nobody can reach any more, and so neither calls nor waits for an answer."""
        LIVING.add(self)  # which the collector has taken out, and a fork may come now
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._runtime.closed else f"{len(self._runtime.running)} calls running"
        names = ", ".join(self.references[:_NAMED]) or "no references"
        more = f" and {len(self.references) - _NAMED} more" if len(self.references) > _NAMED else ""
        return f"<Consumer of {self.config.source}: {names}{more}; {state}>"

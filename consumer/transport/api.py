"""What carries one attempt to one provider: the one seam that every transport has with the core."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from callahead.config.policy import MethodPolicy, ReferencePolicy

from ..call.attempt import Attempt
from ..call.invocation import Done
from ..call.provider import Provider
from ..interface.description import ServiceDescription
from ..runtime.callbacks import CallbackExecutor
from ..runtime.deadline import Clock
from ..runtime.timer import Timer

if TYPE_CHECKING:
    from callahead.config.settings import TransportSettings

Providers = Callable[[], tuple[Provider, ...]]
"""Returns the providers that are known now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportParts:
    """What a transport may use; it takes time, chance and threads from nowhere else.

    Attributes:
        clock: Monotonic seconds.
        random: The one source of chance.
        timer: Calls functions later, for a transport that keeps no deadlines itself.
        callbacks: Runs users' code, which a transport must not run on a thread that serves connections.
        application: This program's name, "" where it has none.
    """

    clock: Clock
    random: Random
    timer: Timer
    callbacks: CallbackExecutor
    application: str = ""


class MethodTransport(Protocol):
    """Carries the calls of one method; everything that can be made once per method is made with it."""

    @property
    def name(self) -> str:
        """Name of the method as the provider spells it."""

    @property
    def is_streaming(self) -> bool:
        """The answers are a stream, which `stream` carries and `send` does not; the requests may be one, too."""

    @property
    def is_upload(self) -> bool:
        """The requests are a stream, and the answer is a single one: `encode` is given one iterable of requests.

        What comes of it can be sent once, so that no attempt follows the first, and no interceptor stands in the way.
        """

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Make of the arguments what `send` puts on the wire; once per call, before any provider is chosen.

        It is bytes, or has its number of bytes as ``size``, so that limits can count it, and as ``key`` something
        hashable that is equal for equal requests alone, without which nothing is cached.

        Raises:
            SerializationError: The arguments do not fit the method.
            LimitExceeded: The request is larger than ``max_request_bytes``.
        """

    def send(self, attempt: Attempt, done: Done) -> None:
        """Make one attempt and report its outcome by *done*, exactly once and no later than its timeout allows.

        Args:
            attempt: Whom to ask (``provider``), what (``request``, which `encode` made, and ``attachments``), and for
                how long (``timeout``, seconds, > 0). Where it ``waits`` this may block until the answer is there and
                call *done* on the calling thread; else it never blocks, unless a setting asks for just that. Where it
                ``wants_sent``, its ``sent`` is called once the whole request was handed to this machine's network
                stack, and never after *done*. What came back beside the answer is noted on it before *done*.
            done: Takes a value, or an `RpcError` whose ``not_sent`` and ``in_doubt`` are right, or
                `concurrent.futures.CancelledError`. Never a foreign error, but for one that a signal handler raised in
                the thread that waits, and what a method in this process has raised.

        Who asks later for that is told where what the attempt is ``carried_by`` can (`TellsSent`), and else by the end.

        What stops the attempt is left with ``attempt.carried_by``; a stopped attempt reports too. Nothing of an attempt
        is kept for another, and two attempts of one call may run at the same time.
        """

    def stream(self, attempt: Attempt) -> Any:
        """Begin a streaming call, which takes part in nothing but the choice of its provider, attachments and deadline.

        Args:
            attempt: The arguments of its invocation are one request, or one iterable of requests, and not encoded. Its
                timeout is that of the whole stream, infinity for no bound.

        Returns:
            A `ResponseStream`.
        """


class ResponseStream(Protocol):
    """The answers of a streaming call, in order; iterate it, once, to its end or until you cancel it."""

    def __iter__(self) -> Iterator[Any]:
        """Yield each answer as it comes; raises `RpcError` where the stream fails."""

    def cancel(self) -> None:
        """End the stream here and at the provider; the iteration then raises `CancelledError`."""


class ReferenceTransport(Protocol):
    """Carries the calls of one reference."""

    def method(self, name: str, policy: MethodPolicy) -> MethodTransport:
        """Prepare the method that users call *name*, in any of findFoo, find_foo and FindFoo.

        Raises:
            LookupError: There is no such method; the message names the nearest.
        """

    def connect(self, attempt: Attempt, done: Done) -> None:
        """Bring about what calls to a provider would bring about themselves, and report by *done* as a send does.

        Args:
            attempt: To whom (``provider``), and for how long (``timeout``); it asks for nothing.
            done: Takes None once all connections are there, or the error of one that is not; on any thread.
        """

    def attribute(self, name: str) -> Any:
        """Return what *name* stands for where that is no method: only a client in this process has such a thing.

        Raises:
            LookupError: It stands for nothing.
        """

    def methods(self) -> tuple[str, ...]:
        """Names of all methods as the provider spells them; empty where they are not known beforehand."""

    def describe(self) -> ServiceDescription:
        """Describe what can be called, with types, for the command line and for generated stubs.

        Raises:
            ConfigError: The types cannot be found.
            RpcError: The provider could not be asked for them.
        """


class Transport(Protocol):
    """Carries calls by one protocol; one per `Consumer`, shared by its references.

    Implementations are found in the entry-point group ``callahead.transport`` and made with `TransportParts`. All
    methods may be called from any thread. Loading a configuration imports the class, so its module imports little.
    """

    settings: ClassVar[type[TransportSettings] | None]
    """Declares the settings that only its references have, and gives ``policy.transport``; None where it has none."""

    def open(self, policy: ReferencePolicy, providers: Providers) -> ReferenceTransport:
        """Prepare a reference: find its types, check its methods, make its credentials.

        Args:
            policy: The reference.
            providers: For what the transport must ask a provider beforehand, such as its types.

        Raises:
            ConfigError: The reference asks for what this transport cannot honour, or its types cannot be found.
        """

    def refresh(self, provider: Provider) -> None:
        """Make anew, by its next call, what was made of ``provider.endpoint``, which is another one now.

        Protocol and address are those it had: its connections stay, and what runs there is not touched.
        """

    def release(self, provider: Provider) -> None:
        """Close what is open towards *provider* once its running calls have ended; it takes no new ones."""

    def connections(self) -> tuple[ConnectionCounts, ...]:
        """Return the counts of each connection; nothing is kept of those whose provider has left the registry."""

    def close(self) -> None:
        """Close every connection; calls still running end as `ConsumerClosed`. Idempotent."""

    def after_fork(self) -> None:
        """Drop, without touching them, the connections that a forked child inherited; new calls open their own."""


class _Owned:
    """A value that knows whose it is, which is no part of it: neither compared, shown, pickled nor made a field."""

    __slots__ = ("_owner",)

    _owner: Callable[[], Any]

    def owned_by(self, consumer: object) -> Self:
        """Copy as *consumer*'s, which is not kept alive."""
        copy = replace(self)  # type: ignore[type-var]  # it is for dataclasses
        object.__setattr__(copy, "_owner", weakref.ref(consumer))
        return copy

    @property
    def consumer(self) -> Any:
        """The `Consumer` that it is of; None once that is gone, and where no consumer gave it."""
        return getattr(self, "_owner", _nobody)()


def _nobody() -> None:
    """Give the consumer of what no consumer gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCounts(_Owned):
    """What happened on one connection that no call tells of, since it was first used.

    Attributes:
        endpoint: ``protocol://host:port``.
        is_open: Requests can be written now; None where a library keeps that to itself.
        connects: Times that it came about; more than 1 means that it was lost; None likewise.
        unknown_answers: Answers to no running call: late, duplicate or made up; they reached nobody; None likewise.
        bad_events: Events that mean nothing in the protocol; None likewise.
        trailing_bytes: Bytes behind the end of an answer, which were left out; None likewise.
        held: Threads that calls hold which were given up and go on; None where no call holds a thread.
    """

    endpoint: str
    is_open: bool | None = None
    connects: int | None = None
    unknown_answers: int | None = None
    bad_events: int | None = None
    trailing_bytes: int | None = None
    held: int | None = None

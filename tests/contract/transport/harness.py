"""The transport seam, as the contract tests see it: the one module that knows its signatures.

A test speaks of a *carrier* (one reference of one transport, towards some peers), of the *attempts* that it sends,
and of the *asked* that its peers hand to it. What a transport is beneath that, a `Kind` says; `kinds.py` lists them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError
from dataclasses import replace
from random import Random
from typing import Any, Protocol, Self

from callahead.config import load_mapping
from callahead.config.policy import MethodPolicy, ReferencePolicy
from callahead.consumer.call.attempt import Attempt as Made
from callahead.consumer.call.invocation import CallRecord, Invocation, Outcome
from callahead.consumer.call.provider import Provider
from callahead.consumer.cluster.directory import Directory
from callahead.consumer.errors import RpcError
from callahead.consumer.runtime.callbacks import CallbackExecutor
from callahead.consumer.runtime.timer import Timer
from callahead.consumer.transport.api import (
    ConnectionCounts,
    MethodTransport,
    ReferenceTransport,
    Transport,
    TransportParts,
)
from callahead.registry.direct import DirectRegistry
from callahead.registry.models import Snapshot

SOON = 5.0
"""Seconds that anything may take on a busy machine."""
NEVER = 60.0
"""Seconds of a deadline that no test reaches."""


class Asked(Protocol):
    """A request that has reached a peer, which answers it when the test says so."""

    @property
    def text(self) -> str:
        """What was asked."""

    @property
    def attachments(self) -> Mapping[str, str]:
        """What came beside it; the transport's own among them."""

    def answer(self, text: str, attachments: Mapping[str, str] | None = None) -> None:
        """Answer; without effect where nobody waits any more."""

    def refuse(self) -> None:
        """Say that the method ran and failed."""

    def wait_given_up(self, within: float = SOON) -> None:
        """Wait until the peer hears that nobody waits; only asked of a kind that has ``tells of cancel``."""


class Peer(Protocol):
    """A provider that hands each request to the test."""

    @property
    def url(self) -> str:
        """For a configuration."""

    def next(self, within: float = SOON) -> Asked:
        """Return the request that has waited longest."""

    def crash(self) -> None:
        """Close every connection at once; only asked of a kind that has ``wire``."""

    def come_back(self) -> None:
        """Listen again where it did before `crash`; likewise."""


class Kind(Protocol):
    """A transport and what answers it; made anew for each test, and closed after it.

    Attributes:
        name: For the names of tests.
        protocol: The entry point that it is, or stands in for, as URLs have it.
        can: What applies to it, so that tests of anything else pass it by:

            ``addresses``: peers are at addresses, of which a reference may have several;
            ``attachments``: side data travels both ways;
            ``remote errors``: a method that fails is a `RemoteError`; else what it raises passes as it is;
            ``wire``: peers are other programs at the end of a socket, so that they can close it or answer rubbish;
            ``own process``: its peers live in the process that calls, and so in a forked child;
            ``waits``: it blocks a thread that waits for the call anyway;
            ``tells sent later``: who asks while an attempt runs hears that its request is written, too;
            ``tells of cancel``: a peer hears that an attempt was given up;
            ``ends while it writes``: an attempt ends at its timeout though its connection takes no more bytes;
            ``tells every refusal``: it knows of each attempt whether a connection was there for it;
            ``limits requests``, ``limits answers``, ``limits its queue``: it obeys the settings of that name.
        reference: The YAML of a reference that has the method ``echo``.
    """

    name: str
    protocol: str
    can: frozenset[str]
    reference: Mapping[str, Any]
    method: str

    def transport(self, parts: TransportParts) -> Transport:
        """Make one."""

    def arguments(self, text: str) -> tuple[Any, ...]:
        """Make the arguments of the method that carry *text*."""

    def text_of(self, value: Any) -> str:
        """Read the text that a peer answered."""

    def peer(self) -> Peer:
        """Start a peer that hands requests to the test."""

    def hangs_up_at_once(self) -> str:
        """Give the URL of a peer that closes each connection before it reads from it."""

    def answers_rubbish(self) -> str:
        """Give the URL of a peer that reads a whole request and answers with bytes that mean nothing."""

    def ends_without_an_answer(self) -> str:
        """Give the URL of a peer that reads a whole request, says that all is well, and sends no answer."""

    def goes_in_the_midst(self) -> str:
        """Give the URL of a peer that resets its connection once it has read some thousand bytes of a request."""

    def says_nothing(self) -> str:
        """Give the URL of a peer that reads what comes, and never writes a byte."""

    def reads_nothing(self) -> str:
        """Give the URL of a peer that connects and never reads; only asked where there is ``limits its queue``."""

    def close(self) -> None:
        """End every peer."""


class Attempt:
    """One attempt: what became of it, and in which order."""

    def __init__(self, policy: MethodPolicy, of: Attempt | None = None) -> None:
        self._record = CallRecord(policy, policy.method, time.monotonic()) if of is None else of._record
        self._group: list[Attempt] = [] if of is None else of._group
        self._group.append(self)
        self._notes_sent = False
        self._outcomes: list[Outcome] = []
        self._ended = threading.Event()
        self._sent = threading.Event()
        self.steps: list[str] = []
        self._made: Made | None = None

    def connect(self, opened: ReferenceTransport, provider: Provider, timeout: float) -> None:
        """Let the transport connect, as a reference with ``lazy: false`` does."""
        self._made = made = Made(self.invocation((), {}, waits=False), provider, waits=False)
        made.timeout, made.ends = timeout, time.monotonic() + timeout
        opened.connect(made, self._end)

    def send(self, method: MethodTransport, provider: Provider, invocation: Invocation, timeout: float) -> None:
        """Hand it to the transport, as the stage above one does."""
        self._made = made = Made(invocation, provider, waits=invocation.blocking)
        made.timeout, made.ends = timeout, time.monotonic() + timeout
        method.send(made, self._end)

    def invocation(self, args: tuple[Any, ...], attachments: Mapping[str, str], *, waits: bool) -> Invocation:
        """Make what is asked; each attempt has its own, for what it notes, and all of a call have one record."""
        record, clock = self._record, time.monotonic
        if waits:
            record.thread = threading.get_ident()
        return Invocation(record.policy, record.method, args, {}, attachments, clock() + NEVER, clock, record, waits)

    def notes_sent(self) -> None:
        """Want to know when the request is written; of the attempts of one call each hears of its own."""
        self._notes_sent = True
        self._record.on_sent = lambda: [one._note_sent() for one in self._group]

    def _note_sent(self) -> None:
        if self._notes_sent and self._made is not None and self._made.is_sent and not self._sent.is_set():
            self.steps.append("sent")
            self._sent.set()

    def ask_sent(self) -> None:
        """Begin to want to know it now."""
        self.notes_sent()
        self._record.tell_sent()

    def _end(self, outcome: Outcome) -> None:
        self.steps.append("ended")
        self._outcomes.append(outcome)
        self._ended.set()

    def wait_sent(self, within: float = SOON) -> None:
        """Wait until the request is written."""
        assert self._sent.wait(within), f"not written within {within} s: {self.steps}"

    def outcome(self, within: float = SOON) -> Outcome:
        """Wait for the end, and return how it came first."""
        assert self._ended.wait(within), f"no outcome within {within} s: {self.steps}"
        return self._outcomes[0]

    def error(self, within: float = SOON) -> RpcError:
        """Wait for the end, which must be one of our errors."""
        error = self.outcome(within).error
        assert isinstance(error, RpcError), repr(error)
        return error

    def fate(self, within: float = SOON) -> str:
        """Wait for the end, and tell what its error says of the request: exactly one thing."""
        error = self.error(within)
        said = {"not sent": error.not_sent, "in doubt": error.in_doubt, "remote": error.is_remote}
        found = [name for name, holds in said.items() if holds]
        assert len(found) == 1, (error, found)
        return found[0]

    def cancel(self) -> None:
        """Give it up, and no other of the same call."""
        assert self._made is not None
        self._made.cancel()

    @property
    def is_cancelled(self) -> bool:
        """It has ended as given up."""
        return isinstance(self.outcome().error, CancelledError)

    @property
    def contradicts_itself(self) -> bool:
        """It was said to be written, and then not to have been sent."""
        error = self.outcome().error
        return "sent" in self.steps and isinstance(error, RpcError) and error.not_sent

    @property
    def has_ended(self) -> bool:
        """Its outcome is there."""
        return self._ended.is_set()

    @property
    def ends(self) -> int:
        """How many outcomes there were."""
        return len(self._outcomes)

    @property
    def response_attachments(self) -> Mapping[str, Any]:
        """What came back beside the answer."""
        assert self._made is not None
        return self._made.response_attachments


class Carrier:
    """One reference over one transport of its own, towards *urls*, with *settings* of the reference."""

    def __init__(self, kind: Kind, *urls: str, **settings: Any) -> None:
        self._is_at_addresses = "addresses" in kind.can
        where = {"url": list(urls)} if self._is_at_addresses else {}
        reference = {"retries": 0, "timeout": 60_000, **kind.reference, "protocol": kind.protocol, **where}
        config = load_mapping({"references": {"foo": {**reference, **settings}}})
        self._kind = kind
        self._policy: ReferencePolicy = config.references["foo"]
        self._callbacks, self._timer = CallbackExecutor(1), Timer(time.monotonic)
        self._transport = kind.transport(
            TransportParts(
                clock=time.monotonic,
                random=Random(7),
                timer=self._timer,
                callbacks=self._callbacks,
                application="contract",
            )
        )
        self._directory = Directory(kind.protocol, self._transport.release, time.monotonic, self._transport.refresh)
        self._version = 0
        self.publish(*urls)
        self._providers = self._directory.providers
        opened = self._transport.open(self._policy, lambda: self._directory.providers)
        self._opened = opened  # a transport may hold it weakly
        self._method = opened.method(kind.method, self._method_policy)
        self._attempts: list[Attempt] = []
        self._threads: list[threading.Thread] = []

    @property
    def _method_policy(self) -> MethodPolicy:
        return self._policy.methods.get(self._kind.method, self._policy.default)

    def publish(self, *urls: str) -> None:
        """Let the registry say that there are just *urls*; the transport hears of those that are gone."""
        self._version += 1
        policy = _with_urls(self._policy, urls) if self._is_at_addresses else self._policy
        listed = DirectRegistry.of(policy).endpoints if urls else ()
        self._directory.notify(Snapshot(self._version, listed, "the test"))

    def send(
        self,
        text: str = "hello",
        *,
        to: int = 0,
        of: Attempt | None = None,
        timeout: float = NEVER,
        attachments: Mapping[str, str] | None = None,
        waits: bool = False,
        notes_sent: bool = False,
        one_way: bool = False,
    ) -> Attempt:
        """Begin an attempt at provider number *to*; one more of the call that *of* is an attempt of.

        Where the caller's thread *waits*, that is a thread of the harness, so the attempt is returned at once.
        """
        attempt = Attempt(self._method_policy, of)
        options = {"notes_sent": notes_sent, "one_way": one_way, "attachments": attachments or {}}
        self._attempts.append(attempt)
        if waits:
            thread = threading.Thread(target=self._send, args=(attempt, text, to, timeout, True), kwargs=options)
            self._threads.append(thread)
            thread.start()
        else:
            self._send(attempt, text, to, timeout, False, **options)
        return attempt

    def ask(self, text: str = "hello", *, timeout: float = NEVER) -> Attempt:
        """Make an attempt on the calling thread, which waits for its end."""
        attempt = Attempt(self._method_policy)
        self._attempts.append(attempt)
        self._send(attempt, text, 0, timeout, True, notes_sent=False, one_way=False, attachments={})
        attempt.outcome()
        return attempt

    def _send(
        self,
        attempt: Attempt,
        text: str,
        to: int,
        timeout: float,
        waits: bool,
        *,
        notes_sent: bool,
        one_way: bool,
        attachments: Mapping[str, str],
    ) -> None:
        args = self._kind.arguments(text)
        invocation = attempt.invocation(args, attachments, waits=waits)
        invocation.request = self._method.encode(args, {})
        invocation.one_way = one_way
        if notes_sent:
            attempt.notes_sent()
        attempt.send(self._method, self._providers[to], invocation, timeout)

    def connect(self, *, to: int = 0, timeout: float = NEVER) -> Attempt:
        """Bring about the connections to provider number *to*, before any call."""
        attempt = Attempt(self._method_policy)
        self._attempts.append(attempt)
        attempt.connect(self._opened, self._providers[to], timeout)
        return attempt

    @property
    def counts(self) -> tuple[ConnectionCounts, ...]:
        """What the transport tells of its connections."""
        return self._transport.connections()

    def encode(self, text: str) -> None:
        """Make the bytes of a request, which may be refused."""
        self._method.encode(self._kind.arguments(text), {})

    def answer_of(self, attempt: Attempt, within: float = SOON) -> str:
        """Wait for the end of *attempt*, and return the text that was answered."""
        outcome = attempt.outcome(within)
        assert outcome.error is None, repr(outcome.error)
        return self._kind.text_of(outcome.value)

    def warm(self, peer: Peer, *, to: int = 0) -> None:
        """Have a connection to *peer* over which a call has gone."""
        attempt = self.send("warm", to=to)
        peer.next().answer("warmed")
        assert self.answer_of(attempt) == "warmed"

    def close_transport(self) -> None:
        """Close the transport under whatever runs."""
        self._transport.close()

    def after_fork(self) -> None:
        """Be the copy of a forked child."""
        self._timer.after_fork()
        self._callbacks.after_fork()
        self._transport.after_fork()

    def close(self) -> None:
        """Close, and hold every attempt that was ever sent to its one outcome."""
        self._transport.close()
        self._timer.close()
        self._callbacks.close(wait=True)
        for attempt in self._attempts:
            attempt.outcome()
        for thread in self._threads:
            thread.join(SOON)
        assert [attempt.steps for attempt in self._attempts if attempt.ends != 1 or attempt.contradicts_itself] == []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _with_urls(policy: ReferencePolicy, urls: Iterable[str]) -> ReferencePolicy:
    return replace(policy, urls=tuple(urls))


Carry = Callable[..., Carrier]
"""Makes a `Carrier` of the test's kind, towards URLs, with settings; it is closed after the test."""

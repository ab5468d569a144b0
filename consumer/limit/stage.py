"""The slot ``limit``: the gates that a call passes once it is encoded, and what it does where one is full."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from callahead.config.policy import ConsumerConfig, MethodPolicy, ReferencePolicy

from ..call.invocation import Done, Invocation, Outcome, Stage
from ..errors import LimitExceeded
from ..interceptor.later import Later
from ..runtime.callbacks import CallbackExecutor
from ..runtime.loops import runs_loop
from .gate import Gate, Limit, Waiting

Gates = Sequence[Gate]
"""Those that a call passes one after the other, the narrowest first."""


def limits_of(policy: MethodPolicy | ReferencePolicy | ConsumerConfig) -> list[Limit]:
    """List the limits that *policy* sets for the calls of its own level; what is not limited has none."""
    if isinstance(policy, MethodPolicy):
        name = f"{policy.reference}.{policy.method}"
        actives = Limit(name, policy.actives, key="actives", origin=policy.origin("actives"))
        return [*([actives] if policy.actives else []), *_pending(policy, name)]
    return _pending(policy, f"reference {policy.id}" if isinstance(policy, ReferencePolicy) else "the consumer")


def _pending(policy: MethodPolicy | ReferencePolicy | ConsumerConfig, whose: str) -> list[Limit]:
    calls, size = policy.max_pending, policy.max_pending_bytes
    if not calls and not size:
        return []
    keys = [key for key, value in (("max_pending", calls), ("max_pending_bytes", size)) if value]
    return [Limit(whose, calls, size, origin=", ".join(dict.fromkeys(map(policy.origin, keys))))]


def limited(gates: Gates, following: Stage, callbacks: CallbackExecutor, later: Later) -> Stage:
    """Make the stage that lets calls through *gates*, the first of them first; *later* goes on with what has waited."""
    for gate in reversed(gates):
        following = _Limited(gate, following, callbacks, later)
    return following


class _Limited:
    """The stage of one gate."""

    def __init__(self, gate: Gate, following: Stage, callbacks: CallbackExecutor, later: Later) -> None:
        self._gate = gate
        self._following = following
        self._callbacks = callbacks
        self._later = later

    def __call__(self, invocation: Invocation, done: Done) -> None:
        """Go on with a place, or do what ``when_full`` says; a `Stage`."""
        size = size_of(invocation.request)
        if self._gate.enter(size):
            self._go(size, invocation, done)
            return
        policy = invocation.policy
        if policy.when_full == "reject":
            done(Outcome(error=self._gate.refusal(size)))
        elif policy.when_full == "block":
            self._block(invocation, size, done)
        else:
            go = self._later(partial(self._go, size), invocation, done)
            waiting = Waiting(self._gate, invocation, size, go, done)
            sheds = policy.when_full == "shed_oldest"
            self._gate.queue(waiting, policy.max_delayed, policy.max_delayed_bytes, sheds=sheds)

    def _go(self, size: int, invocation: Invocation, done: Done) -> None:
        leaving = _Leaving(self._gate, size, done)
        try:
            self._following(invocation, leaving)
        except BaseException:
            leaving.give_back()
            raise

    def _block(self, invocation: Invocation, size: int, done: Done) -> None:
        """Wait here for a place, but never where that would keep it from becoming free."""
        refusal = self._why_not_block()
        if refusal:
            done(Outcome(error=LimitExceeded(f"{self._gate.refusal(size).message}; {refusal}", not_sent=True)))
            return
        turn = _Turn(done)
        waiting = Waiting(self._gate, invocation, size, turn.come, turn.end)
        policy = invocation.policy
        try:
            self._gate.queue(waiting, policy.max_delayed, policy.max_delayed_bytes, sheds=False)
            turn.wait()
        except BaseException:  # Ctrl-C
            waiting.cancel()
            if turn.has_place:
                self._gate.leave(size)
                self._gate.admit()
            raise
        if turn.has_place:
            self._go(size, invocation, done)

    def _why_not_block(self) -> str:
        if runs_loop():
            return "when_full: block would stop the event loop of this thread; use delay or reject"
        if self._callbacks.is_current():
            return "when_full: block cannot wait in a callback, which others may wait for; use delay or reject"
        return ""


class _Turn:
    """Wakes the thread of a blocked call: it has a place, or has ended."""

    def __init__(self, done: Done) -> None:
        self.has_place = False
        self._done = done
        self._event = threading.Event()

    def come(self) -> None:
        self.has_place = True
        self._event.set()

    def end(self, outcome: Outcome) -> None:
        self._done(outcome)
        self._event.set()

    def wait(self) -> None:
        self._event.wait()


@dataclass(slots=True)
class _Leaving:
    """The end of a call that has a place."""

    gate: Gate
    size: int
    done: Done
    has_left: bool = False

    def __call__(self, outcome: Outcome) -> None:
        # The place first, for whoever hears of the end may call again; the next one last, for it may take its time.
        self._leave()
        self.done(outcome)
        self.gate.admit()

    def give_back(self) -> None:
        """Leave without an outcome, since an exception goes the same way."""
        self._leave()
        self.gate.admit()

    def _leave(self) -> None:
        if not self.has_left:
            self.has_left = True
            self.gate.leave(self.size)


def size_of(request: object) -> int:
    """Return the bytes of what a carrier has made of the arguments; 0 where it does not tell."""
    return len(request) if isinstance(request, bytes | bytearray | memoryview) else getattr(request, "size", 0)

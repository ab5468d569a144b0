"""One attempt, from the queue to its one outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from contextvars import Context
from typing import Any, Protocol

from ...call.attempt import Attempt
from ...call.invocation import Done, Outcome
from ...errors import CallTimeout, ConsumerClosed, LocalProtocolError, RpcError
from .face import is_coroutine

Arguments = tuple[tuple[Any, ...], Mapping[str, Any], Context]


class Keeper(Protocol):
    """What has the tasks, as one of them sees it."""

    def give_up(self, task: Task, /) -> bool:
        """Note that *task* has ended, and take it from the queue; False where it had ended before."""

    def load(self) -> str:
        """Say how many threads are busy, for a message."""


class Task:
    """One attempt in a pool; a `Stoppable`. Its method may go on after it has ended.

    Attributes:
        ends: Monotonic second by which it must have ended.
        number: Of the attempt.
        policy: What its call obeys.
        has_begun: A thread has begun the method; written by the pool, as is the next.
        has_ended: Somebody ends it.
    """

    __slots__ = (
        "_attempt",
        "_done",
        "_name",
        "_pool",
        "_request",
        "ends",
        "has_begun",
        "has_ended",
        "number",
        "policy",
    )

    def __init__(self, name: str, attempt: Attempt, done: Done, pool: Keeper) -> None:
        self._name = name
        self._attempt: Attempt | None = attempt
        self._done: Done | None = done
        self._pool = pool
        self._request: Arguments | None = attempt.request
        self.ends = attempt.ends
        self.number = attempt.number
        self.policy = attempt.policy
        self.has_begun = self.has_ended = False

    def hold_caller(self, wait: Callable[[], bool]) -> bool:
        """Run *wait* on the thread that makes the attempt; what a signal handler raises into it must reach the caller.

        Above, an exception out of a transport passes as it is where the attempt ``waits``, and is an error of the call
        otherwise. So where *wait* raises the attempt is left as one that does.
        """
        attempt = self._attempt
        if attempt is None:
            return wait()
        before, attempt.waits = attempt.waits, True
        found = wait()
        attempt.waits = before
        return found

    def begin(self) -> None:
        """Note that a thread runs the method from now on; the pool sees to it that this comes before any end."""
        self.has_begun = True
        attempt = self._attempt
        if attempt is not None and attempt.wants_sent:
            attempt.sent()

    def tell_sent(self) -> None:
        """Tell the attempt that a thread runs the method, where one does; else `begin` will."""
        attempt = self._attempt
        if attempt is not None and self.has_begun:
            attempt.sent()

    def run(self, client: Any) -> Outcome:
        """Call the method of *client*, in the context of the call; what it raises is the outcome, as it is."""
        assert self._request is not None
        args, kwargs, context = self._request
        self._request = None  # which must not outlive the call by the method's frames alone
        try:
            # A copy of its own, as no context can be entered twice, and two attempts may run at once.
            value = context.copy().run(getattr(client, self._name), *args, **kwargs)
        except BaseException as error:
            return Outcome(error=_from_the_client(error))
        if is_coroutine(value):
            value.close()
            text = f"{self._name} gave a coroutine, which nobody runs: only blocking code runs here"
            return Outcome(error=LocalProtocolError(text, in_doubt=True))
        return Outcome(value)

    def tell(self, outcome: Outcome) -> None:
        """Hand the outcome on; once, by whoever the pool has told that it ends the task."""
        done, self._done = self._done, None
        self._attempt = None
        if not self.has_begun:
            self._request = None
        if done is not None:
            done(outcome)

    def refuse(self, error: RpcError) -> None:
        """End with *error*."""
        if self._pool.give_up(self):
            self.tell(Outcome(error=error))

    def cancel(self) -> None:
        """End as cancelled; one that waits never runs, one that runs goes on and reaches nobody."""
        if self._pool.give_up(self):
            self.tell(Outcome(error=CancelledError()))

    def expire(self) -> None:
        """End as timed out."""
        if self._pool.give_up(self):
            self.tell(Outcome(error=self._timed_out()))

    def _timed_out(self) -> CallTimeout:
        timeout = 0.0 if self._attempt is None else self._attempt.timeout * 1000
        if self.has_begun:
            text = f"the method has not returned within {timeout:.0f} ms, and holds its thread until it does"
            return CallTimeout(text, in_doubt=True)
        return CallTimeout(f"no thread was free within {timeout:.0f} ms: {self._pool.load()}", not_sent=True)

    def close(self) -> None:
        """End as closed under the call."""
        if self._pool.give_up(self):
            text = "the consumer was closed under the call"
            self.tell(Outcome(error=ConsumerClosed(text, not_sent=not self.has_begun, in_doubt=self.has_begun)))


def _from_the_client(error: BaseException) -> BaseException:
    """Let the traceback of *error* begin in the client: the frame above it holds the arguments, and tells nothing."""
    traceback = error.__traceback__
    return error if traceback is None else error.with_traceback(traceback.tb_next)

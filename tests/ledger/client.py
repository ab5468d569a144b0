"""The client: it asks in every way there is, and writes what it hears."""

from __future__ import annotations

import copy
import itertools
import os
import queue
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, wait
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from ledger.carriers import METHOD, Carrier, MethodFailed
from ledger.lines import Writer
from ledger.text import Asked, digest

from callahead import resolve
from callahead.consumer import Consumer, Invocation, LimitExceeded, RpcContext, RpcError

PATIENCE_S: Final = 15.0
"""Seconds for which somebody waits for the end of a call whose time is over; then it counts as one without an end."""
REFERENCES: Final[Mapping[str, Mapping[str, Any]]] = {
    "plain": {},
    "again": {"idempotent": True},
    "ahead": {"async": True},
    "sent": {"async": True, "sent": True},
    "lazy": {"async": "lazy"},
    "oneway": {"return": False},
    "batched": {"return": False, "batch": {"max_delay": 600_000, "max_bytes": "64MiB"}},
}
WITHOUT_FUTURE: Final = ("sync", "oneway", "batched")
_CONFIGURED: Final = ("ahead", "sent", "lazy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One call to be made.

    Attributes:
        mode: ``future``, ``again`` (a future, of an idempotent method), ``heard`` (one of whose end a handler hears,
            too), ``ahead``, ``sent``, ``lazy``, ``sync``, ``oneway`` or ``batched``; of calls that belong together, one
            of `ledger.together.SCOPES`.
        delay_ms: How long the provider takes.
        fails: The method fails.
        padding: Bytes to make the request larger.
        timeout_ms: In place of the configured one; the call is one attempt then.
    """

    mode: str = "future"
    delay_ms: float = 0.0
    fails: bool = False
    padding: int = 0
    timeout_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A call that has a future.

    Attributes:
        id: Of the call.
        future: Its own.
        lazy: What the call itself gave, where that is the answer.
    """

    id: str
    future: Future[Any]
    lazy: Any = None

    def answer(self, within: float) -> Any:
        """Wait for the answer, and use it as its kind is used."""
        if self.lazy is None:
            return self.future.result(within)
        if not wait([self.future], within).done:
            raise TimeoutError
        return resolve(self.lazy)


Watch = Callable[[Any], object]


class Client:
    """A consumer whose every call is in the ledger.

    Args:
        ledger: The client's file.
        carrier: Of the provider.
        urls: Where it is asked.
        by: Names the calls; each client of a ledger has its own.
        callback_threads: Of the consumer, and so the next.
        waits: Somebody waits for each call; else its callback writes the end, so that no thread of the ledger keeps the
            program from its own.
        settings: Of all its references.

    Attributes:
        config: What the consumer was made of.
    """

    def __init__(
        self,
        ledger: Writer,
        carrier: Carrier,
        *urls: str,
        by: str = "c",
        callback_threads: int = 4,
        shutdown_timeout: int = 10_000,
        waits: bool = True,
        **settings: Any,
    ) -> None:
        self._ledger = ledger
        self._carrier = carrier
        self.by = by
        settings = {"timeout": 1000, "retries": 2, **settings}
        self._within = settings["timeout"] * (settings["retries"] + 1) / 1000
        base = {"protocol": carrier.protocol, **carrier.asked_at(urls), **carrier.reference, **settings}
        references = {name: {**base, **more} for name, more in REFERENCES.items()}
        config = {
            "application": {"shutdown_timeout": shutdown_timeout},
            "consumer": {"callback_executor": {"threads": callback_threads}},
            "references": references,
        }
        self.config = config
        self.consumer = Consumer(config, on_drop=self._on_drop)
        self._methods = {name: getattr(self.consumer.reference(name), METHOD) for name in REFERENCES}
        self._timed: dict[tuple[str, int], Any] = {}
        self._numbers = itertools.count(1)
        self._waiting: queue.SimpleQueue[Made | None] = queue.SimpleQueue()
        self._waits = waits
        self._process = os.getpid()
        self._waiter = self._start_waiter()

    def forked(self, by: str) -> Client:
        """Give a forked child its own name; it can make calls that wait, with the consumer that it inherited."""
        child = copy.copy(self)
        child.by, child._numbers = by, itertools.count(1)
        return child

    # What it asks

    def ask(self, ask: Ask, watch: Watch | None = None) -> Made | None:
        """Make a call, and see to it that its end is written.

        Args:
            ask: What is asked.
            watch: One more callback of the call's future.

        Returns:
            The call where it has a future.
        """
        if ask.mode in WITHOUT_FUTURE:
            self._ask_and_wait(self._issue(ask, is_told=False), ask)
            return None
        made = self.begin(ask, is_told=self._waits)
        if watch is not None:
            made.future.add_done_callback(watch)
        if self._waits:
            self._waiting.put(made)
        else:
            made.future.add_done_callback(lambda future: self.end(made.id, future.result))
        return made

    def begin(self, ask: Ask, within: float | None = None, *, scope: str = "-", is_told: bool = True) -> Made:
        """Make a call that has a future, whose end is for the caller to write.

        Args:
            ask: What is asked.
            within: Seconds within which it must end, in place of those of its own timeout.
            scope: In which kind of scope.
            is_told: A callback of the future is to hear of the end.

        Raises:
            concurrent.futures.CancelledError: The scope was given up; that is in the ledger.
        """
        call = self._issue(ask, within, scope, is_told=is_told)
        try:
            made = self._begin(call, ask)
        except CancelledError:
            self._ledger.write("outcome", call, kind="cancelled", fate="not_sent", begun=0)
            raise
        if is_told:
            made.future.add_done_callback(partial(self._tell, call))
        return made

    def _issue(self, ask: Ask, within: float | None = None, scope: str = "-", *, is_told: bool) -> str:
        call = f"{self.by}{next(self._numbers)}"
        self._ledger.write(
            "issue", call, by=self.by, mode=ask.mode, scope=scope, idempotent=int(ask.mode == "again"),
            within=self.within(ask) if within is None else within, told=is_told + (ask.mode == "heard"),
        )  # fmt: skip
        return call

    def within(self, ask: Ask) -> float:
        """Tell the seconds within which *ask* must end."""
        return self._within if ask.timeout_ms is None else ask.timeout_ms / 1000

    def _arguments(self, call: str, ask: Ask) -> tuple[Any, ...]:
        return self._carrier.arguments(Asked(call, ask.delay_ms, ask.fails, ask.padding).text)

    def cancel(self, made: Made) -> None:
        """Cancel a call, and write what that said."""
        self._ledger.write("cancel", made.id, said=made.future.cancel())

    def _method(self, ask: Ask) -> Any:
        name = ask.mode if ask.mode in REFERENCES else "plain"
        if ask.timeout_ms is None:
            return self._methods[name]
        key = (name, ask.timeout_ms)
        if key not in self._timed:
            options = {"timeout": ask.timeout_ms, "total_timeout": ask.timeout_ms, "retries": 0}
            self._timed[key] = self._methods[name].with_options(**options)
        return self._timed[key]

    def _begin(self, call: str, ask: Ask) -> Made:
        method, args = self._method(ask), self._arguments(call, ask)
        if ask.mode == "heard":
            method = method.with_options(handler=lambda _, __, outcome, ___: self._hear(call, outcome.error))
        if ask.mode not in _CONFIGURED:
            return Made(call, method.future(*args))
        given = None
        try:
            given = method(*args)
            if ask.mode == "sent":
                self._ledger.write("sent", call)
        except RpcError:  # raised at the call, and in the future
            pass
        return Made(call, RpcContext.get_context().get_future(), given)

    def _ask_and_wait(self, call: str, ask: Ask) -> None:
        method, args = self._method(ask), self._arguments(call, ask)
        if ask.mode == "sync":
            self.end(call, lambda: method.sync(*args))
            return
        method(*args)
        self._ledger.write("outcome", call, kind="given", fate="in_doubt")

    # What it hears

    def _start_waiter(self) -> threading.Thread:
        thread = threading.Thread(target=self._wait, name="ledger-waiter", daemon=not self._waits)
        thread.start()
        return thread

    def _wait(self) -> None:
        while (made := self._waiting.get()) is not None:
            self.end(made.id, partial(made.answer, self._within + PATIENCE_S))

    def end(self, call: str, result: Callable[[], Any]) -> None:
        """Write how a call has ended: as *result* tells."""
        try:
            answer = digest(self._carrier.text_of(result()))
        except (Exception, CancelledError) as error:
            if type(error) is not TimeoutError:  # then there is no end, which L1 finds
                self._ledger.write("outcome", call, **_end_of(error))
        else:
            self._ledger.write("outcome", call, kind="ok", fate="-", answer=answer)

    def _tell(self, call: str, future: Future[Any]) -> None:
        self._hear(call, CancelledError() if future.cancelled() else future.exception())

    def _hear(self, call: str, error: BaseException | None) -> None:
        if os.getpid() != self._process:
            return  # a forked child has a copy of the future, which ends there in its own way
        self._ledger.write("told", call, kind="ok" if error is None else _end_of(error)["kind"])

    def repeated(self, made: Made) -> None:
        """Write that a call was made once more, after its future had failed."""
        error = made.future.exception(0)
        assert error is not None
        self._ledger.write("repeated", made.id, **_end_of(error))

    def _on_drop(self, invocation: Invocation, error: BaseException) -> None:
        asked = Asked.of(self._carrier.text_in(invocation.args))
        self._ledger.write("dropped", asked.id, **_end_of(error))

    # Its end

    def wait(self) -> None:
        """Wait until every call so far has ended."""
        self._waiting.put(None)
        self._waiter.join()
        self._waiter = self._start_waiter()

    def close(self) -> None:
        """Wait for every end, close the consumer, and write what it counted."""
        self._waiting.put(None)
        self._waiter.join()
        self.consumer.close(PATIENCE_S)
        self._ledger.write("count", by=self.by, **self.counts())

    def counts(self) -> dict[str, int]:
        """What the consumer counted, over all its references."""
        calls, failed = Counter[str](), Counter[str]()
        for methods in self.consumer.counts().values():
            for counts in methods.values():
                calls.update(calls=counts.calls, running=counts.running)
                failed.update(counts.failures)
        return {"calls": 0, "running": 0, **calls, **{f"failed.{name}": count for name, count in failed.items()}}

    @property
    def made(self) -> int:
        """How many calls were made."""
        return self.counts()["calls"]

    @property
    def attempts(self) -> int:
        """How many attempts were made."""
        return sum(one.attempts for methods in self.consumer.counts().values() for one in methods.values())

    @property
    def unknown_answers(self) -> int | None:
        """How many answers came that no call waited for; None where the transport is not told."""
        told = [one.unknown_answers for one in self.consumer.connections() if one.unknown_answers is not None]
        return sum(told) if told else None


def _end_of(error: BaseException) -> dict[str, str]:
    name = type(error).__name__
    if isinstance(error, CancelledError):
        return {"kind": "cancelled", "fate": "-", "error": name}
    if isinstance(error, MethodFailed):
        return {"kind": "error", "fate": "remote", "error": name, "why": str(error)}
    if not isinstance(error, RpcError):
        return {"kind": "error", "fate": "-", "error": name, "why": str(error)}
    said = {"not_sent": error.not_sent, "in_doubt": error.in_doubt}
    fate = next((one for one, holds in said.items() if holds), "remote")
    kind = "rejected" if isinstance(error, LimitExceeded) and error.not_sent else "error"
    return {"kind": kind, "fate": fate, "error": name, "why": error.message[:200]}

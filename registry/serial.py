"""A serial queue on which listeners hear of what changes, each of the newest state and never two at once."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from enum import Enum
from itertools import chain
from threading import get_ident
from typing import Final, Generic, Literal, TypeVar

from .errors import RegistryError
from .forking import fork_safe_condition, free_in_child

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_log = logging.getLogger("callahead.registry")


class Unknown(Enum):
    """The one value of which nobody is told."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


class SerialQueue(Generic[K, V]):
    """Tells each subscription what *find* says of its key, when it is made and after each `announce`.

    The queue has no thread: whoever announces or subscribes serves it, unless another thread is serving it already; so
    at most one listener runs at a time, and each hears of states in the order in which they came to be. What is queued
    is "look again", never a list: changes that come faster than the listeners take them are told as the newest list,
    and the memory in use does not grow with them. A listener that would hear nothing new is not called.

    In a forked child the queue is free, whoever served it in the parent. What was queued, and who was being told, hears
    of it at the child's next announcement.

    Args:
        name: Of the registry, for errors and the log.
        find: Gives what a key stands for now, or `UNKNOWN`; called from any thread and must not block.
        topic: Gives the part of a key by which `announce` names what has changed; the key itself unless given.
    """

    def __init__(
        self,
        name: str,
        find: Callable[[K], V | Literal[Unknown.UNKNOWN]],
        topic: Callable[[K], Hashable] = lambda key: key,
    ) -> None:
        self._name = name
        self._find = find
        self._topic = topic
        self._changed = fork_safe_condition()
        self._subscriptions: dict[Hashable, list[QueuedSubscription[K, V]]] = {}
        self._due: deque[QueuedSubscription[K, V]] = deque()
        self._added = 0
        self._served = 0
        self._server: int | None = None
        self._telling: dict[QueuedSubscription[K, V], int] = {}  # and the thread that does
        self._closed = False
        free_in_child(self._after_fork)

    def subscribe(self, key: K, listener: Callable[[V], None]) -> QueuedSubscription[K, V]:
        """Begin to tell *listener* of *key*; the first notification has run before this returns, if *key* is known.

        Raises:
            RegistryError: The queue is closed.
        """
        subscription = QueuedSubscription(self, key, listener)
        with self._changed:
            self._require_open()
            self._subscriptions.setdefault(self._topic(key), []).append(subscription)
            nested = self._server == get_ident()
        if nested:  # a listener subscribes: nothing is queued for the new one, so telling it now keeps the order
            self._tell(subscription)
        else:
            self._serve([subscription], wait=True)
        return subscription

    def announce(self, topics: Iterable[Hashable] | None = None, *, wait: bool = True) -> None:
        """Tell every subscription for which *find* now says something new.

        Args:
            topics: What has changed, each once; all unless given. Of thousands of subscriptions those to anything else
                cost nothing.
            wait: Return only when they have been told, even if another thread tells them. A listener that announces
                never waits: they are told when it returns.
        """
        with self._changed:
            listed = self._subscriptions
            some = listed.values() if topics is None else [listed.get(topic, []) for topic in topics]
            subscriptions = [each for those in some for each in those]
        self._serve(subscriptions, wait=wait)

    def close(self) -> None:
        """End every subscription and refuse new ones. Idempotent."""
        with self._changed:
            self._closed = True
            subscriptions = tuple(self._all())
        for subscription in subscriptions:
            subscription.close()

    def __len__(self) -> int:
        return sum(map(len, self._subscriptions.values()))

    def _all(self) -> Iterator[QueuedSubscription[K, V]]:
        return chain.from_iterable(self._subscriptions.values())

    def _require_open(self) -> None:
        if self._closed:
            raise RegistryError(f"registry {self._name} is closed")

    def _serve(self, subscriptions: Iterable[QueuedSubscription[K, V]], *, wait: bool) -> None:
        with self._changed:
            before = len(self._due)
            self._due.extend(subscriptions)
            self._added += len(self._due) - before
            if not self._takes_over(self._added, wait=wait):
                return
        self._drain()

    def _takes_over(self, ticket: int, *, wait: bool) -> bool:
        """Wait until all up to *ticket* is served, or become the one who serves it."""
        while self._served < ticket:
            if self._server is None:
                self._server = get_ident()
                return True
            if not wait or self._server == get_ident():
                return False
            self._changed.wait()
        return False

    def _drain(self) -> None:
        try:
            while (subscription := self._next()) is not None:
                try:
                    self._tell(subscription)
                finally:
                    with self._changed:
                        self._served += 1
                        self._changed.notify_all()
        except BaseException:  # Ctrl-C in a listener: a waiting thread or the next announcement serves the rest
            self._release()
            raise

    def _next(self) -> QueuedSubscription[K, V] | None:
        with self._changed:
            if self._due:
                return self._due.popleft()
            self._server = None
            self._changed.notify_all()
            return None

    def _release(self) -> None:
        with self._changed:
            self._server = None
            self._changed.notify_all()

    def _tell(self, subscription: QueuedSubscription[K, V]) -> None:
        value = self._find(subscription.key)
        if value is UNKNOWN:
            return
        with self._changed:
            if not subscription.takes(value):
                return
            self._telling[subscription] = get_ident()
        try:
            subscription.listener(value)
        except Exception:
            _log.exception("registry %s: the listener of %s failed", self._name, subscription.key)
        finally:
            with self._changed:
                self._telling.pop(subscription, None)
                self._changed.notify_all()

    def end(self, subscription: QueuedSubscription[K, V]) -> None:
        """Take *subscription* out and wait for a notification of it that runs on another thread."""
        with self._changed:
            self._take_out(subscription)
            subscription.is_closed = True
            while self._telling.get(subscription) not in {None, get_ident()}:
                self._changed.wait()

    def _take_out(self, subscription: QueuedSubscription[K, V]) -> None:
        topic = self._topic(subscription.key)
        left = [each for each in self._subscriptions.get(topic, ()) if each is not subscription]
        if left:
            self._subscriptions[topic] = left
        else:
            self._subscriptions.pop(topic, None)

    def _after_fork(self) -> None:
        """Forget the threads that a child does not have; one that forks inside a listener goes on serving."""
        if self._server not in {None, get_ident()}:
            self._server = None
            self._served = self._added
            self._due.clear()
        for subscription in [one for one, thread in self._telling.items() if thread != get_ident()]:
            del self._telling[subscription]
            subscription.forget()


class QueuedSubscription(Generic[K, V]):
    """A `Subscription` in a `SerialQueue`; its attributes belong to the queue."""

    def __init__(self, queue: SerialQueue[K, V], key: K, listener: Callable[[V], None]) -> None:
        self._queue = queue
        self._told: V | Literal[Unknown.UNKNOWN] = UNKNOWN
        self.key = key
        self.listener = listener
        self.is_closed = False

    def takes(self, value: V) -> bool:
        """Take over *value* as told, unless there is nothing new in it or nobody to tell."""
        if self.is_closed or value == self._told:
            return False
        self._told = value
        return True

    def close(self) -> None:
        """End it, as `Subscription.close` promises."""
        self._queue.end(self)

    def forget(self) -> None:
        """Count as not told."""
        self._told = UNKNOWN

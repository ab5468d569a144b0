"""A YAML file of providers and rules as a registry, read again whenever it changes."""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event, Thread, current_thread
from urllib.parse import unquote

from callahead.config.policy import RegistryPolicy
from callahead.config.values.secret import masked

from .api import NotifyListener, Subscription
from .catalogue import Catalogue, Providers, TextKey, counted
from .errors import ProviderDataError, RegistryError, RegistryUnavailable
from .forking import fork_safe_lock, free_in_child, go_on_in_child
from .listing import MAX_BYTES, read_listing
from .models import ServiceKey
from .notify import NotifyQueue
from .serial import SerialQueue
from .settings import duration_ms, location_of, named_at, reject_unknown

_log = logging.getLogger("callahead.registry")

_INTERVAL_MS = 500
# How long a changed file must stay as it is before it is read: whoever writes it in place is not done at once.
_SETTLE_S = 0.05
# A file changed less than this ago may change once more under the same mtime: some file systems count in 2 s.
_YOUNG_NS = 2_000_000_000

_Signature = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _State:
    """What is known of the file; a change is one new state.

    Attributes:
        catalogue: The last good list.
        content: Bytes read last, good or bad; None where they could not be read.
        signature: Of the file as read last; None where it must be read again, whatever its signature.
        problem: Why *catalogue* is not what the file says; "" where it is.
        is_known: A good list was read, ever.
    """

    catalogue: Catalogue
    content: bytes | None
    signature: _Signature | None
    problem: str = ""
    is_known: bool = True


class FileRegistry:
    """Providers and rules in a YAML file, as `callahead.registry.listing` describes it.

    A daemon thread, which the first subscription starts, looks every ``interval`` at modification time, size and inode.
    A list with a fault in it is never taken: the last good one stays, and `problem`, the log and each snapshot's reason
    say why. So it is for a file that vanishes. One that cannot be read at the start is no error of `subscribe`: its
    first snapshot is then empty, and the list comes when it can. An explicit ``[]`` is announced as an empty list. A
    forked child looks by a thread of its own.

    Args:
        policy: Address ``file:///absolute.yml`` or ``file:relative.yml``, percent-encoded where need be; setting
            ``interval``, default 500 ms.

    Raises:
        ConfigError: The address names no file, or a setting is unknown or wrong.
    """

    def __init__(self, policy: RegistryPolicy) -> None:
        self._id = policy.id
        self._path = unquote(location_of(policy))
        if not self._path:
            raise policy.error(
                "address", f'"{masked(policy.address)}" names no file', "write it like file:providers.yml"
            )
        self._named_at = named_at(policy)
        reject_unknown(policy, ("interval",))
        self._interval_s = duration_ms(policy, "interval", _INTERVAL_MS) / 1000
        self._queue = NotifyQueue(policy.id, self._find)
        self._texts = SerialQueue(policy.id, self._text)
        self._lock = fork_safe_lock()
        self._closing = Event()
        self._watcher: Thread | None = None
        self._state: _State | None = None
        free_in_child(self._after_fork)
        go_on_in_child(self._go_on_after_fork)

    @property
    def problem(self) -> str | None:
        """Why the list in use is not what the file says now, with file and line; None where it is."""
        state = self._state
        return state.problem if state is not None and state.problem else None

    def subscribe(self, key: ServiceKey, listener: NotifyListener) -> Subscription:
        """Tell *listener* of the providers of *key*, as `Registry.subscribe` promises.

        Raises:
            RegistryUnavailable: The system has no thread left.
            RegistryError: The registry is closed.
        """
        self._look_first()
        return self._queue.subscribe(key, listener)

    def watch(self, group: str, key: str, listener: Callable[[str | None], None], /) -> Subscription:
        """Tell *listener* of the text under *group* and *key*, as `ConfigurationCentre.watch` promises.

        Raises:
            RegistryUnavailable: The system has no thread left.
            RegistryError: The registry is closed.
        """
        self._look_first()
        return self._texts.subscribe(TextKey(group, key), listener)

    def close(self) -> None:
        """End every subscription and the thread. Idempotent."""
        with self._lock:
            self._closing.set()
            watcher = self._watcher
        self._queue.close()
        self._texts.close()
        if watcher is not None and watcher is not current_thread():
            watcher.join()

    def __repr__(self) -> str:
        return f"<FileRegistry {self._path}{': ' + self.problem if self.problem else ''}>"

    def _look_first(self) -> None:
        """Read the file where it was not read yet, and begin to watch it."""
        with self._lock:
            if self._closing.is_set() or self._state is not None:
                return
            try:
                self._start(self._watch)
            except RuntimeError as error:  # the system has no thread left: the next subscription tries again
                raise RegistryUnavailable(f"{self._path} cannot be watched: {error}") from None
            self._state = state = self._first()
        if not state.is_known:
            self._report(state)

    def _first(self) -> _State:
        try:
            signature = _signature(self._path)
            content = _content(self._path)
            return _State(read_listing(content, self._path), content, _trusted(signature))
        except (RegistryUnavailable, ProviderDataError) as error:
            return _State(Catalogue(self._path), None, None, str(error), is_known=False)

    def _start(self, watch: Callable[[], None]) -> None:
        watcher = Thread(target=watch, name=f"callahead-registry-{self._id}", daemon=True)
        watcher.start()
        self._watcher = watcher

    def _find(self, key: ServiceKey) -> Providers:
        assert self._state is not None
        found, problem = self._state.catalogue.find(key), self._state.problem
        if not self._state.is_known:
            return Providers((), f"{problem}{self._named_at}", is_known=False)
        return found._replace(reason=f"{found.reason}; not renewed: {problem}") if problem else found

    def _text(self, key: TextKey) -> str | None:
        assert self._state is not None
        return self._state.catalogue.texts.get(key)

    def _announce(self) -> None:
        for queue in (self._queue, self._texts):
            queue.announce(wait=False)  # a listener may be closing this registry, which waits for this thread

    def _watch(self) -> None:
        with self._lock:  # until the first list is there
            pass
        while not self._closing.wait(self._interval_s):
            self._poll()

    def _watch_in_child(self) -> None:
        if not self._closing.wait(self._interval_s):
            self._announce()  # the fork may have come between a change and its announcement
            self._watch()

    def _after_fork(self) -> None:
        closed, self._closing = self._closing.is_set(), Event()
        if closed:
            self._closing.set()

    def _go_on_after_fork(self) -> None:
        if self._state is not None and self._watcher is not current_thread() and not self._closing.is_set():
            self._start(self._watch_in_child)

    def _poll(self) -> None:
        old = self._state
        assert old is not None
        try:
            new = self._read_again(old)
        except RegistryUnavailable as error:
            new = replace(old, content=None, signature=None, problem=str(error))
        self._state = new
        if new.catalogue is not old.catalogue or new.problem != old.problem:
            self._report(new)
            self._announce()

    def _read_again(self, old: _State) -> _State:
        signature = _signature(self._path)
        if signature == old.signature or self._closing.wait(min(_SETTLE_S, self._interval_s)):
            return old
        if _signature(self._path) != signature:
            return old  # somebody is writing; the next look will see more
        content = _content(self._path)
        seen = replace(old, content=content, signature=_trusted(signature))
        if content == old.content:
            return seen
        try:
            return replace(seen, catalogue=read_listing(content, self._path), problem="", is_known=True)
        except ProviderDataError as error:
            return replace(seen, problem=str(error))

    def _report(self, state: _State) -> None:
        count = counted(len(state.catalogue))
        if not state.is_known:
            _log.warning("registry %s: %s; nothing is known yet, and it is looked at again", self._id, state.problem)
        elif state.problem:
            text = "registry %s: %s; a list with a fault is not taken, so the last good one stays: %s"
            _log.warning(text, self._id, state.problem, count)
        else:
            _log.info("registry %s: %s: %s", self._id, self._path, count)


def _trusted(signature: _Signature) -> _Signature | None:
    return signature if time.time_ns() - signature[0] > _YOUNG_NS else None


def _signature(path: str) -> _Signature:
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(found.st_mode):  # opening a FIFO would wait for a writer
        raise RegistryUnavailable(f"{path}: it is not a regular file")
    return found.st_mtime_ns, found.st_size, found.st_ino


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: Exception) -> RegistryError:
    if isinstance(error, FileNotFoundError):
        return RegistryUnavailable(f"{path}: the file does not exist")
    why = error.strerror if isinstance(error, OSError) else error
    return RegistryUnavailable(f"{path}: the file cannot be read: {why}")

"""Every lock that something of callahead has, and a thread that holds them."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

_KINDS: Final = (type(threading.Lock()), type(threading.RLock()), threading.Condition, threading.Event)
_SOON_S: Final = 0.2


class Found(NamedTuple):
    """One lock and where it is: ``callahead.registry.merge.MergedRegistry._lock``."""

    place: str
    lock: Any

    @property
    def is_free(self) -> bool:
        """Whether this thread can take it, which it gives back."""
        if self.lock.acquire(timeout=_SOON_S):
            self.lock.release()
            return True
        return False


def locks_of_callahead() -> list[Found]:
    """Find the locks in attributes of all modules and all living objects of callahead, those in collections apart."""
    gc.collect()
    named = {id(one.lock): one for one in _locks()}
    return list(named.values())


@contextmanager
def held(locks: Collection[Found]) -> Iterator[None]:
    """Let another thread hold *locks* in the block."""
    is_held, is_over = threading.Event(), threading.Event()

    def hold() -> None:
        taken = [one.lock for one in locks if one.lock.acquire(timeout=_SOON_S)]
        is_held.set()
        is_over.wait()
        for lock in taken:
            lock.release()

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait()
    try:
        yield
    finally:
        is_over.set()
        holder.join()


def _locks() -> Iterator[Found]:
    for owner, attributes in _owners():
        for name, value in list(attributes.items()):
            if isinstance(value, _KINDS):
                yield Found(f"{owner}.{name}", value._cond if isinstance(value, threading.Event) else value)


def _owners() -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from ((name, vars(module)) for name, module in list(sys.modules.items()) if name.startswith("callahead."))
    for one in gc.get_objects():
        kind = type(one)
        if str(kind.__module__).startswith("callahead."):  # some classes have a descriptor of that name
            yield f"{kind.__module__}.{kind.__qualname__}", _attributes(one, kind)


def _attributes(one: object, kind: type) -> dict[str, Any]:
    """Give the attributes of *one* without calling anything of it."""
    slots = [slot for each in kind.__mro__ for slot in _slots(each)]
    found = {name: value for name in slots if (value := _read(one, name)) is not None}
    return {**found, **(_read(one, "__dict__") or {})}


def _slots(kind: type) -> Collection[str]:
    slots = vars(kind).get("__slots__", ())
    return [slots] if isinstance(slots, str) else slots


def _read(one: object, name: str) -> Any:
    try:
        return object.__getattribute__(one, name)
    except AttributeError:
        return None

"""``callahead demo --registry``: providers and rules come and go while calls run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from callahead.registry import MemoryRegistry
from callahead.registry.memory import MemorySpace

CONFIGURATION: Final = "demo-registry.yml"
SPACE: Final = "callahead-demo"
_SERVICE: Final = "com.alibaba.foo.FooService"
_RULE: Final = f"{_SERVICE}::.condition-router"
_CALLS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change, and what came of the calls around it.

    Attributes:
        what: Of the change.
        running: Calls that were running when it came.
        asked: How many of the calls that began after it each provider was asked for, by its name.
        failed: Calls that failed, of both.
    """

    what: str
    running: int
    asked: Mapping[str, int]
    failed: int


def steps(foo: Any, urls: Mapping[str, str]) -> Iterator[Step]:
    """Make one change after the other while *foo* is called.

    Args:
        foo: The reference.
        urls: Of the providers ``a``, ``b`` and ``c``, of which the first is registered.
    """
    space = MemoryRegistry.named(SPACE)
    names = {url: name for name, url in urls.items()}
    for what, change in _changes(space, urls):
        before = _begun(foo)
        running = sum(not future.done() for future in before)
        change()
        after = _begun(foo)
        failed = sum(future.exception() is not None for future in (*before, *after))
        asked = Counter(names.get(future.provider, "nobody") for future in after)
        yield Step(what=what, running=running, asked=dict(sorted(asked.items())), failed=failed)


def publish_first(urls: Mapping[str, str]) -> None:
    """Register the provider that is there from the start."""
    MemoryRegistry.named(SPACE).publish(_SERVICE, [urls["a"]])


def forget() -> None:
    """Leave nothing behind in this process."""
    MemoryRegistry.named(SPACE).clear()


def _begun(foo: Any) -> list[Any]:
    return [foo.find_foo.future(foo_id=number) for number in range(_CALLS)]


def _changes(space: MemorySpace, urls: Mapping[str, str]) -> list[tuple[str, Callable[[], None]]]:
    a, b, c = (urls[name] for name in "abc")
    port = c.rpartition(":")[2]
    return [
        ("b and c join a", lambda: space.publish(_SERVICE, [a, b, c])),
        ("a rule sends find* to c", lambda: space.write(_RULE, f"conditions: ['method=find* => port={port}']")),
        ("the rule is deleted", lambda: space.write(_RULE, None)),
        ("a leaves", lambda: space.withdraw(_SERVICE, a)),
        ("b's weight becomes three times c's", lambda: space.publish(_SERVICE, [f"{b}?weight=300", c])),
    ]


def document(done: list[Step]) -> dict[str, Any]:
    """Make what ``--json`` prints."""
    names = ("what", "running", "asked", "failed")
    return {"steps": [{name: getattr(step, name) for name in names} for step in done]}

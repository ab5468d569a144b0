"""The code that the demo runs: one function under two configurations, and one that needs no change under a third."""

from __future__ import annotations

from typing import Any

from .. import RpcContext


def find_both(foo: Any, bar: Any) -> tuple[Any, Any]:
    """Find a foo and a bar, in whichever mode the configuration says."""
    foo_now = foo.find_foo(foo_id=1)  # the answer; under async: None, at once
    foo_later = RpcContext.get_context().future  # None; under async: the answer's future
    bar_now = bar.find_bar(bar_id=2)
    bar_later = RpcContext.get_context().future
    found_foo = foo_now if foo_later is None else foo_later.result()
    found_bar = bar_now if bar_later is None else bar_later.result()
    return found_foo, found_bar


def find_unchanged(foo: Any, bar: Any) -> tuple[Any, Any]:
    """Find a foo and a bar, as a program does that knows of no mode."""
    return foo.find_foo(foo_id=1), bar.find_bar(bar_id=2)


SITES = {"sync": find_both, "async": find_both, "lazy": find_unchanged}
"""From a mode of the demo to the function that runs in it."""

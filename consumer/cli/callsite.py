"""The code that the demo runs: written once, run under two configurations."""

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

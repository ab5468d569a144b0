"""The providers of the demos; built in a process of their own."""

from __future__ import annotations

from collections.abc import Mapping

from ..testing import EmbeddedProvider


def build(foo_delay: str, bar_delay: str) -> Mapping[str, EmbeddedProvider]:
    """Make one provider that finds a foo after *foo_delay*, and one that finds a bar after *bar_delay*."""
    foo, bar = _found_after(foo_delay), EmbeddedProvider()
    bar.serve(
        "com.alibaba.bar.BarService",
        module="callahead.conf.bar_pb2",
        find_bar=lambda request: {"bar_id": request.bar_id, "name": f"bar {request.bar_id}"},
    )
    bar.script("find_bar", delay=bar_delay)
    return {"foo": foo, "bar": bar}


def build_many(names: str, delay: str) -> Mapping[str, EmbeddedProvider]:
    """Make a provider for each letter of *names*, that finds a foo after *delay*."""
    return {name: _found_after(delay) for name in names}


def _found_after(delay: str) -> EmbeddedProvider:
    foo = EmbeddedProvider()
    foo.serve(
        "com.alibaba.foo.FooService",
        module="callahead.conf.foo_pb2",
        find_foo=lambda request: {"foo_id": request.foo_id, "name": f"foo {request.foo_id}"},
    )
    foo.script("find_foo", delay=delay)
    return foo

"""Providers of the estate: each tells in its answers which process it is."""

from __future__ import annotations

import os

from callahead.consumer.testing import EmbeddedProvider

SERVICE = "com.alibaba.foo.FooService"


def tri(delay: str = "0ms") -> EmbeddedProvider:
    """Serve over gRPC, each call after *delay*."""
    provider = EmbeddedProvider()
    provider.serve(SERVICE, module="callahead.conf.foo_pb2", findFoo=lambda _: {"foo_id": os.getpid()})
    provider.script("findFoo", delay=delay)
    return provider


def dubbo(delay: str = "0ms") -> EmbeddedProvider:
    """Serve over Dubbo's classic protocol, each call after *delay*."""
    provider = EmbeddedProvider(protocol="dubbo")
    provider.serve(SERVICE, findFoo=lambda _: os.getpid())
    provider.script("findFoo", delay=delay)
    return provider

"""Providers of the estate: each tells in its answers which process it is."""

from __future__ import annotations

import os

from callahead.consumer.testing import EmbeddedProvider

SERVICE = "com.alibaba.foo.FooService"


def tri() -> EmbeddedProvider:
    """Serve over gRPC."""
    provider = EmbeddedProvider()
    provider.serve(SERVICE, module="callahead.conf.foo_pb2", findFoo=lambda _: {"foo_id": os.getpid()})
    return provider


def dubbo() -> EmbeddedProvider:
    """Serve over Dubbo's classic protocol."""
    provider = EmbeddedProvider(protocol="dubbo")
    provider.serve(SERVICE, findFoo=lambda _: os.getpid())
    return provider

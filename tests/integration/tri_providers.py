"""Providers for processes of their own, built by `callahead.consumer.testing.ProviderProcess`."""

from __future__ import annotations

from typing import Any

import helloworld_pb2 as pb
import helloworld_pb2_grpc as pb_grpc

from callahead.consumer.testing import EmbeddedProvider


class Greeter(pb_grpc.GreeterServicer):
    """A plain servicer, as a server without callahead would have it."""

    def SayHello(self, request: Any, context: Any) -> Any:
        """Greet, and give back in the trailers what came as metadata."""
        sent = {key: value for key, value in context.invocation_metadata() if key.startswith("x-")}
        context.send_initial_metadata((("y-first", "1"),))
        context.set_trailing_metadata((*((f"y-{key}", value) for key, value in sent.items()), ("y-last", "2")))
        return pb.HelloReply(message=f"Hello, {request.name}")

    def SpellHello(self, request: Any, context: Any) -> Any:
        """Greet each letter."""
        for letter in request.name:
            yield pb.HelloReply(message=f"Hello, {letter}")

    def GatherHellos(self, request_iterator: Any, context: Any) -> Any:
        """Greet all at once."""
        return pb.HelloReply(message="Hello, " + " and ".join(request.name for request in request_iterator))

    def ChatHello(self, request_iterator: Any, context: Any) -> Any:
        """Greet each as it comes."""
        for request in request_iterator:
            yield pb.HelloReply(message=f"Hello, {request.name}")


def greeter() -> EmbeddedProvider:
    """Build the server of generated servicers, with health and reflection."""
    provider = EmbeddedProvider(reflection=True, health=True)
    pb_grpc.add_GreeterServicer_to_server(Greeter(), provider)
    return provider


def slow_greeter(delay: str) -> EmbeddedProvider:
    """Build a server whose ``SayHello`` takes *delay*."""
    provider = greeter()
    provider.script("SayHello", delay=delay)
    return provider


def shop(foo_delay: str, bar_delay: str) -> dict[str, EmbeddedProvider]:
    """Build the two services of the shop, each as slow as it is told."""
    foo, bar = EmbeddedProvider(), EmbeddedProvider()
    foo.serve(
        "com.alibaba.foo.FooService",
        module="callahead.conf.foo_pb2",
        findFoo=lambda request: {"foo_id": request.foo_id, "name": "foo"},
    )
    bar.serve(
        "com.alibaba.bar.BarService",
        module="callahead.conf.bar_pb2",
        findBar=lambda request: {"bar_id": request.bar_id, "name": "bar"},
    )
    foo.script("findFoo", delay=foo_delay)
    bar.script("findBar", delay=bar_delay)
    return {"foo": foo, "bar": bar}

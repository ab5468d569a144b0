"""A greeter that says nothing but what it was told."""

from __future__ import annotations

from callahead.consumer.testing import EmbeddedProvider


def serve_echoing_greeter(provider: EmbeddedProvider) -> None:
    """Serve each kind of method; what it answers is the names that it was sent."""
    provider.serve(
        "helloworld.Greeter",
        module="helloworld_pb2",
        SayHello=lambda request: {"message": request.name},
        SpellHello=lambda request: ({"message": letter} for letter in request.name),
        GatherHellos=lambda requests: {"message": " ".join(request.name for request in requests)},
        ChatHello=lambda requests: ({"message": request.name} for request in requests),
    )

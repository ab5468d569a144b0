"""Errors of calls through `Consumer.channel`, as programs written for grpcio use them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import grpc
import helloworld_pb2 as pb
import helloworld_pb2_grpc as pb_grpc
import pytest

from callahead.consumer import CallTimeout, Consumer, RemoteError
from callahead.consumer.testing import EmbeddedProvider

CARRIERS = ("grpcio", "http2")

Greeting = Callable[..., Consumer]


def stub_of(consumer: Consumer) -> Any:
    """Make the generated stub."""
    return pb_grpc.GreeterStub(consumer.channel("greeter"))


def ann() -> Any:
    """A request."""
    return pb.HelloRequest(name="Ann")


def test_a_timeout_says_what_it_was(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """Though `CallTimeout` is an OSError, whose text is another's."""
    provider.script("SayHello", hang=True)
    with pytest.raises(CallTimeout, match="no answer within 200 ms") as caught:
        stub_of(greeting(provider.url)).SayHello(ann(), timeout=0.2)
    assert caught.value.args == (caught.value.message,)


def test_an_error_with_metadata_pickles(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """GRPC's own pairs among its fields are no hindrance."""
    provider.script("SayHello", error=RemoteError("no", status="NOT_FOUND", details={"x-why": "gone"}))
    with pytest.raises(grpc.RpcError) as caught:
        stub_of(greeting(provider.url)).SayHello(ann())
    found = pickle.loads(pickle.dumps(caught.value))
    assert (found.code(), found.details()) == (grpc.StatusCode.NOT_FOUND, "no")
    assert dict(found.trailing_metadata()) == {"x-why": "gone"}


def test_a_status_without_text_has_no_details(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """The error's and the future's are both empty."""
    provider.script("SayHello", error=("NOT_FOUND", ""))
    future = stub_of(greeting(provider.url)).SayHello.future(ann())
    assert (future.details(), future.exception().details()) == ("", "")


def test_a_failed_future_has_a_traceback(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """As grpcio's has; one with an answer has none."""
    stub = stub_of(greeting(provider.url))
    assert stub.SayHello.future(ann()).traceback() is None
    provider.script("SayHello", error=("NOT_FOUND", "because"))
    assert stub.SayHello.future(ann()).traceback() is not None

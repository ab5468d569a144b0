"""A gRPC server that stops while calls come in."""

from __future__ import annotations

import threading
import time
from concurrent import futures
from typing import Any

import grpc
import pytest

from callahead.consumer import Consumer, InvocationFuture, RpcError

CARRIERS = ("grpcio", "http2")


class Slow(grpc.GenericRpcHandler):
    """Answers every method after a moment, by an empty message."""

    def service(self, details: Any) -> Any:
        """Take any method."""
        del details
        return grpc.unary_unary_rpc_method_handler(self._answer)

    def _answer(self, request: bytes, context: Any) -> bytes:
        del request, context
        time.sleep(0.002)
        return b""


@pytest.mark.parametrize("grace", [0.2, None], ids=["drains", "stops at once"])
def test_every_call_that_a_stopping_server_does_not_answer_has_a_fate(grace: float | None) -> None:
    """Some are refused before any method ran, some are broken off: each is not sent or in doubt, never neither."""
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=(Slow(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    reference = {"interface": "helloworld.Greeter", "module": "support.protos.helloworld_pb2", "retries": 0}
    config = {"references": {"foo": {**reference, "url": f"tri://127.0.0.1:{port}", "timeout": "10s"}}}
    with Consumer(config) as consumer:
        greeter = consumer.reference("foo")
        greeter.say_hello(name="first")
        calls: list[InvocationFuture] = [greeter.say_hello.future(name="a") for _ in range(100)]
        stopping = threading.Timer(0.05, lambda: server.stop(grace))
        stopping.start()
        until = time.monotonic() + 0.4
        while time.monotonic() < until:
            calls.append(greeter.say_hello.future(name="b"))
            time.sleep(0.001)
        stopping.join()
        errors = [error for call in calls if (error := call.exception(20)) is not None]
    assert errors
    without = [error for error in errors if not isinstance(error, RpcError) or error.not_sent == error.in_doubt]
    assert without == []

"""callahead over `tri` against raw grpcio: the same server, the same bytes, the same number in flight."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc

from callahead.consumer import Consumer, InvocationFuture

from .echo_server import PATH
from .measure import Result, compare
from .servers import grpc_echo

_SERVICE, _, _METHOD = PATH.strip("/").partition("/")


class EchoStub:
    """What grpcio's code generator would make of an echo of bytes."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.echo = channel.unary_unary(PATH, request_serializer=bytes, response_deserializer=bytes)


def configuration(port: int, *, is_async: bool) -> dict[str, Any]:
    """Make the configuration of one echo reference, with everything on that is on by default."""
    return {
        "references": {
            "echo": {
                "interface": _SERVICE,
                "stub": "benchmarks.tri:EchoStub",
                "url": f"tri://127.0.0.1:{port}",
                "methods": {_METHOD: {"async": is_async}},
            }
        }
    }


def run(calls: int, rounds: int, in_flight: int) -> dict[str, list[Result]]:
    """Measure one call at a time, and *in_flight* at once."""
    argument = b"x" * 100
    with (
        grpc_echo() as port,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
        Consumer(configuration(port, is_async=False)) as consumer,
    ):
        raw = EchoStub(channel)
        ours = consumer.reference("echo")
        stub = EchoStub(consumer.channel("echo"))

        def future_of_raw(done: Callable[[Any], None]) -> None:
            # Reads the answer, as anybody would who asked for it; ours has read it when it settles.
            raw.echo.future(argument, timeout=1).add_done_callback(lambda call: done(call.result()))

        def future_of_ours(done: Callable[[Any], None]) -> None:
            future: InvocationFuture = ours.echo.future(argument)
            future.when_settled(done)

        def future_of_stub(done: Callable[[Any], None]) -> None:
            stub.echo.future(argument).when_settled(done)

        return {
            "one at a time": compare(
                {
                    "grpcio blocking": one_by_one(lambda: raw.echo(argument, timeout=1)),
                    "callahead sync": one_by_one(lambda: ours.echo(argument)),
                    "callahead channel": one_by_one(lambda: stub.echo(argument)),
                },
                calls,
                rounds,
            ),
            f"{in_flight} in flight": compare(
                {
                    "grpcio .future()": in_flight_loop(future_of_raw, in_flight),
                    "callahead .future()": in_flight_loop(future_of_ours, in_flight),
                    "callahead channel .future()": in_flight_loop(future_of_stub, in_flight),
                },
                calls,
                rounds,
            ),
        }


def one_by_one(call: Callable[[], Any]) -> Callable[[int], None]:
    def loop(calls: int) -> None:
        for _ in range(calls):
            call()

    return loop


def in_flight_loop(begin: Callable[[Callable[[Any], None]], None], limit: int) -> Callable[[int], None]:
    def loop(calls: int) -> None:
        places = threading.Semaphore(limit)
        for _ in range(calls):
            places.acquire()
            begin(lambda _: places.release())
        for _ in range(limit):
            places.acquire()

    return loop

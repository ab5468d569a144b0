"""callahead over `tri` against raw grpcio: the same server, the same bytes, the same number in flight."""

from __future__ import annotations

from typing import Any

import grpc

from callahead.consumer import Consumer

from .echo_server import PATH
from .loops import by_callback, one_by_one, windowed
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
    """Measure one call at a time, and *in_flight* at once, whose answers are waited for or come by callback."""
    argument = b"x" * 100
    with (
        grpc_echo() as port,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
        Consumer(configuration(port, is_async=False)) as consumer,
    ):
        raw = EchoStub(channel)
        ours = consumer.reference("echo")
        stub = EchoStub(consumer.channel("echo"))

        begins = {
            "grpcio .future()": lambda: raw.echo.future(argument, timeout=1),
            "callahead .future()": lambda: ours.echo.future(argument),
            "callahead channel .future()": lambda: stub.echo.future(argument),
        }

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
                {name: windowed(begin, in_flight) for name, begin in begins.items()}, calls, rounds
            ),
            f"{in_flight} in flight, by callback": compare(
                {name: by_callback(begin, in_flight) for name, begin in begins.items()}, calls, rounds
            ),
        }

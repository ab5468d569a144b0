"""callahead over both carriers of `tri` against raw grpcio: one server, the same bytes and number in flight."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import grpc

from callahead.consumer import Consumer

from .echo_server import PATH
from .measure import compare_calls
from .report import RATIOS, Report
from .servers import grpc_echo

_SERVICE = PATH.split("/")[1]


class EchoStub:
    """What grpcio's code generator would make of an echo of bytes."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.echo = channel.unary_unary(PATH, request_serializer=bytes, response_deserializer=bytes)


def configuration(port: int, carrier: str = "grpcio") -> dict[str, Any]:
    """Make the configuration of one echo reference by *carrier*, with everything on that is on by default."""
    return {
        "references": {
            "echo": {
                "interface": _SERVICE,
                "stub": "benchmarks.tri:EchoStub",
                "url": f"tri://127.0.0.1:{port}",
                "timeout": "30s",
                "carrier": carrier,
            }
        }
    }


def run(calls: int, rounds: int, in_flight: int) -> Report:
    """Measure one call at a time, and *in_flight* at once, whose answers are waited for or come by callback."""
    argument = b"x" * 100
    with ExitStack() as stack:
        port = stack.enter_context(grpc_echo()).port
        raw = EchoStub(stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}")))
        consumer = stack.enter_context(Consumer(configuration(port)))
        ours = consumer.reference("echo")
        http2 = stack.enter_context(Consumer(configuration(port, "http2"))).reference("echo")
        stub = EchoStub(consumer.channel("echo"))
        waits: dict[str, Callable[[], Any]] = {
            "callahead http2": lambda: http2.echo(argument),
            "callahead grpcio": lambda: ours.echo(argument),
            "grpcio blocking": lambda: raw.echo(argument, timeout=30),
            "callahead channel": lambda: stub.echo(argument),
        }
        begins: dict[str, Callable[[], Any]] = {
            "callahead http2": lambda: http2.echo.future(argument),
            "callahead grpcio": lambda: ours.echo.future(argument),
            "grpcio .future()": lambda: raw.echo.future(argument, timeout=30),
            "callahead channel": lambda: stub.echo.future(argument),
        }
        return Report(compare_calls(waits, begins, in_flight, calls, rounds), rounds, (RATIOS,))

"""callahead over `dubbo` beside its peers: zeroc-ice, grpcio and a bare socket, with a 100-byte argument.

Each client has a server of its own protocol in another process; the dubbo provider is in C, the others are Python's own
(Ice dispatches on one thread, grpcio on four), so calls per second say something of the servers too. The processor
time per call is this process' alone and is the fair figure.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

import grpc

from callahead.consumer import Consumer
from callahead.consumer.codec.dubbo.request import END, ArgumentsEncoder, Envelope
from callahead.consumer.interface.java import JavaSignature
from callahead.consumer.wire.header import request_frame

from .ice_peer import ice_proxy, why_not
from .measure import compare_each, ways
from .report import RATIOS, Report
from .servers import dubbo_echo, grpc_echo
from .tri import EchoStub

TEXT = "x" * 100
INTERFACE = "callahead.bench.Echo"


class EchoService:
    """The interface as a Python stub."""

    def echo(self, text: str) -> str:
        """Give *text* back."""
        raise NotImplementedError


def configuration(port: int, interface: str = INTERFACE) -> dict[str, Any]:
    """Make the configuration of one echo reference over dubbo, with everything on that is on by default."""
    return {
        "references": {
            "echo": {
                "interface": interface,
                "stub": "benchmarks.dubbo:EchoService",
                "protocol": "dubbo",
                "url": f"dubbo://127.0.0.1:{port}",
                "timeout": "30s",
            }
        }
    }


class Bare:
    """A blocking socket that sends one ready-made request and waits for its answer: the least that Python can do."""

    def __init__(self, port: int) -> None:
        signature = JavaSignature.of_names("echo", ["java.lang.String"])
        before, after = Envelope.of(INTERFACE, "", "echo", signature.descriptor)
        arguments = ArgumentsEncoder("echo", signature.wire).encode((TEXT,))
        self._frame = request_frame(1, before + arguments + after + END)
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self) -> None:
        """Send, and wait."""
        self._socket.sendall(self._frame)
        self._socket.recv(65536)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def run(calls: int, rounds: int, in_flight: int) -> Report:
    """Measure one call at a time, and *in_flight* at once, whose answers are waited for or come by callback."""
    with ExitStack() as stack:
        port = stack.enter_context(dubbo_echo()).port
        ours = stack.enter_context(Consumer(configuration(port))).reference("echo")
        bare = stack.enter_context(closing(Bare(port)))
        left_out = why_not()
        ice: Any = stack.enter_context(ice_proxy()) if left_out is None else None
        raw = EchoStub(stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{stack.enter_context(grpc_echo()).port}")))
        argument = TEXT.encode()
        waits: dict[str, Callable[[], Any]] = {
            "callahead dubbo": lambda: ours.echo(TEXT),
            "bare socket": bare.call,
            "zeroc-ice blocking": lambda: ice.sayBack(TEXT),
            "grpcio blocking": lambda: raw.echo(argument, timeout=30),
        }
        begins: dict[str, Callable[[], Any]] = {
            "callahead dubbo": lambda: ours.echo.future(TEXT),
            "zeroc-ice AMI": lambda: ice.sayBackAsync(TEXT),
            "grpcio .future()": lambda: raw.echo.future(argument, timeout=30),
        }
        if left_out is not None:
            del waits["zeroc-ice blocking"], begins["zeroc-ice AMI"]
        notes = (RATIOS,) if left_out is None else (RATIOS, left_out)
        return Report(compare_each(ways(waits, begins, in_flight), calls, rounds), rounds, notes)

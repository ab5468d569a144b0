"""callahead over `dubbo` beside its peers: zeroc-ice, grpcio and a bare socket, with a 100-byte argument.

Each client has a server of its own protocol in another process; the dubbo provider is in C, the others are Python's own
(Ice dispatches on one thread, grpcio on four), so calls per second say something of the servers too. The processor
time per call is this process' alone and is the fair figure.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc

from callahead.consumer import Consumer
from callahead.consumer.codec.dubbo.request import RequestEncoder
from callahead.consumer.wire.header import request_frame

from .loops import by_callback, one_by_one, windowed
from .measure import Result, compare
from .servers import dubbo_echo, grpc_echo, ice_echo
from .tri import EchoStub

TEXT = "x" * 100


class EchoService:
    """The interface as a Python stub."""

    def echo(self, text: str) -> str:
        """Give *text* back."""
        raise NotImplementedError


def configuration(port: int) -> dict[str, Any]:
    """Make the configuration of one echo reference over dubbo, with everything on that is on by default."""
    return {
        "references": {
            "echo": {
                "interface": "callahead.bench.Echo",
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
        body = RequestEncoder("callahead.bench.Echo", "", "echo", "Ljava/lang/String;").encode((TEXT,))
        self._frame = request_frame(1, body)
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self) -> None:
        """Send, and wait."""
        self._socket.sendall(self._frame)
        self._socket.recv(65536)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _ice_proxy(stack: ExitStack) -> Any:
    import Ice  # type: ignore[import-not-found]

    port = stack.enter_context(ice_echo())
    Ice.loadSlice(str(Path(__file__).with_name("echo.ice")))
    import CallaheadBench  # type: ignore[import-not-found]

    communicator = stack.enter_context(Ice.initialize())
    return CallaheadBench.EchoPrx.checkedCast(communicator.stringToProxy(f"echo:tcp -h 127.0.0.1 -p {port}"))


def run(calls: int, rounds: int, in_flight: int) -> dict[str, list[Result]]:
    """Measure one call at a time, and *in_flight* at once; the first variant of each part is the peer of the ratios."""
    with ExitStack() as stack:
        dubbo_port = stack.enter_context(dubbo_echo())
        ours = stack.enter_context(Consumer(configuration(dubbo_port))).reference("echo")
        bare = Bare(dubbo_port)
        stack.callback(bare.close)
        ice = _ice_proxy(stack)
        channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{stack.enter_context(grpc_echo())}"))
        raw = EchoStub(channel)
        argument = TEXT.encode()

        begins = {
            "zeroc-ice AMI": lambda: ice.sayBackAsync(TEXT),
            "callahead dubbo": lambda: ours.echo.future(TEXT),
            "grpcio .future()": lambda: raw.echo.future(argument, timeout=30),
        }

        return {
            "one at a time": compare(
                {
                    "bare socket": one_by_one(bare.call),
                    "callahead dubbo": one_by_one(lambda: ours.echo(TEXT)),
                    "zeroc-ice blocking": one_by_one(lambda: ice.sayBack(TEXT)),
                    "grpcio blocking": one_by_one(lambda: raw.echo(argument, timeout=30)),
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

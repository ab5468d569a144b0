"""callahead over both carriers of `tri` against raw grpcio: one server, the same bytes and number in flight."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from typing import Any, NamedTuple

import grpc

from callahead.consumer import Consumer

from .bare_tri import BareClient
from .echo_server import ECHO, REPEAT, TRACED
from .loops import Loop, windowed
from .measure import Row, compare, compare_each, ways
from .report import RATIOS, Report
from .servers import Tls, certificate, grpc_echo, grpc_go_echo

_SERVICE = ECHO.split("/")[1]
_ARGUMENT = b"x" * 100
_MESSAGES = 100
SERVERS = {"python": grpc_echo, "go": grpc_go_echo}
"""What starts each server, by its language."""


class EchoStub:
    """What grpcio's code generator would make of an echo of bytes."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.echo = channel.unary_unary(ECHO, request_serializer=bytes, response_deserializer=bytes)
        self.traced = channel.unary_unary(TRACED, request_serializer=bytes, response_deserializer=bytes)
        self.repeat = channel.unary_stream(REPEAT, request_serializer=bytes, response_deserializer=bytes)


def configuration(port: int, carrier: str = "grpcio", tls: Tls | None = None, **more: Any) -> dict[str, Any]:
    """Make the configuration of one echo reference by *carrier*, with everything on that is on by default."""
    ssl = {} if tls is None else {"ssl": {"ca": str(tls.certificate)}}
    reference = {
        "interface": _SERVICE,
        "stub": "benchmarks.tri:EchoStub",
        "url": f"tri://127.0.0.1:{port}",
        "timeout": "30s",
        "carrier": carrier,
    }
    return {"references": {"echo": {**reference, **ssl, **more}}}


class Peers(NamedTuple):
    """The clients that are compared, each but the bare one with the methods of `EchoStub`."""

    http2: Any
    grpcio: Any
    raw: EchoStub
    channel: EchoStub
    bare: BareClient


def run(calls: int, rounds: int, in_flight: int, streams: int, server: str, *, tls: bool) -> Report:
    """Measure one call at a time, and *in_flight* at once, whose answers are waited for or come by callback.

    Then calls whose trailers are never the same, and *streams* at once of 100 messages each.
    """
    with ExitStack() as stack:
        peers = _peers(stack, server, stack.enter_context(certificate()) if tls else None)
        parts = {
            **_unary(peers, in_flight, calls, rounds),
            f"{in_flight} in flight, each with a trailer of its own": compare(_traced(peers, in_flight), calls, rounds),
            f"{streams:,} streams of {_MESSAGES} messages, for each message": _streams(peers, streams, rounds),
        }
    return Report(parts, rounds, (RATIOS, f"against a server in {server.capitalize()}, {'TLS' if tls else 'plain'}"))


def _peers(stack: ExitStack, server: str, tls: Tls | None) -> Peers:
    port = stack.enter_context(SERVERS[server](tls)).port
    consumers = [stack.enter_context(Consumer(configuration(port, one, tls))) for one in ("http2", "grpcio")]
    http2, grpcio = (consumer.reference("echo") for consumer in consumers)
    raw = EchoStub(stack.enter_context(_channel(f"127.0.0.1:{port}", tls)))
    bare = stack.enter_context(closing(BareClient(port, ECHO, _ARGUMENT, tls)))
    return Peers(http2, grpcio, raw, EchoStub(consumers[0].channel("echo")), bare)


def _channel(target: str, tls: Tls | None) -> grpc.Channel:
    if tls is None:
        return grpc.insecure_channel(target)
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(tls.certificate.read_bytes()))


def _unary(peers: Peers, in_flight: int, calls: int, rounds: int) -> dict[str, list[Row]]:
    http2, grpcio, raw, channel, bare = peers
    waits: dict[str, Callable[[], Any]] = {
        "callahead http2": lambda: http2.echo(_ARGUMENT),
        "callahead grpcio": lambda: grpcio.echo(_ARGUMENT),
        "grpcio blocking": lambda: raw.echo(_ARGUMENT, timeout=30),
        "callahead channel": lambda: channel.echo(_ARGUMENT),
        "bare socket": bare.call,
    }
    begins: dict[str, Callable[[], Any]] = {
        "callahead http2": lambda: http2.echo.future(_ARGUMENT),
        "callahead grpcio": lambda: grpcio.echo.future(_ARGUMENT),
        "grpcio .future()": lambda: raw.echo.future(_ARGUMENT, timeout=30),
        "callahead channel": lambda: channel.echo.future(_ARGUMENT),
    }
    loops = ways(waits, begins, in_flight)
    loops[f"{in_flight} in flight"]["bare socket"] = bare.windowed(in_flight)
    return compare_each(loops, calls, rounds)


def _traced(peers: Peers, in_flight: int) -> Mapping[str, Loop]:
    return {
        "callahead http2": windowed(lambda: peers.http2.traced.future(_ARGUMENT), in_flight),
        "grpcio .future()": windowed(lambda: peers.raw.traced.future(_ARGUMENT, timeout=30), in_flight),
    }


def _streams(peers: Peers, count: int, rounds: int) -> list[Row]:
    request = b"%d" % _MESSAGES
    loops = {
        "callahead http2": at_once(lambda: peers.http2.repeat(request), count),
        "callahead grpcio": at_once(lambda: peers.grpcio.repeat(request), count),
        "grpcio": at_once(lambda: peers.raw.repeat(request, timeout=30), count),
    }
    return compare(loops, count * _MESSAGES, rounds)


def at_once(begin: Callable[[], Iterator[bytes]], count: int) -> Loop:
    """Begin up to *count* streams before the first one is read, and read each to its end."""

    def loop(messages: int) -> None:
        begun = deque(begin() for _ in range(min(count, -(-messages // _MESSAGES))))
        came = 0
        while begun:
            came += sum(1 for _ in begun.popleft())
        assert came >= messages

    return loop

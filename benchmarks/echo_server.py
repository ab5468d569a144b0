"""A gRPC server in its own process that gives each request back; prints its port, ends when its input closes.

``python -m benchmarks.echo_server [CERTIFICATE KEY]``; with these it speaks TLS.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

_SERVICE = "/callahead.bench.Echo"
ECHO = f"{_SERVICE}/echo"
TRACED = f"{_SERVICE}/traced"
"""Answers with a trailer that no other answer has."""

REPEAT = f"{_SERVICE}/repeat"
"""Gives as many answers as its request, a number in text, says."""

_ANSWER_BYTES = 100
_MIX = 0x9E3779B97F4A7C15
_64_BITS = (1 << 64) - 1
_traces = itertools.count()


def _traced(request: bytes, context: grpc.ServicerContext) -> bytes:
    number = next(_traces)
    context.set_trailing_metadata([("trace-id", f"{number * _MIX & _64_BITS:016x}-{number:016x}")])
    return request


def _repeat(request: bytes, _: grpc.ServicerContext) -> Iterator[bytes]:
    return itertools.repeat(bytes(_ANSWER_BYTES), int(request))


class _Echo(grpc.GenericRpcHandler):
    def __init__(self) -> None:
        self._handlers = {
            ECHO: grpc.unary_unary_rpc_method_handler(lambda request, _: request),
            TRACED: grpc.unary_unary_rpc_method_handler(_traced),
            REPEAT: grpc.unary_stream_rpc_method_handler(_repeat),
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return self._handlers.get(handler_call_details.method)


def main(*tls: str) -> None:
    """Serve until the input ends."""
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((_Echo(),))
    if tls:
        chain, key = (Path(path).read_bytes() for path in tls)
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    main(*sys.argv[1:])

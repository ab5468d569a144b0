"""The program under test: cases on standard input, what became of each on standard output.

``python -m tests.interop.connectconformance.client NAME``; the names are those of `CLIENTS`.
"""

from __future__ import annotations

import math
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, Any

from connectrpc.conformance.v1 import client_compat_pb2 as compat

from .case import Case
from .messages import seconds_of
from .peers import Consumers, PlainChannels
from .reference_call import ReferenceCall
from .stub_call import StubCall

_AT_ONCE = 16


CarryOut = Callable[[Any], Any]
"""Makes a result of a case."""


def _grpcio(folder: Path) -> CarryOut:
    del folder
    channels = PlainChannels()
    return lambda request: Case(StubCall(channels.to(request), request), request).run()


def _channel(folder: Path, *, futures: bool = False, **settings: Any) -> CarryOut:
    consumers = Consumers(folder, lambda _: settings)

    def carry_out(request: Any) -> Any:
        channel = consumers.to(request).channel("conformance")
        # A stub's call that names no timeout has the configured one, so that a call without any has to say so.
        return Case(StubCall(channel, request, unbounded=math.inf, futures=futures), request).run()

    return carry_out


def _reference(folder: Path, **settings: Any) -> CarryOut:
    consumers = Consumers(folder, lambda request: _timeout(request) | settings)
    return lambda request: Case(ReferenceCall(consumers.to(request), request), request).run()


def _timeout(request: Any) -> dict[str, Any]:
    seconds = seconds_of(request)
    own = {} if seconds is None else {"timeout": f"{seconds * 1000:.0f}ms"}
    return {"module": "connectrpc.conformance.v1.service_pb2", "retries": 0, **own}


CLIENTS: dict[str, Callable[[Path], CarryOut]] = {
    "grpcio": _grpcio,
    "channel": partial(_channel, carrier="grpcio"),
    "futures": partial(_channel, futures=True, carrier="grpcio"),
    "sent": partial(_channel, futures=True, sent=True, carrier="grpcio"),
    "reference": partial(_reference, carrier="grpcio"),
    "http2": partial(_reference, carrier="http2"),
    "http2-channel": partial(_channel, carrier="http2"),
    "http2-futures": partial(_channel, futures=True, carrier="http2"),
    "http2-sent": partial(_channel, futures=True, sent=True, carrier="http2"),
}
"""By which means a client under test calls."""


def _cases(stream: IO[bytes]) -> Iterator[Any]:
    while head := stream.read(4):
        yield compat.ClientCompatRequest.FromString(stream.read(int.from_bytes(head)))


def _response(carry_out: CarryOut, request: Any) -> Any:
    response = compat.ClientCompatResponse(test_name=request.test_name)
    try:
        response.response.CopyFrom(carry_out(request))
    except Exception as error:  # whatever it was, the suite wants an answer to each case
        response.error.message = repr(error)
    return response


def main(name: str) -> None:
    """Carry out every case, some at once."""
    out, lock = sys.stdout.buffer, threading.Lock()

    def answer(carry_out: CarryOut, request: Any) -> None:
        data = _response(carry_out, request).SerializeToString()
        with lock:
            out.write(len(data).to_bytes(4) + data)
            out.flush()

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(_AT_ONCE) as pool:
        carry_out = CLIENTS[name](Path(folder))
        for request in _cases(sys.stdin.buffer):
            pool.submit(answer, carry_out, request)


if __name__ == "__main__":
    main(sys.argv[1])

"""The interop service by grpcio: prints its port, and ends with its input."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import test_service_pb2 as pb
import test_service_pb2_grpc as pb_grpc

_INITIAL = "x-grpc-test-echo-initial"
_TRAILING = "x-grpc-test-echo-trailing-bin"
_THREADS = 16
_OPTIONS = [("grpc.max_metadata_size", 1 << 20), ("grpc.absolute_max_metadata_size", 1 << 20)]


class TestService(pb_grpc.TestServiceServicer):
    """Answers as gRPC's descriptions of its interop tests say."""

    def EmptyCall(self, request: Any, context: Any) -> Any:
        """Answer nothing."""
        return pb.Empty()

    def UnaryCall(self, request: Any, context: Any) -> Any:
        """Answer as many bytes as are asked for, or the status that is."""
        _echo_metadata(context)
        _refuse(request, context)
        context.set_compression(_compression(request.response_compressed))
        return pb.SimpleResponse(payload=_payload(request.response_size))

    def StreamingInputCall(self, request_iterator: Iterable[Any], context: Any) -> Any:
        """Answer how many bytes came."""
        size = sum(len(request.payload.body) for request in request_iterator)
        return pb.StreamingInputCallResponse(aggregated_payload_size=size)

    def StreamingOutputCall(self, request: Any, context: Any) -> Iterator[Any]:
        """Answer one message for each that is asked for."""
        if any(asked.compressed.value for asked in request.response_parameters):
            context.set_compression(grpc.Compression.Gzip)
        return _answers(request, context)

    def FullDuplexCall(self, request_iterator: Iterable[Any], context: Any) -> Iterator[Any]:
        """Answer each request likewise, or the status that one asks for."""
        _echo_metadata(context)
        for request in request_iterator:
            _refuse(request, context)
            yield from _answers(request, context)


def _answers(request: Any, context: Any) -> Iterator[Any]:
    for asked in request.response_parameters:
        time.sleep(asked.interval_us / 1e6)
        if not asked.compressed.value:
            context.disable_next_message_compression()
        yield pb.StreamingOutputCallResponse(payload=_payload(asked.size))


def _payload(size: int) -> Any:
    return pb.Payload(body=bytes(size))


def _compression(wanted: Any) -> grpc.Compression:
    return grpc.Compression.Gzip if wanted.value else grpc.Compression.NoCompression


def _refuse(request: Any, context: Any) -> None:
    status = request.response_status
    if status.code:
        codes = {code.value[0]: code for code in grpc.StatusCode}
        context.abort(codes[status.code], status.message)


def _echo_metadata(context: Any) -> None:
    sent = dict(context.invocation_metadata())
    if _INITIAL in sent:
        context.send_initial_metadata([(_INITIAL, sent[_INITIAL])])
    if _TRAILING in sent:
        context.set_trailing_metadata([(_TRAILING, sent[_TRAILING])])


def main() -> None:
    """Serve."""
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=_OPTIONS)
    pb_grpc.add_TestServiceServicer_to_server(TestService(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(0).wait()


if __name__ == "__main__":
    main()

"""The cases of gRPC's interop tests, against its servers in several languages, by stubs on either carrier.

Source: gRPC's ``doc/interop-test-descriptions.md``. Left out are those that need accounts of Google's cloud, and those
in which the server tells whether a request was compressed, which none of these can.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import test_service_pb2 as pb
import test_service_pb2_grpc as pb_grpc

from callahead.consumer import Consumer

pytestmark = pytest.mark.slow

REQUEST_BYTES = 271_828
ANSWER_BYTES = 314_159
UPLOADS = (27_182, 8, 1_828, 45_904)
DOWNLOADS = (31_415, 9, 2_653, 58_979)
INITIAL = ("x-grpc-test-echo-initial", "test_initial_metadata_value")
TRAILING = ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab")
SPECIAL = (
    "\t\ntest with whitespace\r\nand Unicode BMP \N{WHITE SMILING FACE} and non-BMP \N{SMILING FACE WITH HORNS}\t\n"
)
COMPRESSING = pytest.mark.parametrize("kind", ["grpcio", "grpc-java"], indirect=True)
"""Those that compress answers as they are asked to; grpc-go compresses as the request was, grpclib never."""


@pytest.fixture
def stub(consumer: Consumer) -> Any:
    """An unmodified stub on a channel of ours."""
    return pb_grpc.TestServiceStub(consumer.channel("TestService"))


def payload(size: int) -> Any:
    return pb.Payload(body=bytes(size))


def large(**more: Any) -> Any:
    return pb.SimpleRequest(response_size=ANSWER_BYTES, payload=payload(REQUEST_BYTES), **more)


def duplex(size: int, upload: int) -> Any:
    return pb.StreamingOutputCallRequest(response_parameters=[{"size": size}], payload=payload(upload))


def check_large(answer: Any) -> None:
    assert answer.payload.body == bytes(ANSWER_BYTES)


def sizes(answers: Any) -> list[int]:
    return [len(answer.payload.body) for answer in answers]


class Turns(Iterator[Any]):
    """Requests that come one at a time, as the test gives them."""

    def __init__(self) -> None:
        self._given: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def give(self, request: Any) -> None:
        """Let one more be sent; None ends them."""
        self._given.put(request)

    def __next__(self) -> Any:
        request = self._given.get()
        if request is None:
            raise StopIteration
        return request


def failure(call: Any) -> Any:
    """The error of a call that blocks or streams."""
    with pytest.raises(grpc.RpcError) as caught:
        list(call())
    return caught.value


def test_empty_unary(stub: Any) -> None:
    """Messages of no bytes."""
    assert stub.EmptyCall(pb.Empty()) == pb.Empty()


def test_large_unary(stub: Any) -> None:
    """Messages of more bytes than a window has."""
    check_large(stub.UnaryCall(large()))


def test_client_streaming(stub: Any) -> None:
    """Four requests, of which the answer tells the size."""
    requests = (pb.StreamingInputCallRequest(payload=payload(size)) for size in UPLOADS)
    assert stub.StreamingInputCall(requests).aggregated_payload_size == sum(UPLOADS)


def test_server_streaming(stub: Any) -> None:
    """Four answers, in order."""
    request = pb.StreamingOutputCallRequest(response_parameters=[{"size": size} for size in DOWNLOADS])
    assert sizes(stub.StreamingOutputCall(request)) == list(DOWNLOADS)


def test_ping_pong(stub: Any) -> None:
    """Each request is sent once the one before is answered."""
    turns = Turns()
    answers = stub.FullDuplexCall(turns)
    for size, upload in zip(DOWNLOADS, UPLOADS, strict=True):
        turns.give(duplex(size, upload))
        assert len(next(answers).payload.body) == size
    turns.give(None)
    assert list(answers) == []
    assert answers.code() is grpc.StatusCode.OK


def test_empty_stream(stub: Any) -> None:
    """No request, and no answer."""
    assert list(stub.FullDuplexCall(iter(()))) == []


def test_cancel_after_begin(stub: Any) -> None:
    """Before there was a request."""
    turns = Turns()
    call = stub.StreamingInputCall.future(turns)
    assert call.cancel()
    turns.give(None)
    assert call.cancelled()
    assert call.code() is grpc.StatusCode.CANCELLED


def test_cancel_after_first_response(stub: Any) -> None:
    """A stream that has begun to answer."""
    turns = Turns()
    turns.give(duplex(31_415, 27_182))
    call = stub.FullDuplexCall(turns)
    assert len(next(call).payload.body) == 31_415
    call.cancel()
    turns.give(None)
    with pytest.raises(grpc.RpcError):
        next(call)
    assert call.code() is grpc.StatusCode.CANCELLED


def test_timeout_on_sleeping_server(stub: Any) -> None:
    """A server that waits for more than comes."""
    turns = Turns()
    turns.give(pb.StreamingOutputCallRequest(payload=payload(27_182)))
    error = failure(lambda: stub.FullDuplexCall(turns, timeout=0.001))
    turns.give(None)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("text", ["test status message", SPECIAL], ids=["plain", "special"])
@pytest.mark.parametrize("is_stream", [False, True], ids=["unary", "stream"])
def test_status_code_and_message(stub: Any, text: str, is_stream: bool) -> None:
    """They come as the server gave them, whitespace and letters beyond ASCII included."""
    status = {"code": grpc.StatusCode.UNKNOWN.value[0], "message": text}
    if is_stream:
        error = failure(lambda: stub.FullDuplexCall(iter([pb.StreamingOutputCallRequest(response_status=status)])))
    else:
        error = failure(lambda: stub.UnaryCall(pb.SimpleRequest(response_status=status)))
    assert (error.code(), error.details()) == (grpc.StatusCode.UNKNOWN, text)


def test_unimplemented_method(stub: Any) -> None:
    """That the service has, and the server not."""
    assert failure(lambda: stub.UnimplementedCall(pb.Empty())).code() is grpc.StatusCode.UNIMPLEMENTED


def test_unimplemented_service(consumer: Consumer) -> None:
    """That the server has not."""
    stub = pb_grpc.UnimplementedServiceStub(consumer.channel("UnimplementedService"))
    assert failure(lambda: stub.UnimplementedCall(pb.Empty())).code() is grpc.StatusCode.UNIMPLEMENTED


def test_custom_metadata_of_a_unary_call(stub: Any) -> None:
    """Text before the answer, bytes behind it."""
    answer, call = stub.UnaryCall.with_call(large(), metadata=(INITIAL, TRAILING))
    check_large(answer)
    check_metadata(call)


def test_custom_metadata_of_a_stream(stub: Any) -> None:
    """Likewise."""
    call = stub.FullDuplexCall(iter([duplex(ANSWER_BYTES, REQUEST_BYTES)]), metadata=(INITIAL, TRAILING))
    assert sizes(call) == [ANSWER_BYTES]
    check_metadata(call)


def check_metadata(call: Any) -> None:
    assert INITIAL in [tuple(pair) for pair in call.initial_metadata()]
    assert TRAILING in [tuple(pair) for pair in call.trailing_metadata()]


@pytest.mark.parametrize("kind", ["grpcio", "grpc-go", "grpc-java"], indirect=True)
def test_compressed_requests_are_read(stub: Any) -> None:
    """By every server that knows gzip; grpc-go compresses its answer, too."""
    check_large(stub.UnaryCall(large(), compression=grpc.Compression.Gzip))


@COMPRESSING
@pytest.mark.parametrize("compressed", [True, False])
def test_server_compressed_unary(stub: Any, compressed: bool) -> None:
    """An answer that the server was asked to compress, or not to."""
    check_large(stub.UnaryCall(large(response_compressed={"value": compressed})))


@COMPRESSING
def test_server_compressed_streaming(stub: Any) -> None:
    """One answer is compressed, and the next one not."""
    asked = [{"compressed": {"value": True}, "size": 31_415}, {"compressed": {"value": False}, "size": 92_653}]
    assert sizes(stub.StreamingOutputCall(pb.StreamingOutputCallRequest(response_parameters=asked))) == [31_415, 92_653]

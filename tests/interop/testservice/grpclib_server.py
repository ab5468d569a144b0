"""The interop service by grpclib, which is Python on the h2 library: prints its port, and ends with its input."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import test_service_pb2 as pb
from grpclib import GRPCError, Status
from grpclib.const import Cardinality, Handler
from grpclib.server import Server

_INITIAL = "x-grpc-test-echo-initial"
_TRAILING = "x-grpc-test-echo-trailing-bin"
_HANDLED = Callable[[Any], Awaitable[None]]


async def _empty(stream: Any) -> None:
    await stream.recv_message()
    await stream.send_message(pb.Empty())


async def _unary(stream: Any) -> None:
    request = await stream.recv_message()
    await _begin(stream)
    _refuse(request)
    await stream.send_message(pb.SimpleResponse(payload=pb.Payload(body=bytes(request.response_size))))
    await _end(stream)


async def _input(stream: Any) -> None:
    size = 0
    async for request in stream:
        size += len(request.payload.body)
    await stream.send_message(pb.StreamingInputCallResponse(aggregated_payload_size=size))


async def _output(stream: Any) -> None:
    await _answer(stream, await stream.recv_message())


async def _duplex(stream: Any) -> None:
    await _begin(stream)
    async for request in stream:
        _refuse(request)
        await _answer(stream, request)
    await _end(stream)


async def _answer(stream: Any, request: Any) -> None:
    for asked in request.response_parameters:
        await asyncio.sleep(asked.interval_us / 1e6)
        await stream.send_message(pb.StreamingOutputCallResponse(payload=pb.Payload(body=bytes(asked.size))))


def _refuse(request: Any) -> None:
    status = request.response_status
    if status.code:
        raise GRPCError(Status(status.code), status.message)


async def _begin(stream: Any) -> None:
    if (value := stream.metadata.get(_INITIAL)) is not None:
        await stream.send_initial_metadata(metadata={_INITIAL: value})


async def _end(stream: Any) -> None:
    if (value := stream.metadata.get(_TRAILING)) is not None:
        await stream.send_trailing_metadata(metadata={_TRAILING: value})


class TestService:
    """Answers as gRPC's descriptions of its interop tests say; what grpclib has not, compression, it leaves out."""

    def __mapping__(self) -> Mapping[str, Handler]:
        """Tell grpclib what is served, as code that is generated for it does."""
        service = pb.DESCRIPTOR.services_by_name["TestService"]
        kinds: dict[str, tuple[_HANDLED, Cardinality]] = {
            "EmptyCall": (_empty, Cardinality.UNARY_UNARY),
            "UnaryCall": (_unary, Cardinality.UNARY_UNARY),
            "StreamingInputCall": (_input, Cardinality.STREAM_UNARY),
            "StreamingOutputCall": (_output, Cardinality.UNARY_STREAM),
            "FullDuplexCall": (_duplex, Cardinality.STREAM_STREAM),
        }
        return {
            f"/{service.full_name}/{name}": Handler(
                handle,
                kind,
                getattr(pb, service.methods_by_name[name].input_type.name),
                getattr(pb, service.methods_by_name[name].output_type.name),
            )
            for name, (handle, kind) in kinds.items()
        }


async def _serve() -> None:
    server = Server([TestService()])
    await server.start("127.0.0.1", 0)
    assert server._server is not None
    print(server._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(_serve())

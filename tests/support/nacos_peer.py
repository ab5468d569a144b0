"""A server that speaks as Nacos does over gRPC, in this process, and says what a test tells it to."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, Queue
from threading import Condition
from types import TracebackType
from typing import Any, Self

import grpc

from callahead.registry.nacos.payload import Body, Message, decode, encode

Answer = Callable[[Body], Message]
_WAIT_S = 10.0
_OK = {"resultCode": 200, "errorCode": 0}


def listing(*hosts: str) -> dict[str, Any]:
    """What is said of the service ``providers:a.B::`` with a provider at each of *hosts*."""
    metadata = {"protocol": "tri", "path": "a.B"}
    instances = [{"ip": host, "port": 1, "weight": 1.0, "metadata": metadata} for host in hosts]
    return {"serviceInfo": {"name": "providers:a.B::", "groupName": "DEFAULT_GROUP", "hosts": instances}}


class NacosPeer:
    """Answers each request with OK and nothing else, unless *answers* has more to say for its kind.

    Args:
        credentials: Of a server that speaks TLS.

    Attributes:
        answers: By the kind of the request, without its last word.
        heard: All that clients said, in order: requests, and what they say on their streams.
        ends_streams: Every stream is ended as soon as it is made.
    """

    def __init__(self, credentials: grpc.ServerCredentials | None = None) -> None:
        self.answers: dict[str, Callable[[Body], Body]] = {}
        self.heard: list[Message] = []
        self.ends_streams = False
        self._changed = Condition()
        self._pushes: Queue[Message] = Queue()
        self._ending = False
        self._pool = ThreadPoolExecutor(8)
        self._server = grpc.server(self._pool, handlers=[self._unary(), self._streaming()])
        self.port = self._bind(credentials) - 1000

    @property
    def address(self) -> str:
        """``host:port``, of which gRPC is 1000 above."""
        return f"127.0.0.1:{self.port}"

    def push(self, kind: str, **body: Any) -> None:
        """Say something on the stream that is looked at first."""
        self._pushes.put(Message(kind, body))

    def count(self, kind: str) -> int:
        """How often *kind* was heard."""
        return sum(message.kind == kind for message in self.heard)

    def wait_for(self, kind: str, times: int = 1) -> Body:
        """Wait until *kind* was heard so often, and give what the last of them said."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.count(kind) >= times, _WAIT_S), self.heard
        return [message.body for message in self.heard if message.kind == kind][times - 1]

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending = True
        self._server.stop(0).wait(_WAIT_S)
        self._pool.shutdown()

    def _bind(self, credentials: grpc.ServerCredentials | None) -> int:
        """Bind a port above 1000, since that of HTTP is so much lower."""
        while True:
            address = f"127.0.0.1:{random.randrange(20_000, 32_000)}"
            try:
                if credentials is None:
                    return self._server.add_insecure_port(address)
                return self._server.add_secure_port(address, credentials)
            except RuntimeError:
                continue

    def _unary(self) -> grpc.GenericRpcHandler:
        method = grpc.unary_unary_rpc_method_handler(self._answer)
        return grpc.method_handlers_generic_handler("Request", {"request": method})

    def _streaming(self) -> grpc.GenericRpcHandler:
        method = grpc.stream_stream_rpc_method_handler(self._talk)
        return grpc.method_handlers_generic_handler("BiRequestStream", {"requestBiStream": method})

    def _hear(self, data: bytes) -> Message:
        message = decode(data)
        with self._changed:
            self.heard.append(message)
            self._changed.notify_all()
        return message

    def _answer(self, data: bytes, _: grpc.ServicerContext) -> bytes:
        message = self._hear(data)
        name = message.kind.removesuffix("Request")
        body = self.answers.get(name, lambda _: {})(message.body)
        return encode(Message(f"{name}Response", {**_OK, **body}), {}, "")

    def _talk(self, said: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        self._hear(next(said))
        if self.ends_streams:
            return
        self._pool.submit(self._listen, said)
        while context.is_active() and not self._ending:
            try:
                push = self._pushes.get(timeout=0.02)
            except Empty:
                continue
            yield encode(push, {}, "")

    def _listen(self, said: Iterator[bytes]) -> None:
        try:
            for data in said:
                self._hear(data)
        except Exception:  # of a stream that has ended
            return

"""A real gRPC server for tests, that serves Python functions and does what a test tells it to."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pool import DescriptorPool

from callahead.config.extension import nearest
from callahead.config.policy import SslPolicy
from callahead.consumer.testing.call import ProviderCall
from callahead.consumer.testing.discovery import Handlers, health_handlers, reflection_handlers
from callahead.consumer.testing.port import HOST, Port
from callahead.consumer.testing.script import NO_ANSWER, Error, make_step, wrong
from callahead.consumer.testing.served import Served, from_function, from_rpc_handler
from callahead.consumer.testing.service import functions_of, pool_of, server_credentials, service_of
from callahead.consumer.testing.workers import Workers
from callahead.consumer.transport.tri.method_types import ServiceTypes, folded

OPTIONS = (
    ("grpc.so_reuseport", 1),
    ("grpc.max_receive_message_length", -1),
    # By default gRPC cancels calls that come faster than Python takes them, beyond 1000 to 3000.
    ("grpc.server.max_pending_requests", 1_000_000),
    ("grpc.server.max_pending_requests_hard_limit", 1_000_000),
)


class EmbeddedProvider:
    """A provider in this process, on a real socket of 127.0.0.1, that speaks ``tri`` as any gRPC server does.

    ::

        with EmbeddedProvider() as provider:
            provider.serve(
                "com.alibaba.foo.FooService",
                module="callahead.conf.foo_pb2",
                findFoo=lambda request: {"foo_id": request.foo_id, "name": "foo"},
            )
            provider.script("findFoo", delay="500ms")
            provider.script("findFoo", error="UNAVAILABLE", times=1)
            consumer = Consumer({"references": {"foo": {"url": provider.url, ...}}})

    It listens from the first `start` or ``with`` to `stop`; functions and scripts may come and go meanwhile. A call
    that a script delays or hangs takes no thread, unless its requests are a stream; a function that blocks takes one of
    *threads*. All methods may be called from any thread but `start`, `stop`, `kill` and `restart`, which are for one.

    Raises:
        ConfigError: A package that *reflection* or *health* needs is not installed, or a file of *ssl* cannot be read.

    Args:
        port: To listen on; 0 lets the system choose one, which is kept over `kill` and `restart`.
        threads: Most threads that run functions.
        ssl: Serve over TLS with ``cert`` and ``key``; with ``ca``, clients must show a certificate which that signed.
        reflection: Serve gRPC's reflection; needs the package grpcio-reflection.
        health: Serve gRPC's health checking, all services being healthy; needs the package grpcio-health-checking.
        keep_calls: How many of the most recent calls `calls` keeps.
        stop_timeout: Longest wait, in seconds, for functions that still run when the provider stops.
        options: More channel arguments for the gRPC server.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        threads: int = 64,
        ssl: SslPolicy | None = None,
        reflection: bool = False,
        health: bool = False,
        keep_calls: int = 10_000,
        stop_timeout: float = 5.0,
        options: Iterable[tuple[str, Any]] = (),
    ) -> None:
        self._port = Port(port)
        self._threads = threads
        self._credentials = None if ssl is None else server_credentials(ssl)
        self._own_handlers: Handlers = {
            **(health_handlers() if health else {}),
            **(reflection_handlers(lambda: self._pools) if reflection else {}),
        }
        self._stop_timeout = stop_timeout
        self._options = tuple(options)
        self._lock = threading.Condition()
        self._served: dict[str, Served] = {}
        self._pools: dict[str, DescriptorPool] = {}
        self._calls: deque[ProviderCall] = deque(maxlen=keep_calls)
        self._counts: Counter[str] = Counter()
        self._running: tuple[grpc.Server, Workers] | None = None

    # Its life

    def start(self) -> Self:
        """Begin to listen; a provider that listens already goes on.

        Raises:
            ConfigError: The port is taken.
        """
        if self._running is None:
            self._running = self._open()
        return self

    def stop(self) -> None:
        """Stop listening and end every call as cancelled; nothing is left. Idempotent.

        Raises:
            TimeoutError: A function does not return; its thread is left, and does not keep the program from ending.
        """
        try:
            self.kill()
        finally:
            self._port.release()

    def kill(self) -> None:
        """Drop every connection at once, as a crash would; the port refuses connections until `restart`.

        Raises:
            TimeoutError: As `stop` does.
        """
        running, self._running = self._running, None
        if running is None:
            return
        server, workers = running
        ended = server.stop(grace=0).wait(self._stop_timeout)
        if not workers.stop(self._stop_timeout) or not ended:
            names = ", ".join(sorted({f"{call.interface}.{call.method}" for call in self.calls}))
            raise TimeoutError(
                f"a function still runs {self._stop_timeout} s after the provider stopped; served: {names}"
            )

    def restart(self) -> None:
        """Listen again on the same port after `kill`, with the same functions and scripts."""
        self.kill()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """``127.0.0.1:port``."""
        return f"{HOST}:{self._port.number}"

    @property
    def url(self) -> str:
        """For ``url:`` in a configuration."""
        return f"tri://{self.address}"

    # What it serves

    def serve(
        self,
        interface: str,
        functions: Mapping[str, Any] | object | None = None,
        *,
        module: str | None = None,
        stub: str | None = None,
        proto: str | None = None,
        proto_path: Iterable[str] = (),
        **more: Any,
    ) -> ServiceTypes:
        """Serve *interface* by Python functions.

        A function takes the request message (for a client stream: an iterator of them), and the `ProviderCall` if it
        takes a second argument. It returns the answer: a message, a mapping of its fields, the one value of a message
        with one field, or None for an empty message; for a server stream an iterable of these. What it raises becomes a
        gRPC status: an `RpcError` by its ``status``, anything else is UNKNOWN. In place of a function a fixed answer
        will do. Names may be spelled ``findFoo`` or ``find_foo``.

        Args:
            interface: Full name of the service.
            functions: From method to function, or an object with methods of these names.
            module: Generated module of messages; as in a configuration. With none of these four, *interface* must be
                in a generated module that is imported already.
            stub: Generated stub, likewise.
            proto: A ``.proto`` file, likewise.
            proto_path: Folders for the imports of *proto*.
            more: More functions by name, which go before *functions*.

        Returns:
            The types of the service.

        Raises:
            ConfigError: The types cannot be found, or there is no such method.
        """
        types = service_of(interface, stub=stub, module=module, proto=proto, proto_path=tuple(proto_path))
        named = {**functions_of(functions, types), **more}
        served = [self._from_function(types, name, function) for name, function in named.items()]
        self._add(interface, pool_of(types), served)
        return types

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Accept what generated ``add_...Servicer_to_server(servicer, provider)`` functions offer first.

        They register the same methods once more by `add_registered_method_handlers`, which is the one that counts here.
        """

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Serve the methods of a generated servicer; called by generated ``add_...Servicer_to_server`` functions."""
        served = (from_rpc_handler(service_name, name, handler) for name, handler in method_handlers.items())
        self._add(service_name, descriptor_pool.Default(), served)

    def _from_function(self, types: ServiceTypes, name: str, function: Any) -> Served:
        method = types.find(name)
        if method is None:
            raise wrong(f'the interface "{types.interface}" has no method "{name}"', types.nearest(name))
        return from_function(method, types.interface, function)

    def _add(self, interface: str, pool: DescriptorPool, served: Iterable[Served]) -> None:
        with self._lock:
            self._pools = {**self._pools, interface: pool}
            self._served = {**self._served, **{one.path: one for one in served}}

    # What a test tells it

    def script(
        self,
        method: str,
        *,
        delay: float | str = 0,
        error: Error | None = None,
        hang: bool = False,
        answer: Any = NO_ANSWER,
        times: int | None = None,
    ) -> None:
        """Say what becomes of the next calls of *method*.

        What is said first is used up first. Without *times* it lasts until something else is said.

        Args:
            method: As `find_foo` or `findFoo`; with ``Interface.`` before it where several services have it; ``*`` for
                every method served now.
            delay: Before anything else; a bare number is milliseconds, or "50ms", "1.5s".
            error: In place of the function: a gRPC status by name (``"UNAVAILABLE"``), a pair of status and message, or
                an exception as a function would raise it.
            hang: Never answer. The call ends when its client gives up, or with the provider.
            answer: In place of what the function returns.
            times: For so many calls.

        Raises:
            ConfigError: There is no such method, or what is asked makes no sense.
        """
        if times is not None and times < 1:
            raise wrong(f"times must be 1 or more, not {times}")
        step = make_step(delay, error, hang, answer)
        for served in self._find(method):
            served.script.add(step, times)

    def clear_script(self, method: str = "*") -> None:
        """Forget what `script` said of *method*."""
        for served in self._find(method):
            served.script.clear()

    def _find(self, method: str) -> list[Served]:
        served = list(self._served.values())
        if method == "*":
            return served
        interface, _, name = method.rpartition(".")
        wanted = folded(name)
        found = [one for one in served if folded(one.method) == wanted and one.interface.endswith(interface)]
        if not found:
            raise wrong(f'no method "{method}" is served', nearest(method, {one.method for one in served}))
        if len({one.interface for one in found}) > 1:
            names = ", ".join(f"{one.interface}.{one.method}" for one in found)
            raise wrong(f'"{method}" is served by several services', f"one of: {names}")
        return found

    # What a test looks at

    @property
    def calls(self) -> tuple[ProviderCall, ...]:
        """The most recent calls that came in, oldest first."""
        with self._lock:
            return tuple(self._calls)

    def calls_of(self, method: str) -> tuple[ProviderCall, ...]:
        """The calls of one method among `calls`."""
        found = {(one.interface, one.method) for one in self._find(method)}
        return tuple(call for call in self.calls if (call.interface, call.method) in found)

    def count(self, method: str = "*") -> int:
        """How many calls of *method* came in since the provider was made, kept or not."""
        paths = [one.path for one in self._find(method)]
        with self._lock:
            return sum(self._counts[path] for path in paths)

    def wait_for_calls(self, method: str, count: int, timeout: float = 5.0) -> None:
        """Wait until *count* calls of *method* have come in since the provider was made.

        Raises:
            TimeoutError: Fewer came within *timeout* seconds.
        """
        paths = [one.path for one in self._find(method)]
        deadline = time.monotonic() + timeout
        with self._lock:
            while (came := sum(self._counts[path] for path in paths)) < count:
                if not self._lock.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    raise TimeoutError(f"{came} of {count} calls of {method} came within {timeout} s")

    def _note(self, call: ProviderCall) -> None:
        with self._lock:
            self._calls.append(call)
            self._counts[f"/{call.interface}/{call.method}"] += 1
            self._lock.notify_all()

    # grpcio's side

    def _open(self) -> tuple[grpc.Server, Workers]:
        port = self._port.hold()
        workers = Workers(self._threads, f"EmbeddedProvider-{port}")
        lookup = _Lookup(self._rpc_handler, workers)
        server = grpc.server(workers, handlers=[lookup], options=(*OPTIONS, *self._options))  # type: ignore[arg-type]  # any Executor will do
        try:
            if self._credentials is None:
                server.add_insecure_port(f"{HOST}:{port}")
            else:
                server.add_secure_port(f"{HOST}:{port}", self._credentials)
        except RuntimeError as error:
            raise wrong(f"cannot listen on {HOST}:{port}: {error}") from error
        server.start()
        return server, workers

    def _rpc_handler(self, path: str, workers: Workers) -> grpc.RpcMethodHandler[Any, Any] | None:
        served = self._served.get(path)
        return self._own_handlers.get(path) if served is None else served.rpc_handler(self._note, workers)


class _Lookup(grpc.GenericRpcHandler):
    """What grpcio asks for the handler of each call."""

    def __init__(
        self, find: Callable[[str, Workers], grpc.RpcMethodHandler[Any, Any] | None], workers: Workers
    ) -> None:
        self._find = find
        self._workers = workers

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        return self._find(handler_call_details.method, self._workers)

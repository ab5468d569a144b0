"""A real server for tests, that serves Python functions and does what a test tells it to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, Self

import grpc

from callahead.config.extension import nearest
from callahead.config.policy import SslPolicy

from ..interface.proto.service import ServiceTypes
from ..interface.spelling import folded
from .dubbo.exporter import DubboExporter
from .dubbo.server import DubboServer
from .dubbo.service import ExportedMethod
from .mistake import wrong
from .port import HOST, Port
from .provider_call import ProviderCall
from .records import Records
from .script import NO_ANSWER, Error, make_step
from .tri.exporter import TriExporter, TriServer
from .tri.handler import MethodHandler
from .tri.service import service_of
from .workers import Workers


class EmbeddedProvider:
    """A provider in this process, on a real socket of 127.0.0.1, that speaks ``tri`` as any gRPC server, or ``dubbo``.

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

        with EmbeddedProvider(protocol="dubbo") as provider:
            provider.serve("com.alibaba.foo.FooService", findFoo=lambda id, delay_ms: {"id": id})
            provider.script("findFoo", error=("com.alibaba.foo.NoSuchFoo", "no foo"), times=1)

    It listens from the first `start` or ``with`` to `stop`; functions and scripts may come and go meanwhile. A call
    that a script delays or hangs takes no thread, unless its requests are a stream; a function that blocks takes one of
    *threads*. All methods may be called from any thread but `start`, `stop`, `kill` and `restart`, which are for one.

    Raises:
        ConfigError: A package that *reflection* or *health* needs is not installed, a file of *ssl* cannot be read, or
            *protocol* is unknown or has no such option.

    Args:
        protocol: ``tri`` or ``dubbo``; a provider of both is two providers.
        port: To listen on; 0 lets the system choose one, which is kept over `kill` and `restart`.
        threads: Most threads that run functions.
        ssl: Serve over TLS with ``cert`` and ``key``; with ``ca``, clients must show a certificate which that signed.
        reflection: Serve gRPC's reflection; needs the package grpcio-reflection; ``tri`` only, and so the next.
        health: Serve gRPC's health checking, all services being healthy; needs the package grpcio-health-checking.
        keep_calls: How many of the most recent calls `calls` keeps.
        stop_timeout: Longest wait, in seconds, for calls and functions that still run when the provider stops.
        options: More channel arguments for the gRPC server; ``tri`` only.
    """

    def __init__(
        self,
        *,
        protocol: Literal["tri", "dubbo"] = "tri",
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
        self._stop_timeout = stop_timeout
        self._records = Records(keep_calls)
        self._exporter: TriExporter | DubboExporter
        if protocol == "dubbo":
            _refuse("dubbo", reflection=reflection, health=health, options=tuple(options))
            self._exporter = DubboExporter(ssl, self._records.note)
        elif protocol == "tri":
            self._exporter = TriExporter(ssl, self._records.note, reflection=reflection, health=health, options=options)
        else:
            raise wrong(f'"{protocol}" is no protocol that it speaks', "tri or dubbo")
        self._running: tuple[TriServer | DubboServer, Workers] | None = None

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

        Over ``dubbo`` clients are first asked for no more calls, as Java does; calls that run, and whose clients still
        wait, get their answers if that takes no longer than ``stop_timeout``. A call that a script hangs is not waited
        for.

        Raises:
            TimeoutError: A function does not return; its thread is left, and does not keep the program from ending.
        """
        try:
            self._close(gracefully=True)
        finally:
            self._port.release()

    def kill(self) -> None:
        """Drop every connection at once, as a crash would; the port refuses connections until `restart`.

        Raises:
            TimeoutError: As `stop` does.
        """
        self._close(gracefully=False)

    def _close(self, *, gracefully: bool) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        server, workers = running
        ended = (server.stop if gracefully else server.kill)(self._stop_timeout)
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
        return f"{self._exporter.scheme}://{self.address}"

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
        group: str = "",
        version: str = "",
        token: str | None = None,
        **more: Any,
    ) -> ServiceTypes:
        """Serve *interface* by Python functions.

        Over ``tri`` a function takes the request message (for a client stream: an iterator of them). It returns the
        answer: a message, a mapping of its fields, the one value of a message with one field, or None for an empty
        message; for a server stream an iterable of these. What it raises becomes a gRPC status: an `RpcError` by its
        ``status``, anything else is UNKNOWN.

        Over ``dubbo`` a function takes the arguments as `callahead.consumer.codec.hessian2.loads` gives them, and
        returns what ``dumps`` takes. What it raises becomes a Java exception: a `RemoteError` by its ``type_name`` and
        the ``fields`` among its ``details``, its ``__cause__`` as the cause, one that came from another provider
        unchanged; anything else is a ``java.lang.RuntimeException``. An `RpcError` with the ``status`` of a dubbo
        answer, such as ``"100"``, is that status. ``$echo`` and ``$invoke`` are answered as Java does.

        A function with room for one more argument gets the `ProviderCall`. In place of a function a fixed answer will
        do. Names may be spelled ``findFoo`` or ``find_foo`` and, over ``dubbo``, ``of(java.lang.String,int)`` for one
        overload, which goes before ``of``.

        With *stub* a provider of ``dubbo`` serves what that class declares, as a reference with the same stub asks for
        it: other parameter types are refused, an overload may have a function under its name in the stub, and what a
        function gives is converted to the return annotation, or is status 50 where it does not fit.

        Args:
            interface: Full name of the service.
            functions: From method to function, or an object with methods of these names; over ``dubbo`` all its public
                ones are served, or those that *stub* declares.
            module: Generated module of messages; as in a configuration. With none of these four, *interface* must be
                in a generated module that is imported already. ``tri`` only, and so *proto* and *proto_path*.
            stub: Generated stub, likewise; over ``dubbo`` ``module:Class`` of annotated functions.
            proto: A ``.proto`` file, likewise.
            proto_path: Folders for the imports of *proto*.
            group: Serve it in this group; ``dubbo`` only, and so the next two.
            version: Serve it in this version.
            token: Only answer to calls that bring it; None for no change, "" for all.
            more: More functions by name, which go before *functions*; a method with the name of another argument has
                its place there.

        Returns:
            The types of the service; over ``dubbo``, which needs none, they are empty.

        Raises:
            ConfigError: The types cannot be found, there is no such method, or an argument is for the other protocol.
        """
        proto_path = tuple(proto_path)
        if isinstance(self._exporter, DubboExporter):
            _refuse("dubbo", module=module, proto=proto, proto_path=proto_path)
            self._exporter.serve(interface, functions, more, stub=stub, group=group, version=version, token=token)
            return ServiceTypes.of(interface, (), "dubbo")
        _refuse("tri", group=group, version=version, token=token)
        types = service_of(interface, stub=stub, module=module, proto=proto, proto_path=proto_path)
        self._exporter.serve(types, functions, more)
        return types

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Accept what generated ``add_...Servicer_to_server(servicer, provider)`` functions offer first.

        They register the same methods once more by `add_registered_method_handlers`, which is the one that counts here.
        """

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Serve the methods of a generated servicer; called by generated ``add_...Servicer_to_server`` functions.

        Raises:
            ConfigError: The provider speaks ``dubbo``.
        """
        if isinstance(self._exporter, DubboExporter):
            raise wrong(f"a gRPC servicer ({service_name}) cannot be served over dubbo", "use serve")
        self._exporter.serve_handlers(service_name, method_handlers)

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
                an exception as a function would raise it. Over ``dubbo`` a status is a number or name (``100``,
                ``"SERVER_TIMEOUT"``) or the full name of a Java class; a `JavaThrowable` will do, too.
            hang: Never answer. The call ends when its client gives up, or with the provider.
            answer: In place of what the function returns.
            times: For so many calls.

        Raises:
            ConfigError: There is no such method, or what is asked makes no sense.
        """
        if times is not None and times < 1:
            raise wrong(f"times must be 1 or more, not {times}")
        step = make_step(delay, error, hang, answer, self._exporter.error)
        for served in self._find(method):
            served.script.add(step, times)

    def clear_script(self, method: str = "*") -> None:
        """Forget what `script` said of *method*."""
        for served in self._find(method):
            served.script.clear()

    def _find(self, method: str) -> list[MethodHandler | ExportedMethod]:
        served: list[MethodHandler | ExportedMethod] = list(self._exporter.methods)
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
        return self._records.calls

    def calls_of(self, method: str) -> tuple[ProviderCall, ...]:
        """The calls of one method among `calls`."""
        found = {(one.interface, one.method) for one in self._find(method)}
        return tuple(call for call in self.calls if (call.interface, call.method) in found)

    def count(self, method: str = "*") -> int:
        """How many calls of *method* came in since the provider was made, kept or not."""
        return self._records.count(one.path for one in self._find(method))

    def wait_for_calls(self, method: str, count: int, timeout: float = 5.0) -> None:
        """Wait until *count* calls of *method* have come in since the provider was made.

        Raises:
            TimeoutError: Fewer came within *timeout* seconds.
        """
        came = self._records.wait((one.path for one in self._find(method)), count, timeout)
        if came < count:
            raise TimeoutError(f"{came} of {count} calls of {method} came within {timeout} s")

    def _open(self) -> tuple[TriServer | DubboServer, Workers]:
        port = self._port.hold()
        workers = Workers(self._threads, f"EmbeddedProvider-{port}")
        return self._exporter.open(port, workers), workers


def _refuse(protocol: str, **given: Any) -> None:
    for name, value in given.items():
        if value:
            raise wrong(f"{name} is not for a provider that speaks {protocol}")

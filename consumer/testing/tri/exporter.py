"""What an embedded provider serves over ``tri``, and the gRPC server that does it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pool import DescriptorPool

from callahead.config.policy import SslPolicy

from ...interface.proto.service import ServiceTypes
from ..functions import functions_for
from ..mistake import wrong
from ..port import HOST
from ..provider_call import ProviderCall
from ..script import Error, make_error
from ..workers import Workers
from .discovery import Handlers, health_handlers, reflection_handlers
from .handler import MethodHandler, from_function, from_rpc_handler
from .service import pool_of, server_credentials

_OPTIONS = (
    ("grpc.so_reuseport", 1),
    ("grpc.max_receive_message_length", -1),
    # By default gRPC cancels calls that come faster than Python takes them, beyond 1000 to 3000.
    ("grpc.server.max_pending_requests", 1_000_000),
    ("grpc.server.max_pending_requests_hard_limit", 1_000_000),
)


class TriExporter:
    """The services of one provider over ``tri``.

    Args:
        tls: As the provider takes it, and so the next three.
        note: Is told of every call that begins.
        reflection: Serve gRPC's reflection.
        health: Serve gRPC's health checking.
        options: More channel arguments.

    Raises:
        ConfigError: A package that is needed is not installed, or a file of *tls* cannot be read.
    """

    scheme = "tri"

    def __init__(
        self,
        tls: SslPolicy | None,
        note: Callable[[ProviderCall], None],
        *,
        reflection: bool,
        health: bool,
        options: Iterable[tuple[str, Any]],
    ) -> None:
        self._credentials = None if tls is None else server_credentials(tls)
        self._note = note
        self._own_handlers: Handlers = {
            **(health_handlers() if health else {}),
            **(reflection_handlers(lambda: self._pools) if reflection else {}),
        }
        self._options = tuple(options)
        self._lock = threading.Lock()
        self._served: dict[str, MethodHandler] = {}
        self._pools: dict[str, DescriptorPool] = {}

    @property
    def methods(self) -> tuple[MethodHandler, ...]:
        """All that are served now."""
        return tuple(self._served.values())

    def serve(self, types: ServiceTypes, functions: Mapping[str, Any] | object | None, more: Mapping[str, Any]) -> None:
        """Serve functions as methods of *types*.

        Raises:
            ConfigError: There is no such method.
        """
        named = {**functions_for(types, functions), **more}
        served = [self._from_function(types, name, function) for name, function in named.items()]
        self._add(types.interface, pool_of(types), served)

    def serve_handlers(self, interface: str, handlers: Mapping[str, Any]) -> None:
        """Serve what a generated function registers."""
        served = (from_rpc_handler(interface, name, handler) for name, handler in handlers.items())
        self._add(interface, descriptor_pool.Default(), served)

    def error(self, error: Error) -> BaseException:
        """Make the exception for what a script asks."""
        return make_error(error)

    def open(self, port: int, workers: Workers) -> TriServer:
        """Listen on *port*."""

        def rpc_handler(path: str) -> grpc.RpcMethodHandler[Any, Any] | None:
            served = self._served.get(path)
            return self._own_handlers.get(path) if served is None else served.rpc_handler(self._note, workers)

        return TriServer(port, rpc_handler, workers, self._credentials, self._options)

    def _from_function(self, types: ServiceTypes, name: str, function: Any) -> MethodHandler:
        method = types.find(name)
        if method is None:
            raise wrong(f'the interface "{types.interface}" has no method "{name}"', types.nearest(name))
        return from_function(method, types.interface, function)

    def _add(self, interface: str, pool: DescriptorPool, served: Iterable[MethodHandler]) -> None:
        with self._lock:
            self._pools = {**self._pools, interface: pool}
            self._served = {**self._served, **{one.path: one for one in served}}


class TriServer:
    """grpcio's server on one port.

    Args:
        port: Of 127.0.0.1.
        rpc_handler: Finds the handler of the next call of a path.
        workers: Run the functions; the caller stops them after the server.
        credentials: Serve over TLS.
        options: Channel arguments.

    Raises:
        ConfigError: The port is taken.
    """

    def __init__(
        self,
        port: int,
        rpc_handler: Callable[[str], grpc.RpcMethodHandler[Any, Any] | None],
        workers: Workers,
        credentials: grpc.ServerCredentials | None,
        options: tuple[tuple[str, Any], ...],
    ) -> None:
        lookup = _Lookup(rpc_handler)
        self._server = grpc.server(workers, handlers=[lookup], options=(*_OPTIONS, *options))  # type: ignore[arg-type]  # any Executor will do
        try:
            if credentials is None:
                self._server.add_insecure_port(f"{HOST}:{port}")
            else:
                self._server.add_secure_port(f"{HOST}:{port}", credentials)
        except RuntimeError as error:
            raise wrong(f"cannot listen on {HOST}:{port}: {error}") from error
        self._server.start()

    def stop(self, timeout: float) -> bool:
        """End every call as cancelled, as a client sees a gRPC server go; False if that takes longer than *timeout*."""
        return self.kill(timeout)

    def kill(self, timeout: float) -> bool:
        """Do the same: gRPC drops its connections either way."""
        return self._server.stop(grace=0).wait(timeout)


class _Lookup(grpc.GenericRpcHandler):
    """What grpcio asks for the handler of each call."""

    def __init__(self, find: Callable[[str], grpc.RpcMethodHandler[Any, Any] | None]) -> None:
        self._find = find

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        return self._find(handler_call_details.method)

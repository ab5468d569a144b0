"""gRPC's reflection and health services of an embedded provider."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool

from ..mistake import wrong

Handlers = Mapping[str, "grpc.RpcMethodHandler[Any, Any]"]


class _Registry:
    """Takes the place of a server in generated ``add_...Servicer_to_server`` functions."""

    def __init__(self) -> None:
        self.handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Any) -> None:
        """Wait for the next call, which says the same in a form that can be read."""

    def add_registered_method_handlers(self, service: str, handlers: Handlers) -> None:
        self.handlers.update((f"/{service}/{name}", handler) for name, handler in handlers.items())


def health_handlers() -> Handlers:
    """Serve health checking, where every service that is asked for is healthy.

    Raises:
        ConfigError: grpcio-health-checking is not installed.
    """
    _need("grpc_health", "grpcio-health-checking")
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_health.v1.health import HealthServicer

    servicer = HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    registry: Any = _Registry()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, registry)
    handlers: Handlers = registry.handlers
    return handlers


def reflection_handlers(services: Callable[[], Mapping[str, DescriptorPool]]) -> Handlers:
    """Serve the reflection of whatever *services* says at the time: names, each with the pool that describes it.

    Raises:
        ConfigError: grpcio-reflection is not installed.
    """
    _need("grpc_reflection", "grpcio-reflection")
    from grpc_reflection.v1alpha import reflection_pb2_grpc
    from grpc_reflection.v1alpha.reflection import ReflectionServicer

    class Current(reflection_pb2_grpc.ServerReflectionServicer):
        """Makes a servicer for every stream, since services may be added while the provider runs."""

        def ServerReflectionInfo(self, request_iterator: Any, context: Any) -> Any:  # noqa: N802
            now = services()
            return ReflectionServicer(now, _Pools(now.values())).ServerReflectionInfo(request_iterator, context)

    registry: Any = _Registry()
    register: Callable[..., None] = reflection_pb2_grpc.add_ServerReflectionServicer_to_server
    register(Current(), registry)
    handlers: Handlers = registry.handlers
    return handlers


def _need(module: str, package: str) -> None:
    if find_spec(module) is None:
        raise wrong(f"the package {package} is not installed", f"pip install {package}")


class _Pools:
    """Several descriptor pools looked into one after the other, as services may come from files that clash in one."""

    def __init__(self, pools: Iterable[DescriptorPool]) -> None:
        self._pools = list(dict.fromkeys(pools))

    def __getattr__(self, lookup: str) -> Callable[..., Any]:
        def first(*args: Any) -> Any:
            for pool in self._pools:
                try:
                    return getattr(pool, lookup)(*args)
                except KeyError:
                    continue
            raise KeyError(args)

        return first

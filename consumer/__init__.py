"""References to remote services whose calls run as a configuration says.

Nothing is imported before its first use: neither grpcio nor pydantic belongs to the cost of importing this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bootstrap import Consumer
    from .call.context import LastCall, NoFutureError, RpcContext
    from .call.future import InvocationFuture
    from .call.hearers import CallerContext, Handler, Listener
    from .call.invocation import CallRecord, Invocation, Outcome
    from .call.plain import resolve
    from .errors import (
        AllAttemptsFailed,
        CallaheadError,
        CallTimeout,
        ConfigError,
        ConnectFailed,
        ConnectionLost,
        ConsumerClosed,
        LimitExceeded,
        LocalProtocolError,
        NoProviderAvailable,
        ProtocolError,
        RegistryError,
        Rejected,
        RemoteError,
        RemoteProtocolError,
        RpcError,
        SerializationError,
        TransportError,
        TwowayOnlyError,
    )
    from .interceptor import CallNext, Interceptor, Observer, answer
    from .reference.batch_view import batch_oneway, flush_batch, flush_batch_async
    from .reference.declared import remote
    from .reference.reference import Method, Reference
    from .reference.views import async_view, oneway, sync_view
    from .transport.tri.credentials import call_credentials

_MODULES = {
    "AllAttemptsFailed": "errors",
    "CallNext": "interceptor",
    "CallRecord": "call.invocation",
    "CallTimeout": "errors",
    "CallaheadError": "errors",
    "CallerContext": "call.hearers",
    "ConfigError": "errors",
    "ConnectFailed": "errors",
    "ConnectionLost": "errors",
    "Consumer": "bootstrap",
    "ConsumerClosed": "errors",
    "Handler": "call.hearers",
    "Interceptor": "interceptor",
    "Invocation": "call.invocation",
    "InvocationFuture": "call.future",
    "LastCall": "call.context",
    "LimitExceeded": "errors",
    "Listener": "call.hearers",
    "LocalProtocolError": "errors",
    "Method": "reference.reference",
    "NoFutureError": "call.context",
    "NoProviderAvailable": "errors",
    "Observer": "interceptor",
    "Outcome": "call.invocation",
    "ProtocolError": "errors",
    "Reference": "reference.reference",
    "RegistryError": "errors",
    "Rejected": "errors",
    "RemoteError": "errors",
    "RemoteProtocolError": "errors",
    "RpcContext": "call.context",
    "RpcError": "errors",
    "SerializationError": "errors",
    "TransportError": "errors",
    "TwowayOnlyError": "errors",
    "answer": "interceptor",
    "async_view": "reference.views",
    "batch_oneway": "reference.batch_view",
    "call_credentials": "transport.tri.credentials",
    "flush_batch": "reference.batch_view",
    "flush_batch_async": "reference.batch_view",
    "oneway": "reference.views",
    "remote": "reference.declared",
    "resolve": "call.plain",
    "sync_view": "reference.views",
}

__all__ = [
    "AllAttemptsFailed",
    "CallNext",
    "CallRecord",
    "CallTimeout",
    "CallaheadError",
    "CallerContext",
    "ConfigError",
    "ConnectFailed",
    "ConnectionLost",
    "Consumer",
    "ConsumerClosed",
    "Handler",
    "Interceptor",
    "Invocation",
    "InvocationFuture",
    "LastCall",
    "LimitExceeded",
    "Listener",
    "LocalProtocolError",
    "Method",
    "NoFutureError",
    "NoProviderAvailable",
    "Observer",
    "Outcome",
    "ProtocolError",
    "Reference",
    "RegistryError",
    "Rejected",
    "RemoteError",
    "RemoteProtocolError",
    "RpcContext",
    "RpcError",
    "SerializationError",
    "TransportError",
    "TwowayOnlyError",
    "answer",
    "async_view",
    "batch_oneway",
    "call_credentials",
    "flush_batch",
    "flush_batch_async",
    "oneway",
    "remote",
    "resolve",
    "sync_view",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

"""Real providers for tests and demonstrations, with scripted delays, errors and hangs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .process import ProviderProcess
    from .provider import EmbeddedProvider
    from .provider_call import ProviderCall
    from .scripted_transport import ScriptedTransport

__all__ = ["EmbeddedProvider", "ProviderCall", "ProviderProcess", "ScriptedTransport"]

# Imported when first used: grpc is heavy, and a module that runs as a process must not be imported beside that.
_MODULES = {
    "EmbeddedProvider": "provider",
    "ProviderCall": "provider_call",
    "ProviderProcess": "process",
    "ScriptedTransport": "scripted_transport",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)

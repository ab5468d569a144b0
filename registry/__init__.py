"""Where providers are: registries, what they tell, and the URLs they hold.

Nothing is imported before its first use, so that importing this package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import ApplicationRegistry, ConfigurationCentre, NotifyListener, Registry, Subscription, UrlLists
    from .direct import DirectRegistry
    from .errors import ProviderDataError, RegistryError, RegistryUnavailable
    from .factory import open_registry
    from .file import FileRegistry
    from .instance import Instances, ServiceInstance
    from .memory import MemoryRegistry
    from .merge import MergedRegistry
    from .models import Endpoint, ServiceKey, Snapshot
    from .recording import RecordingListener
    from .url import Url, parse_urls

__all__ = [
    "ApplicationRegistry",
    "ConfigurationCentre",
    "DirectRegistry",
    "Endpoint",
    "FileRegistry",
    "Instances",
    "MemoryRegistry",
    "MergedRegistry",
    "NotifyListener",
    "ProviderDataError",
    "RecordingListener",
    "Registry",
    "RegistryError",
    "RegistryUnavailable",
    "ServiceInstance",
    "ServiceKey",
    "Snapshot",
    "Subscription",
    "Url",
    "UrlLists",
    "open_registry",
    "parse_urls",
]

_MODULES = {
    "ApplicationRegistry": "api",
    "ConfigurationCentre": "api",
    "DirectRegistry": "direct",
    "Endpoint": "models",
    "FileRegistry": "file",
    "Instances": "instance",
    "MemoryRegistry": "memory",
    "MergedRegistry": "merge",
    "NotifyListener": "api",
    "ProviderDataError": "errors",
    "RecordingListener": "recording",
    "Registry": "api",
    "RegistryError": "errors",
    "RegistryUnavailable": "errors",
    "ServiceInstance": "instance",
    "ServiceKey": "models",
    "Snapshot": "models",
    "Subscription": "api",
    "Url": "url",
    "UrlLists": "api",
    "open_registry": "factory",
    "parse_urls": "url",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

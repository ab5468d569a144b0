"""callahead: call ahead; pick the answer up when you need it.

The public names are those of `callahead.consumer`. Nothing is imported before its first use.
"""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .consumer import *  # noqa: F403 - whatever is public there

    __version__: str


# What gRPC core has to say is in our errors, and it would say it on the program's stderr, for every refused connection
# and every fork. It looks once, when grpcio is imported, by whomever; a level that the user has set stays.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # a quarter of the time that an import of the consumer takes

        value: Any = version("callahead")
    else:
        value = _public(name)
    globals()[name] = value
    return value


def _public(name: str) -> Any:
    consumer = _consumer()
    if name not in consumer.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(consumer, name)


def _consumer() -> ModuleType:
    return import_module(".consumer", __name__)  # an import statement would ask this module for the name first


def __dir__() -> list[str]:
    return sorted({*globals(), *_consumer().__all__, "__version__"})

"""The former place of `callahead.consumer.interface.java`, for stubs that were written against it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..interface.java import JavaName, java_method

__all__ = ["JavaName", "java_method"]


def __getattr__(name: str) -> Any:
    """Look *name* up where it is now."""
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(import_module("callahead.consumer.interface.java"), name)

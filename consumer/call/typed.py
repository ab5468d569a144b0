"""Type variables of what a call takes and gives; where nobody names them, they are any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # with defaults, which typing's own have from Python 3.13 on
    from typing_extensions import ParamSpec, TypeVar

    P = ParamSpec("P", default=...)
    T = TypeVar("T", default=Any)
else:
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")

__all__ = ["P", "T"]

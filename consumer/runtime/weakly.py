"""Telling somebody who may have gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec
from weakref import WeakMethod

P = ParamSpec("P")


def weakly(method: Callable[P, object]) -> Callable[P, None]:
    """Call *method*, which is a bound one, as long as its object is there, and do not keep that.

    For what tells for as long as it is asked to, and outlives who asked, such as a registry with a thread.
    """
    known = WeakMethod(method)

    def tell(*args: P.args, **kwargs: P.kwargs) -> None:
        found = known()
        if found is not None:
            found(*args, **kwargs)

    return tell

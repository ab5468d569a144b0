"""``oninvoke``, ``onreturn`` and ``onthrow``: functions named in YAML that hear of a method's calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from callahead.config.policy import MethodPolicy

from ..call.invocation import Invocation, Outcome
from .named import named_function


class Notifier:
    """Calls the functions that the YAML names; an `Observer`.

    ``oninvoke`` gets the call's own arguments, on the caller's thread, and may refuse the call by raising. ``onreturn``
    gets the value and ``onthrow`` the error, and each the `Invocation` too where it takes a second argument; exactly
    one of them is called for each call that ``oninvoke`` let pass, after the last attempt and before the future
    settles, on the caller's thread where that waits and on a callback thread otherwise. Source: Dubbo
    ``FutureFilter``; differs: what ``oninvoke`` raises ends the call, what the others raise is logged.
    """

    def __init__(self, policy: MethodPolicy) -> None:
        self._oninvoke = _function(policy, "oninvoke")
        self._onreturn = _with_invocation(_function(policy, "onreturn"))
        self._onthrow = _with_invocation(_function(policy, "onthrow"))

    def on_start(self, invocation: Invocation) -> Invocation:
        """Call ``oninvoke``."""
        if self._oninvoke is not None:
            self._oninvoke(*invocation.args, **invocation.kwargs)
        return invocation

    def on_end(self, token: Invocation, outcome: Outcome) -> None:
        """Call ``onreturn`` or ``onthrow``."""
        if outcome.error is None:
            if self._onreturn is not None:
                self._onreturn(outcome.value, token)
        elif self._onthrow is not None:
            self._onthrow(outcome.error, token)


def wants_notice(policy: MethodPolicy) -> bool:
    """Tell whether the YAML names any of the three."""
    return not (policy.oninvoke is None and policy.onreturn is None and policy.onthrow is None)


def _function(policy: MethodPolicy, key: str) -> Callable[..., Any] | None:
    path: str | None = getattr(policy, key)
    return None if path is None else named_function(policy, key, path)


def _with_invocation(function: Callable[..., Any] | None) -> Callable[[Any, Invocation], Any] | None:
    if function is None:
        return None
    try:
        inspect.signature(function).bind(None, None)
    except (TypeError, ValueError):
        return lambda given, _: function(given)
    return function

"""``validation``: a function that looks at the arguments before anything is sent."""

from __future__ import annotations

from typing import Any

from callahead.config.policy import MethodPolicy

from ..call.invocation import Invocation, Outcome
from .named import named_function


class Validation:
    """Calls the function with the call's own arguments, on the caller's thread; an `Observer`.

    What it raises ends the call, which is not sent: as the very exception, in the future of an asynchronous call.
    Source: Dubbo ``ValidationFilter``; differs: any function in place of annotations of JSR 303.

    Raises:
        ConfigError: There is no such function.
    """

    inline = True

    def __init__(self, policy: MethodPolicy) -> None:
        self._validate = named_function(policy, "validation", str(policy.validation))

    def on_start(self, invocation: Invocation) -> None:
        """Look at the arguments."""
        self._validate(*invocation.args, **invocation.kwargs)

    def on_end(self, token: Any, outcome: Outcome) -> None:
        """Nothing is left to do."""

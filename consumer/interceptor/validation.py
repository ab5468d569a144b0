"""``validation``: a function that looks at the arguments before anything is sent."""

from __future__ import annotations

from typing import Any

from callahead.config.extension import load_object
from callahead.config.policy import MethodPolicy

from ..call.invocation import Invocation, Outcome


class Validation:
    """Calls the function with the call's own arguments, on the caller's thread; an `Observer`.

    What it raises ends the call, which is not sent: as the very exception, in the future of an asynchronous call.
    Source: Dubbo ``ValidationFilter``; differs: any function in place of annotations of JSR 303.

    Raises:
        ConfigError: There is no such function.
    """

    inline = True

    def __init__(self, policy: MethodPolicy) -> None:
        path = str(policy.validation)
        try:
            validate = load_object(path)
        except (LookupError, ImportError) as error:
            raise policy.error("validation", str(error)) from error
        if not callable(validate):
            raise policy.error("validation", f'"{path}" is {type(validate).__name__}, which cannot be called')
        self._validate = validate

    def on_start(self, invocation: Invocation) -> None:
        """Look at the arguments."""
        self._validate(*invocation.args, **invocation.kwargs)

    def on_end(self, token: Any, outcome: Outcome) -> None:
        """Nothing is left to do."""

"""``mock``: answers that are made on this side, always or in place of failures."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from callahead.config.extension import nearest
from callahead.config.policy import MethodPolicy
from callahead.config.values.mock import EMPTY, FAIL, FORCE, MockRule, parse_mock

from .. import errors
from ..call.future import InvocationFuture
from ..call.invocation import Invocation
from .api import CallNext
from .chain import answer
from .empty import Describe, empty_answer, message_of
from .named import named_function

CallOther = Callable[[str, Invocation], InvocationFuture]
"""Calls the method of the same reference that has the name, with the invocation's arguments."""


class Mock:
    """Answers in the place of the provider; an `Interceptor`.

    The first rule that fits counts. ``fail`` and classes of errors act on the end of the call, in every mode, and never
    on an error of the method itself unless ``RemoteError`` is named. Source: Dubbo ``MockClusterInvoker``; differs:
    Dubbo looks at the result when the call returns, so that an asynchronous one is never mocked; there are rules by
    class, and other methods.

    Raises:
        ConfigError: A rule names what there is not.
    """

    def __init__(self, policy: MethodPolicy, describe: Describe, call_other: CallOther) -> None:
        self._policy = policy
        self._describe = describe
        self._call_other = call_other
        rules = [parse_mock(written) for written in policy.mock]
        paths = [rule.value for rule in rules if rule.kind == "function"]
        self._functions = {path: named_function(policy, "mock", path) for path in paths}
        self._force = next((rule for rule in rules if rule.when == FORCE), None)
        self._by_class = [(self._class_of(rule), rule) for rule in rules if rule.when != FORCE]

    def _class_of(self, rule: MockRule) -> type[BaseException]:
        if rule.when == FAIL:
            return errors.RpcError
        found = getattr(errors, rule.when, None)
        if not (isinstance(found, type) and issubclass(found, BaseException)):
            raise self._policy.error("mock", f'there is no error "{rule.when}"', nearest(rule.when, errors.__all__))
        return found

    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        """Answer at once, or see how the call ends."""
        if self._force is not None:
            return answer(invocation, None).then(lambda _: self._answer(self._force, invocation))
        args, kwargs = invocation.args, invocation.kwargs

        def on_error(error: BaseException) -> Any:
            rule = self._rule_for(error)
            if rule is None:
                raise error
            return self._answer(rule, invocation.replace(args=args, kwargs=kwargs))

        return call_next(invocation).then(on_error=on_error)

    def _rule_for(self, error: BaseException) -> MockRule | None:
        is_own = isinstance(error, errors.RemoteError)
        for cls, rule in self._by_class:
            if isinstance(error, cls) and not (is_own and rule.when == FAIL):
                return rule
        return None

    def _answer(self, rule: MockRule | None, invocation: Invocation) -> Any:
        assert rule is not None
        if rule.kind == "function":
            return self._functions[rule.value](*invocation.args, **invocation.kwargs)
        if rule.kind == "call":
            return self._call_other(rule.value, invocation)
        return self._value(rule.value, invocation.method)

    def _value(self, value: Any, method: str) -> Any:
        if value is EMPTY:
            return empty_answer(self._describe, method)
        described = next(iter(self._describe(method)), None) if isinstance(value, dict) else None
        if described is not None and described.response_class is not None:
            return message_of(described.response_class, value)
        return copy.deepcopy(value)  # each caller may change his own

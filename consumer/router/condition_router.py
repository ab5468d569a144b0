"""Routers by conditions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ..call.invocation import Invocation
from .api import Look, Providers, Split, method_of, value_of
from .condition import Condition, Then


class ConditionRouter:
    """Lets the calls of which one condition speaks go where it says.

    Where nobody is left the condition counts only if the rule has ``force``; one that names nobody always counts.
    Source: Dubbo's ``ConditionStateRouter`` and ``MultiDestConditionRouter``.

    Args:
        condition: It speaks of calls of *caller*.
        caller: What ``$key`` refers to.
        force: Of the rule.
        origin: Where the rule was written.
    """

    def __init__(self, condition: Condition, caller: Mapping[str, str], *, force: bool, origin: str) -> None:
        self._condition = condition
        self._caller = caller
        self._force = force
        self._known: tuple[Providers, Providers | Split] = ((), ())
        self.name = f"condition {condition.text} ({origin})"
        when = condition.when
        self.looks: tuple[Look, ...] = (*([method_of] if when.method else []), *when.call)

    def route(self, providers: Providers, invocation: Invocation) -> Providers | Split:
        """Narrow *providers*; see `Router.route`."""
        when = self._condition.when
        if when.method is not None and not when.method.accepts(invocation.method):
            return providers
        if not all(look(invocation) for look in when.call):
            return providers
        listed, answer = self._known
        if listed is not providers:  # else it is only the call that is another one
            answer = self._narrowed(providers)
            self._known = (providers, answer)
        return answer

    def _narrowed(self, providers: Providers) -> Providers | Split:
        if self._condition.is_closed:
            return ()
        found = [(self._meant(then, providers), then.weight) for then in self._condition.then]
        found = [(some, weight) for some, weight in found if some]
        if not found:
            return () if self._force else providers
        parts, weights = zip(*found, strict=True)
        return parts[0] if len(parts) == 1 else Split(parts, weights)

    def _meant(self, then: Then, providers: Providers) -> Providers:
        return tuple(one for one in providers if then.means(partial(value_of, one.endpoint), self._caller))

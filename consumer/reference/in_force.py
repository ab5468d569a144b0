"""What each method of a reference obeys at the moment, of all who have a say in it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

from callahead.config.policy import MethodPolicy, ReferencePolicy
from callahead.config.provided import amend

from ..call.provider import Provider
from ..interface.spelling import Spellings
from ..router.ruling import Ruling
from .provided import Provided

_LOG = logging.getLogger("callahead.consumer.call")


class PoliciesInForce:
    """The policies of one reference: the configuration, below it what providers say, and above both the rules.

    Streams take nothing of what providers say.
    """

    def __init__(self, policy: ReferencePolicy, ruling: Ruling) -> None:
        self._reference = policy
        self._named = Spellings(policy.methods)
        self._ruling = ruling
        self._provided = Provided()
        self._told: dict[str, list[str]] = {}

    def under(self, policy: ReferencePolicy) -> PoliciesInForce:
        """Make those of another configuration of the reference, with the same providers and rules."""
        other = PoliciesInForce(policy, self._ruling)
        other.follow(self)
        return other

    def follow(self, other: PoliciesInForce) -> None:
        """Take over what providers have told *other*."""
        self._provided = other._provided

    def hear(self, providers: Iterable[Provider]) -> bool:
        """Take over what *providers* say of calls; False where that is nothing new.

        Where all have left, what they said stays.
        """
        provided = Provided(providers)
        if not provided.votes or provided.votes == self._provided.votes:
            return False
        self._provided = provided
        return True

    def configured(self, method: str) -> MethodPolicy:
        """Return what the configuration says of a method, whichever way it spells it."""
        named = self._named.find(method)
        return named if named is not None else replace(self._reference.default, method=method)

    def without_rules(self, method: str, *, is_streaming: bool) -> MethodPolicy:
        """Return what holds for a method where no rule says otherwise."""
        policy = self.configured(method)
        return policy if is_streaming else self._amended(method, policy)

    def of(self, method: str, *, is_streaming: bool) -> MethodPolicy:
        """Return what holds for a method."""
        written = self.without_rules(method, is_streaming=is_streaming)
        return self._ruling.effective(written, self._reference.default)

    def _amended(self, method: str, written: MethodPolicy) -> MethodPolicy:
        policy, problems = amend(written, self._provided.of(method))
        if problems and self._told.get(method) != problems:
            text = "%s.%s: what the providers say cannot be obeyed, and is passed over: %s"
            _LOG.warning(text, self._reference.id, method, "; ".join(problems))
        self._told[method] = problems
        return policy

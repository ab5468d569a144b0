"""The chain of each method of a reference, made of all who have a say in what it obeys."""

from __future__ import annotations

import logging
from typing import Self

from callahead.config.policy import MethodPolicy, ReferencePolicy

from ..call.invocation import Stage
from ..cluster.choice import check_stream
from ..errors import ConfigError
from .caller import Chain
from .folding import Folding
from .in_force import PoliciesInForce
from .stream import of_stream

_LOG = logging.getLogger("callahead.consumer.call")


class Chains:
    """Makes them, under one configuration of the reference.

    Args:
        policies: What each method obeys.
        folding: Makes of that what calls run through.
        streamed: The last stage of streaming calls, whose chain has no other.
    """

    def __init__(self, policies: PoliciesInForce, folding: Folding, streamed: Stage) -> None:
        self.policies = policies
        self.folding = folding
        self._streamed = streamed

    def under(self, policy: ReferencePolicy) -> Self:
        """Make those of another configuration, which share what calls have in common."""
        return type(self)(self.policies.under(policy), self.folding.under(policy), self._streamed)

    def is_streaming(self, chain: Chain) -> bool:
        """Tell whether *chain* is that of a method that streams."""
        return chain.stage is self._streamed

    def of(self, policy: MethodPolicy, name: str, *, is_streaming: bool) -> Chain:
        """Make the chain of *policy*, which holds for a method; a rule that it cannot obey is passed over.

        Raises:
            ConfigError: What the configuration says of it cannot be made.
        """
        try:
            return self._made(policy, name, is_streaming=is_streaming)
        except ConfigError as error:
            written = self.policies.without_rules(name, is_streaming=is_streaming)
            if policy == written:
                raise
            _LOG.warning("%s.%s: a rule cannot be obeyed, and is passed over: %s", policy.reference, name, error)
            return self._made(written, name, is_streaming=is_streaming)

    def _made(self, policy: MethodPolicy, name: str, *, is_streaming: bool) -> Chain:
        if not is_streaming:
            return self.folding.fold(policy, name)
        check_stream(policy, name)
        return Chain(of_stream(policy), self._streamed)

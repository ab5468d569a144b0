"""All that narrows the providers of one reference, and what it has said so far."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Sequence
from random import Random
from typing import NamedTuple

from callahead.registry.models import Endpoint

from ..call.invocation import Invocation
from .api import Look, Providers, Router, Split
from .tag_router import FORCE, TAG

_LOG = logging.getLogger("callahead.consumer.router")

# Answers that are kept; of more kinds of calls than that the oldest answers are forgotten all at once.
_MOST_KEPT = 4096


class Narrowed(NamedTuple):
    """What one router left.

    Attributes:
        router: Its name.
        dropped: Providers that it took out; none of those that chance chooses among.
    """

    router: str
    dropped: Providers


class _Rules:
    """Routers in their order, what they look at together, and their answers for one list of providers."""

    def __init__(self, routers: Sequence[Router]) -> None:
        self.routers = tuple(routers)
        self.looks: tuple[Look, ...] = tuple(dict.fromkeys(look for router in routers for look in router.looks))
        self.known: tuple[Providers, dict[Hashable, Providers | _Fork]] = ((), {})


class _Fork(NamedTuple):
    """Where chance decides, and which router comes next."""

    split: Split
    following: int


class Routing:
    """Decides which of a reference's providers a call may go to, by the rules of the moment.

    Where there is no rule a call asks whether it `concerns` it, and no more. Else each list of providers is narrowed
    once for all calls that the rules do not tell apart, and the answer kept. Any thread.

    Args:
        random: Decides where a rule gives shares.

    Attributes:
        is_active: There are rules, or providers with tags.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._has_rules = self._has_tags = False
        self._rules = _Rules(())
        self.is_active = False

    def obey(self, routers: Sequence[Router], *, is_idle: bool) -> None:
        """Narrow by *routers* from the next call on; where *is_idle* they have work only if a provider has a tag."""
        self._rules = _Rules(routers)
        self._has_rules = not is_idle
        self.is_active = self._has_rules or self._has_tags

    def expect(self, endpoints: Iterable[Endpoint], *, only: bool) -> None:
        """Know that providers at *endpoints* are about to be listed or, with *only*, that no others are any more."""
        has_tags = any(TAG in endpoint.parameters for endpoint in endpoints)
        self._has_tags = has_tags or (self._has_tags and not only)
        self.is_active = self._has_rules or self._has_tags

    def concerns(self, invocation: Invocation) -> bool:
        """Tell whether `narrow` may say anything but all; costs next to nothing."""
        return self.is_active or (bool(invocation.attachments) and FORCE in invocation.attachments)

    def narrow(self, providers: Providers, invocation: Invocation) -> Providers:
        """Return those of *providers* that the call may go to; the same tuple for the same question."""
        rules = self._rules
        listed, answers = rules.known
        if listed is not providers or len(answers) > _MOST_KEPT:
            answers = {}
            rules.known = (providers, answers)
        key: Hashable = tuple([look(invocation) for look in rules.looks]) if rules.looks else ()
        answer = answers.get(key)
        if answer is None:
            answer = answers[key] = _walk(rules.routers, 0, providers, invocation)
        while isinstance(answer, _Fork):
            split, following = answer
            place = split.pick(self._random)
            key = (key, place)
            answer = answers.get(key)
            if answer is None:
                answer = answers[key] = _walk(rules.routers, following, split.parts[place], invocation)
        return answer

    def explain(self, providers: Providers, invocation: Invocation) -> list[Narrowed]:
        """Tell which router drops which of *providers*, in order; whom chance may choose is not dropped."""
        told: list[Narrowed] = []
        for router in self._rules.routers:
            left = _asked(router, providers, invocation) if providers else providers
            if isinstance(left, Split):
                chosen = {one for part in left.parts for one in part}
                left = tuple(one for one in providers if one in chosen)
            if len(left) < len(providers):
                told.append(Narrowed(router.name, tuple(one for one in providers if one not in left)))
            providers = left
        return told

    def why_none(self, providers: Providers, invocation: Invocation) -> str:
        """Say which rules leave nobody for the call."""
        told = "; ".join(f"{one.router} drops {len(one.dropped)}" for one in self.explain(providers, invocation))
        return f"of {len(providers)} known none is left by the rules: {told}"


def _walk(routers: Sequence[Router], start: int, providers: Providers, invocation: Invocation) -> Providers | _Fork:
    for place, router in enumerate(routers[start:], start):
        if not providers:
            break
        left = _asked(router, providers, invocation)
        if isinstance(left, Split):
            return _Fork(left, place + 1)
        providers = left
    return providers


def _asked(router: Router, providers: Providers, invocation: Invocation) -> Providers | Split:
    try:
        return router.route(providers, invocation)
    except Exception:  # a router may be anybody's, and a rule that fails must not cost calls
        _LOG.exception("%s is passed over for %s, for it failed", router.name, invocation.record.name)
        return providers

"""What narrows the providers of a call, and how kinds of it are made."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import Any, ClassVar, Protocol

from callahead.registry.models import Endpoint

from ..call.invocation import Invocation
from ..call.provider import Provider

Providers = tuple[Provider, ...]

Look = Callable[[Invocation], Hashable]
"""What a router looks at of a call: the same for two calls that it treats alike. Equal looks are asked once."""


def method_of(invocation: Invocation) -> str:
    """Look at the method's name."""
    return invocation.method


@dataclass(frozen=True, slots=True)
class Split:
    """Several lists of providers, of which chance chooses one for each attempt.

    Attributes:
        parts: None of them is empty.
        weights: The share of each, >= 0; where all are 0 all are equal.
    """

    parts: tuple[Providers, ...]
    weights: tuple[int, ...]
    _sums: list[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        weights = self.weights if any(self.weights) else [1] * len(self.weights)
        object.__setattr__(self, "_sums", list(accumulate(weights)))

    def pick(self, random: Random) -> int:
        """Choose the place of one of the parts."""
        return bisect_right(self._sums, random.random() * self._sums[-1])


class Router(Protocol):
    """Narrows the providers of calls by one rule, or a part of one; immutable.

    Attributes:
        name: What it is and where it was written, for people.
        looks: What its answer depends on beside the providers; () where it treats all calls alike.
    """

    name: str
    looks: tuple[Look, ...]

    def route(self, providers: Providers, invocation: Invocation) -> Providers | Split:
        """Return those of *providers*, of which there is at least one, that may be asked: all, some or none.

        Called from any thread and must not block. It is asked once for each list of providers and each combination of
        what is looked at, for what it said is kept. What it raises takes it out of the calls that it is raised for.
        """


class RouterKind(Protocol):
    """One kind of rule; found in the entry-point group ``callahead.router``, and never made an instance of.

    Attributes:
        rule: A pydantic model of its rule, in snake_case, as ``routers`` in the YAML and registries give it. Keys under
            those that its ``as_written`` names, where it has that, are the author's own and keep their spelling.
        order: Routers of a lower one are asked first; Dubbo's are 100 for tags, 140 to 150 for conditions.
    """

    rule: ClassVar[Any]
    order: ClassVar[int]

    @staticmethod
    def routers(rule: Any, caller: Mapping[str, str], origin: str) -> Sequence[Router]:
        """Make the routers of one rule.

        Args:
            rule: An instance of the model.
            caller: What is known of this program, by the names that Dubbo has for it, such as ``host``.
            origin: Where the rule was written.
        """


def value_of(endpoint: Endpoint, key: str) -> str | None:
    """Give what rules may say of a provider, by Dubbo's names: ``host``, ``port``, ``address``, or a parameter."""
    special = _SPECIAL.get(key)
    return endpoint.parameters.get(key) if special is None else special(endpoint)


_SPECIAL: Mapping[str, Callable[[Endpoint], str]] = {
    "protocol": lambda endpoint: endpoint.protocol,
    "host": lambda endpoint: endpoint.host,
    "port": lambda endpoint: str(endpoint.port),
    "path": lambda endpoint: endpoint.path,
    "address": lambda endpoint: endpoint.address,
}

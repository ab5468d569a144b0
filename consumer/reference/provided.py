"""What the providers of a reference say of its calls, taken together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from callahead.config.provided import KEYS

from ..call.provider import Provider

_Said = tuple[tuple[str, str], ...]


class Provided:
    """The settings of calls in the URLs of one list of providers.

    Where they differ, what most of them say holds for the calls to all. Source: Dubbo ``ClusterUtils.mergeUrl``;
    differs: there each provider's own word counts for the calls to it, and what it says of a method goes before what
    the consumer sets for a whole interface; here whatever the configuration says, on any level, goes before.

    Attributes:
        votes: What providers say, each with the number of those that say just that.
    """

    __slots__ = ("votes",)

    def __init__(self, providers: Iterable[Provider] = ()) -> None:
        self.votes: Mapping[_Said, int] = Counter(_said(provider.endpoint.parameters) for provider in providers)

    def of(self, method: str) -> dict[str, str]:
        """Return what is said of the method that the provider calls *method*, by the keys of `config.provided`."""
        listed = [(dict(said), count) for said, count in self.votes.items()]
        found = {key: _elected(key, method, listed) for key in KEYS}
        return {key: text for key, text in found.items() if text is not None}


def _said(parameters: Mapping[str, str]) -> _Said:
    return tuple((key, value) for key, value in parameters.items() if key.endswith(KEYS))


def _elected(key: str, method: str, listed: Iterable[tuple[Mapping[str, str], int]]) -> str | None:
    """Return what most say of *key*, for the method or else for all; of equally many the text that comes last."""
    votes: Counter[str | None] = Counter()
    for said, count in listed:
        names = (f"{method}.{key}", key, f"default.{key}")  # the last is of providers of Dubbo 2.6
        votes[next((said[name] for name in names if name in said), None)] += count
    return max(votes, key=lambda text: (votes[text], text or ""), default=None)

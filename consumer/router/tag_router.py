"""Routers by tags: calls of a tag go to its providers, and others keep away from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from ..call.invocation import Invocation
from ..call.provider import Provider
from .api import Look, Providers

if TYPE_CHECKING:
    from .pattern import AddressPattern
    from .rules import Tag, TagRule

TAG: Final = "dubbo.tag"
FORCE: Final = "dubbo.force.tag"
_LEVELS: Final = "|"


class Asked(NamedTuple):
    """What a call says of tags.

    Attributes:
        tag: That it asks for, "" for none.
        is_forced: It does without an answer rather than without the tag.
    """

    tag: str
    is_forced: bool


_NOTHING: Final = Asked("", is_forced=False)


def asked_by(invocation: Invocation) -> Asked:
    """Look at the tag that a call asks for."""
    attachments = invocation.attachments
    if not attachments:  # as most have none
        return _NOTHING
    return Asked(_text(attachments.get(TAG)), _text(attachments.get(FORCE)).lower() == "true")


def _text(found: object) -> str:
    return found.decode(errors="replace") if isinstance(found, bytes) else str(found or "")


class TagRouter:
    """Chooses by the attachment ``dubbo.tag`` of the call, else by the ``tag`` of the reference.

    A call with a tag goes to the providers that the rule names for it, or else to those that say ``dubbo.tag=...``
    themselves; where there is none to those without any tag, unless it has ``dubbo.force.tag``. A call without one goes
    to providers without any tag. Of ``a|b`` a rule is asked for ``a|b``, then for ``a``.
    Source: Dubbo's ``TagStateRouter``.

    Args:
        rule: None where there is none, but providers that have tags.
        caller: Whose ``dubbo.tag`` holds for calls without one.
        origin: Where the rule was written; "" without one.
    """

    looks: tuple[Look, ...] = (asked_by,)

    def __init__(self, rule: TagRule | None, caller: Mapping[str, str], origin: str = "") -> None:
        self.name = f"tags ({origin})" if origin else "tags of providers"
        self._own = caller.get(TAG, "")
        self._own_force = caller.get(FORCE, "").lower() == "true"
        self._force = rule is not None and rule.force
        self._tags: dict[str, Tag] = {} if rule is None else {tag.name: tag for tag in rule.tags}

    def route(self, providers: Providers, invocation: Invocation) -> Providers:
        """Narrow *providers*; see `Router.route`."""
        asked = asked_by(invocation)
        tag = asked.tag or self._own
        if not tag:
            return _kept(providers, self._is_untagged)
        is_forced = self._own_force or asked.is_forced
        named = self._named(tag, providers, is_exact=is_forced)
        found = _kept(providers, lambda one: one.endpoint.parameters.get(TAG) == tag) if named is None else named
        if found or is_forced or (named is not None and self._force):
            return found
        return _kept(providers, self._is_untagged)

    def _named(self, tag: str, providers: Providers, *, is_exact: bool) -> Providers | None:
        """Give those that the rule names for *tag*; None where it says nothing of it."""
        levels = tag.split(_LEVELS)
        names = [tag] if is_exact else [_LEVELS.join(levels[:end]) for end in range(len(levels), 0, -1)]
        for known in filter(None, map(self._tags.get, names)):
            found = _kept(providers, partial(_has, known))
            if found or known.addresses:
                return found
        return None

    def _is_untagged(self, provider: Provider) -> bool:
        return not provider.endpoint.parameters.get(TAG) and not any(_has(tag, provider) for tag in self._tags.values())


def _kept(providers: Providers, is_kept: Callable[[Provider], bool]) -> Providers:
    kept = tuple(filter(is_kept, providers))
    return providers if len(kept) == len(providers) else kept


def _has(tag: Tag, provider: Provider) -> bool:
    """Tell whether the rule gives *provider* the *tag*: by its address, or else by its parameters."""
    endpoint = provider.endpoint
    if tag.addresses:
        addresses: Sequence[AddressPattern] = tag.addresses
        return any(one.matches(endpoint.host, endpoint.port) for one in addresses)
    return bool(tag.match) and all(one.value.accepts(endpoint.parameters.get(one.key)) for one in tag.match)

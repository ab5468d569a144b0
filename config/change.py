"""What another configuration may change while a program runs by one, and what it may not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from typing import Any, Final

from .errors import Problem
from .policy import BUILT_IN, ConsumerConfig, MethodPolicy, ReferencePolicy
from .values.text import is_target

# Of a reference: what is read when it is made, and what follows the configuration at any time.
_FREE: Final = frozenset(
    {"check", "default", "lazy", "max_pending", "max_pending_bytes", "methods", "outlier", "routers"}
)
_FIXED: Final = tuple(one.name for one in fields(ReferencePolicy) if one.compare and one.name not in _FREE)


def refused(before: ConsumerConfig, after: ConsumerConfig, made: Iterable[str]) -> list[Problem]:
    """List what *after* has otherwise than a program can have that runs by *before*.

    Args:
        before: What it runs by.
        after: What it shall run by.
        made: References that are in use; whatever else *after* says of others, or does not, is no problem.
    """
    return [*_of_consumer(before, after), *(one for name in made for one in _of_reference(name, before, after))]


def read_once(when: str, origin: str) -> tuple[str, str]:
    """Say of a setting that it is read once, and has another value now; give a problem's text and hint.

    Args:
        when: That was.
        origin: Where the value that holds was set, "" or built-in where nowhere.
    """
    was = f", as it was set at {origin}" if origin not in ("", BUILT_IN) else ""
    return f"is read {when}{was}, and differs", "start the program anew, or put it back"


def _of_consumer(before: ConsumerConfig, after: ConsumerConfig) -> Iterator[Problem]:
    for attribute, key in (("application", "application.name"), ("callback_executor", "consumer.callback_executor")):
        if getattr(before, attribute) != getattr(after, attribute):
            once = read_once("when the consumer is made", before.origin(attribute))
            yield Problem.at(after.origin(attribute), key, *once)
    for name, policy in after.registries.items():
        known = before.registries.get(name, policy)
        if known != policy:
            where = read_once("when the consumer is made", known.origins.get("address", ""))
            yield Problem.at(policy.origins.get("address", ""), f"registries.{name}", *where)


def _of_reference(name: str, before: ConsumerConfig, after: ConsumerConfig) -> Iterator[Problem]:
    old, new = before.references[name], after.references.get(name)
    if new is not None:
        yield from _of_policy(old, new)
        return
    text = "is in use, and is to be gone"
    yield Problem.at(after.source, f"references.{name}", text, "keep it until the program starts anew")


def _of_policy(old: ReferencePolicy, new: ReferencePolicy) -> Iterator[Problem]:
    for attribute in _differing(old, new):
        yield new.problem(attribute, *read_once("when the reference is made", old.origin(attribute)))
    if old.registries and old.default.attachments != new.default.attachments:
        once = read_once("when the reference is made, for rules of its registry", old.default.origin("attachments"))
        yield new.default.problem("attachments", *once)
    for name in {**old.methods, **new.methods}:
        mine, other = _of_method(old, name), _of_method(new, name)
        if mine.parameter_types != other.parameter_types:
            once = read_once("when the reference is made", mine.origin("parameter_types"))
            yield replace(other, method=name).problem("parameter_types", *once)


def _differing(old: ReferencePolicy, new: ReferencePolicy) -> Iterator[str]:
    for attribute in _FIXED:
        mine, other = getattr(old, attribute), getattr(new, attribute)
        if mine == other or (attribute == "urls" and _are_addresses(old) and _are_addresses(new)):
            continue
        if attribute == "transport" and type(mine) is type(other):
            yield from _settings_that_differ(mine, other)
        elif attribute != "transport":  # which differs with the protocol
            yield attribute


def _are_addresses(policy: ReferencePolicy) -> bool:
    """Tell whether the providers of *policy* are those that it names, and its transport resolves none by itself."""
    return bool(policy.urls) and not any(map(is_target, policy.urls))


def _settings_that_differ(mine: Any, other: Any) -> Iterator[str]:
    yield from (name for name in type(mine).model_fields if getattr(mine, name) != getattr(other, name))


def _of_method(policy: ReferencePolicy, name: str) -> MethodPolicy:
    return policy.methods.get(name, policy.default)

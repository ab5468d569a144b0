"""Settings of calls that a rule changes while a program runs, and the policies that they lead to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from .check.declared import said
from .check.models import MethodModel, yaml_keys
from .policy import PROVIDER, MethodPolicy
from .read.keys import dotted, normalise
from .read.report import Report
from .read.scalar import typed
from .read.tree import Entry
from .values.mock import parse_mock

# What a rule may change: how calls are made. What call sites are written for, and names of functions, is the program's.
OVERLAID: Final = (
    *("timeout", "total_timeout", "retries", "cluster", "loadbalance", "hash_nodes", "hash_arguments", "actives"),
    *("sticky", "mock"),
)
# Settings whose name in Dubbo has a dot, which parts a method from its setting else.
_DOTTED: Final = {dotted(name): name for name in OVERLAID if name.startswith("hash_")}

_ATTRIBUTES: Final = {key: attribute for attribute, key in yaml_keys(MethodModel).items()}


@dataclass(frozen=True, slots=True)
class Overlay:
    """One setting that a rule changes.

    Attributes:
        method: "" where it is meant for all methods that have none of their own.
        attribute: Of `MethodPolicy`.
        value: Likewise.
        origin: Where the rule says it.
    """

    method: str
    attribute: str
    value: Any
    origin: str


def overlay_of(key: str, entry: Entry, report: Report) -> Overlay | None:
    """Read what a rule says at *entry* by *key*, ``timeout`` or ``<method>.timeout``.

    Returns:
        None where *key* is none of `OVERLAID`, or its value does not fit, which is then noted in *report*.
    """
    method, setting = method_and_setting(key)
    if setting not in OVERLAID or not (method == "" or method.isidentifier()):
        return None
    value = _value(setting, entry, report)
    return None if value is None else Overlay(method, _ATTRIBUTES[setting], value, report.origin(entry))


def method_and_setting(key: str) -> tuple[str, str]:
    """Part ``<method>.timeout``, or ``timeout``, into the method, "" for none, and the setting in snake_case."""
    for spelt, name in _DOTTED.items():
        key = key.removesuffix(spelt) + name if key.endswith(spelt) else key
    method, _, setting = key.rpartition(".")
    return method, normalise(setting)


def _value(setting: str, entry: Entry, report: Report) -> Any:
    try:
        model = MethodModel.model_validate({setting: typed(entry.value)})
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            report.at(entry, *said(fault))
        return None
    value = getattr(model, _ATTRIBUTES[setting])
    if setting == "mock" and any(parse_mock(rule).kind != "return" for rule in value):
        report.at(entry, "names code of this program, which a rule of a registry may not", "write return ...")
        return None
    return value


def lay_over(policy: MethodPolicy, default: MethodPolicy, overlays: Iterable[Overlay]) -> MethodPolicy:
    """Give what holds for a method once rules have had their say; of two the later one counts.

    Args:
        policy: Of the method, as the configuration has it.
        default: Of methods that the configuration does not name; what differs from it the method sets itself, and a
            rule for all methods leaves that alone. Source: Dubbo's ``getMethodParameter``.
        overlays: Those for other methods are passed over.
    """
    chosen: dict[str, Overlay] = {}
    for overlay in overlays:
        if _is_for(overlay, policy, default, chosen.get(overlay.attribute)):
            chosen[overlay.attribute] = overlay
    for attribute, overlay in chosen.items():
        policy = policy.amended(overlay.origin, **{attribute: overlay.value})
    return policy


def _is_for(overlay: Overlay, policy: MethodPolicy, default: MethodPolicy, earlier: Overlay | None) -> bool:
    """Tell whether *overlay* is for the method of *policy*, of which *earlier* ones are for the same setting."""
    if overlay.method:
        return normalise(overlay.method) == normalise(policy.method)  # the YAML may spell it otherwise
    is_named = earlier is not None and earlier.method != ""
    return not is_named and not _is_own(policy, default, overlay.attribute)


def _is_own(policy: MethodPolicy, default: MethodPolicy, attribute: str) -> bool:
    values = getattr(policy, attribute), getattr(default, attribute)
    if policy.origin(attribute) == PROVIDER:
        return False
    return values[0] != values[1] or policy.origin(attribute) != default.origin(attribute)

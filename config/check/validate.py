"""Holds a shaped configuration against the models and says what does not fit, in the user's own spelling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from ..read.keys import respell, similar, spelling_in
from ..read.report import Report
from ..read.tree import BROKEN, Entry
from ..values.quantity import Unfit, kind
from .declared import SECTIONS
from .listing import declared, declared_among
from .models import (
    GROUPS,
    ApplicationModel,
    ConsumerModel,
    MethodModel,
    ReferenceModel,
    RegistryModel,
    RootModel,
    SslModel,
    yaml_keys,
)
from .refused import INSTEAD, REFUSED

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# More names than this do not help who mistyped one.
_MOST_NAMES = 8

_MODELS: dict[str, type[BaseModel]] = {
    "root": RootModel,
    "application": ApplicationModel,
    "registry": RegistryModel,
    "consumer": ConsumerModel,
    "reference": ReferenceModel,
    "method": MethodModel,
    "ssl": SslModel,
    **GROUPS,
}


def validate(tree: Entry, report: Report) -> RootModel:
    """Make the models of all in *tree* that fits; what does not is noted in *report*, one problem for each fault.

    Keys that transports declare are left to the transport of each reference.
    """
    plain = tree.plain()
    _leave_to_transports(plain)
    try:
        return RootModel.model_validate(plain)
    except ValidationError as error:
        faults = error.errors(include_url=False)
    for fault in faults:
        _note(fault, tree, report)
    for location in sorted((fault["loc"] for fault in faults), key=len, reverse=True):
        _prune(plain, location)
    return RootModel.model_validate(plain)


def _leave_to_transports(plain: dict[str, Any]) -> None:
    _remove_declared(plain.get("consumer"), "consumer")
    references = plain.get("references")
    for reference in references.values() if isinstance(references, dict) else ():
        _remove_declared(reference, "reference")


def _remove_declared(plain: Any, section: str) -> None:
    for key in declared_among(plain, section) if isinstance(plain, dict) else ():
        del plain[key]


def _prune(plain: Any, location: Sequence[str | int]) -> None:
    holder = plain
    for step in location[:-1]:
        holder = holder[step]
    holder.pop(location[-1], None)


def _note(fault: ErrorDetails, tree: Entry, report: Report) -> None:
    location = fault["loc"]
    entry = tree.find(location)
    cause = fault.get("ctx", {}).get("error")
    if fault["input"] is BROKEN:
        return
    if isinstance(cause, Unfit):
        report.at(entry, str(cause), cause.hint)
    elif fault["type"] == "extra_forbidden":
        key = str(location[-1])
        text, hint = _unknown(_section_of(location), key, spelling_in(entry.path, key))
        report.at(entry, text, hint)
    else:
        report.at(entry, f"must be a mapping, not {kind(fault['input'])}", _example(location))


def _example(location: Sequence[str | int]) -> str:
    """Show how the mapping at *location* is written."""
    match location:
        case ("application",):
            return "write {name: ...}"
        case ("registries",) | ("registries", _):
            return "a registry is {address: ...}, under an id where there are several"
        case ("references",) | ("references", _):
            return "a reference is {interface: ...} under an id of yours"
        case ("references", _, "methods") | ("references", _, "methods", _):
            return "a method is {async: true} or the like, under its name"
        case (*_, str(key)) if key in GROUPS:
            return GROUPS[key].example
    return ""


def _section_of(location: Sequence[str | int]) -> str:
    match location:
        case (_,):
            return "root"
        case ("registries", _, _):
            return "registry"
        case ("references", _, _):
            return "reference"
        case ("references", _, "methods", _, _):
            return "method"
    return str(location[-2])


def _unknown(section: str, key: str, like: str) -> tuple[str, str]:
    """Say what is wrong with a *key* that *section* does not have, and what to do."""
    reason = REFUSED[section].get(key)
    if reason is not None:
        return reason, ""
    if key in INSTEAD:
        return "is not a setting of callahead", INSTEAD[key]
    keys = {name: set(yaml_keys(model).values()) for name, model in _MODELS.items()}
    for taking in SECTIONS:
        keys[taking] |= declared(taking).keys()
    near = similar(key, keys[section])
    homes = [name for name, known in keys.items() if key in known]
    if homes:
        return "does not belong here", f"it is a setting of: {', '.join(homes)}"
    if near is not None:
        return "unknown key", f'did you mean "{respell(near, like)}"?'
    known = sorted(keys[section])
    return "unknown key", f"known: {', '.join(known)}" if len(known) <= _MOST_NAMES else ""

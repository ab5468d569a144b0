"""A rule, be it of a configuration or of a registry, held against the model of its kind."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from ..read.keys import respell, similar
from ..read.report import Report
from ..read.tree import BROKEN, Entry
from ..values.quantity import kind
from .declared import said
from .models import yaml_keys

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)

# What should stand there, where something of another kind does.
_WANTED: Final = {"model_type": "mapping", "dict_type": "mapping", "mapping_type": "mapping", "tuple_type": "list"}


def rule_of(model: type[M], entry: Entry, report: Report, passed_over: list[str] | None = None) -> M | None:
    """Make the *model* of what stands at *entry*; what does not fit is noted in *report*, and the result is then None.

    Args:
        model: In snake_case, as keys are in *entry*. Under the keys that it names in ``as_written``, if it has that,
            keys are names of the author's, and stay as he spells them.
        entry: A mapping, or what should be one.
        report: Takes the problems.
        passed_over: Takes the paths of keys that the model does not have; where it is None these are problems.
    """
    if not isinstance(entry.value, dict):
        report.at(entry, f"must be a mapping, not {kind(entry.value)}")
        return None
    plain = _plain(entry, getattr(model, "as_written", ()))
    while True:
        try:
            return model.model_validate(plain)
        except ValidationError as error:
            faults = error.errors(include_url=False)
        if passed_over is None or any(fault["type"] != "extra_forbidden" for fault in faults):
            for fault in faults:
                if passed_over is None or fault["type"] != "extra_forbidden":
                    _note(fault, model, entry, report)
            return None
        for fault in faults:
            passed_over.append(entry.find(fault["loc"]).path)
            _remove(plain, fault["loc"])


def _plain(entry: Entry, as_written: Collection[str]) -> Any:
    """Copy the values alone; under the keys *as_written* with keys as their author spells them."""
    if isinstance(entry.value, dict):
        inner = entry.value.items()
        return {key: one.spelt() if key in as_written else _plain(one, as_written) for key, one in inner}
    if isinstance(entry.value, list):
        return [_plain(one, as_written) for one in entry.value]
    return entry.value


def _note(fault: ErrorDetails, model: type[BaseModel], entry: Entry, report: Report) -> None:
    place = entry.find(fault["loc"])
    if fault["input"] is BROKEN:
        return
    if fault["type"] == "extra_forbidden":
        spelt = place.path.rpartition(".")[2]
        near = similar(str(fault["loc"][-1]), yaml_keys(model).values()) if len(fault["loc"]) == 1 else None
        report.at(place, "unknown key", f'did you mean "{respell(near, spelt)}"?' if near else "")
    elif fault["type"] == "missing":
        report.at(place, f"needs {fault['loc'][-1]}")
    elif fault["type"] in _WANTED:
        report.at(place, f"must be a {_WANTED[fault['type']]}, not {kind(place.value)}")
    elif fault["type"] == "too_long":
        report.at(place, f"has more than {fault['ctx']['max_length']} entries")
    else:
        report.at(place, *said(fault))


def _remove(plain: Any, location: tuple[str | int, ...]) -> None:
    for step in location[:-1]:
        plain = plain[step]
    plain.pop(location[-1], None)

"""The rules of ``routers``: each is read by the kind that it names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from ..check.rule import rule_of
from ..extension import ROUTER, available, load, unknown
from ..policy import RouterPolicy
from ..read.report import Report
from ..read.tree import Entry
from .levels import Chosen, Level, setter


def add_routers(chosen: Chosen, levels: Sequence[Level], report: Report) -> None:
    """Set ``routers`` as the most specific of *levels* that has any writes them."""
    level = setter(levels, "routers")
    if level is None:
        return
    entry = level.place("routers")
    found = tuple(router for name, rules in entry.section.items() for router in _of_kind(name, rules, report))
    chosen.set("routers", found, report.origin(entry))


def check_routers(levels: Sequence[Level], report: Report) -> None:
    """Note what is wrong in the routers of *levels*, even if no reference takes them."""
    add_routers(Chosen({}, {}), levels, report)


def _of_kind(name: str, rules: Entry, report: Report) -> Iterator[RouterPolicy]:
    known = {one.replace("-", "_"): one for one in available(ROUTER)}
    if name not in known:
        report.at(rules, *unknown(ROUTER, name))
        return
    try:
        model = load(ROUTER, known[name]).rule
    except Exception as error:  # its module runs, so anything may come out of it
        report.at(rules, f'the router "{name}" cannot be used: {type(error).__name__}: {error}')
        return
    for entry in rules.value if isinstance(rules.value, list) else [rules]:
        rule = rule_of(model, entry, report)
        if rule is not None:
            text = json.dumps(entry.spelt(), default=str)
            yield RouterPolicy(kind=known[name], rule=rule, text=text, origin=report.origin(entry))

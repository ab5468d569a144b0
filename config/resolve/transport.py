"""The settings that the transport of a reference declares: chosen among the levels, and nobody else's accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from ..check.declared import Declaration, DeclaredSetting
from ..check.listing import declaration, declared_among, misfits, protocols
from ..check.models import ReferenceModel, yaml_keys
from ..extension import TRANSPORT, available
from ..policy import BUILT_IN, DEFAULT_PROTOCOL
from ..read.report import Report
from ..read.tree import Entry
from ..settings import TransportSettings
from .levels import Chosen, Level, setter


def add_transport(chosen: Chosen, levels: Sequence[Level], folder: Path, report: Report) -> None:
    """Set ``transport``, with the origin of each value that was written.

    What the reference itself says for another protocol is a problem. What the consumer says is a default of all
    references, whatever they speak, and is passed over.

    Args:
        chosen: Takes them, and has the protocol where one is set.
        levels: The reference's, then the consumer's.
        folder: Where relative paths start.
        report: Takes what is wrong.
    """
    own = levels[0]
    protocol = _protocol(chosen, levels)
    if protocol is None:
        _judge_unclear(levels, folder, report)
        return
    try:
        known = declaration(protocol)
    except Exception as error:  # the transport's module runs, so anything may come out of it
        text = f'protocol "{protocol}" cannot be used: {type(error).__name__}: {error}'
        report.at(_names_protocol(levels), text)
        return
    _refuse_foreign(own, protocol, chosen.origins.get("protocol", BUILT_IN), report)
    chosen.values["transport"] = _settings(known, chosen.origins, levels, folder, report)


def _judge_unclear(levels: Sequence[Level], folder: Path, report: Report) -> None:
    """Say what can be said without the protocol, which is wrong itself: all, where the settings are of one alone."""
    own = levels[0]
    whose = {one.protocol for settings in declared_among(own.entry.section, own.section).values() for one in settings}
    if len(whose) == 1:
        _settings(declaration(whose.pop()), {}, levels, folder, report)
    else:
        note_misfits(own, report)


def note_misfits(level: Level, report: Report) -> None:
    """Note what no transport can take of what *level* writes."""
    for entry, text, hint in misfits(level.entry, level.section):
        report.at(entry, text, hint)


def _protocol(chosen: Chosen, levels: Sequence[Level]) -> str | None:
    """Tell the protocol, None where something was written that would say it if it were not wrong."""
    own = levels[0]
    if "protocol" in chosen.values:
        protocol: str = chosen.values["protocol"]
        return protocol if protocol in available(TRANSPORT) else None
    wrong_url = own.written("urls") is not None and own.value("urls") is None
    unclear = wrong_url or any(level.written("protocol") is not None for level in levels)
    return None if unclear else DEFAULT_PROTOCOL


def _names_protocol(levels: Sequence[Level]) -> Entry:
    level = setter(levels, "protocol")
    return levels[0].place("urls") if level is None else level.place("protocol")


def _refuse_foreign(own: Level, protocol: str, origin: str, report: Report) -> None:
    """Note what *own* writes that other transports declare and that of *protocol* does not."""
    known = declaration(protocol).by_key
    foreign = declared_among((key for key in own.entry.section if key not in known), own.section)
    note_misfits(Level(own.model, Entry({key: own.entry.section[key] for key in foreign})), report)
    for key, settings in foreign.items():
        text = f'only protocol {protocols(settings)} honours it, and this reference has "{protocol}"'
        report.at(own.entry.section[key], text, _hint(settings[0], origin))


def _hint(setting: DeclaredSetting, origin: str) -> str:
    if origin == BUILT_IN:
        return f'write "protocol: {setting.protocol}", or {setting.instead}'
    return f"{setting.instead}; the protocol is set at {origin}"


def _settings(
    known: Declaration, origins: dict[str, str], levels: Sequence[Level], folder: Path, report: Report
) -> TransportSettings:
    values: dict[str, Any] = {}
    places: dict[str, Entry] = {}
    for level in reversed(levels):
        read = known.read(level.entry, level.section)
        values |= read.values
        places |= read.places
        for entry, text, hint in chain.from_iterable(read.misfits.values()):
            report.at(entry, text, hint)
    origins |= {attribute: report.origin(place) for attribute, place in places.items()}
    _note_conflicts(known, values, levels[0], report)
    return known.model.model_construct(**_located(known, values, places, folder, report))


def _note_conflicts(known: Declaration, values: Mapping[str, Any], own: Level, report: Report) -> None:
    """Note what the transport has against the settings together."""
    keys = {**yaml_keys(ReferenceModel), **{one.attribute: key for key, one in known.by_key.items()}}
    written = frozenset(attribute for attribute, key in keys.items() if key in own.entry.section)
    try:
        for attribute, text, hint in known.model.model_construct(**values).conflicts(written):
            report.at(own.entry.find([keys[attribute]]), text, hint)
    except TypeError:
        if None not in values.values():  # else it judged by a value that is wrong itself, which was told
            raise


def _located(
    known: Declaration, values: Mapping[str, Any], places: Mapping[str, Entry], folder: Path, report: Report
) -> dict[str, Any]:
    """Join each path among *values* to *folder*, and note what is not there."""
    found = dict(values)
    for one in known.by_key.values():
        if one.located is not None and values.get(one.attribute) is not None:
            found[one.attribute], problems = one.located.find(folder, values[one.attribute])
            for text in problems:
                report.at(places[one.attribute], text)
    return found

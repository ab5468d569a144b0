"""All settings of a section: callahead's own, and those that the installed transports declare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from ..extension import TRANSPORT, available, load
from ..read.tree import Entry
from ..settings import TransportSettings
from ..values.quantity import show
from .declared import LAST_COMMON, SECTIONS, Declaration, DeclaredSetting, Misfit
from .models import yaml_keys


@cache
def declaration(protocol: str) -> Declaration:
    """Read what the transport of *protocol* declares, which imports the module of its class.

    Raises:
        LookupError: No transport is installed for it.
        TypeError: Its settings cannot be used.
        Exception: Whatever importing it raises.
    """
    model = getattr(load(TRANSPORT, protocol), "settings", None) or TransportSettings
    if not (isinstance(model, type) and issubclass(model, TransportSettings)):
        raise TypeError(f"its settings are {show(model)}, not a subclass of TransportSettings")
    return Declaration(protocol, model)


def is_local(protocol: str) -> bool:
    """Tell whether references of *protocol* are served in this process; not where it cannot be used at all."""
    try:
        return declaration(protocol).model.is_local
    except Exception:  # whoever names it hears of it
        return False


def declarations() -> Iterator[Declaration]:
    """Give those of all installed transports, by name; one that cannot be used declares nothing, as who names it hears.

    Imports the class of each, so it is for what concerns several protocols.
    """
    for protocol in available(TRANSPORT):
        try:
            yield declaration(protocol)
        except Exception:  # noqa: S112 - the module of another distribution runs, so anything may come out of it
            continue


def declared(section: str) -> dict[str, tuple[DeclaredSetting, ...]]:
    """Give what transports declare for *section*, by key; two may declare one key, and each has its own value."""
    found: dict[str, tuple[DeclaredSetting, ...]] = {}
    for each in declarations():
        for key, one in each.by_key.items():
            if section in one.sections:
                found[key] = (*found.get(key, ()), one)
    return found


def listing(section: str) -> dict[str, tuple[DeclaredSetting, ...]]:
    """List every key of *section* in order, with the settings that transports declare by it, none for one of ours."""
    ours = list(yaml_keys(SECTIONS[section]).values())
    theirs = declared(section)
    order = list(ours)
    for key, (one, *_) in theirs.items():
        order.insert(order.index(one.after if one.after in order else LAST_COMMON) + 1, key)
    return {key: theirs.get(key, ()) for key in order}


def declared_among(keys: Iterable[str], section: str) -> dict[str, tuple[DeclaredSetting, ...]]:
    """Give what transports declare by *keys* of *section*, in their order; where all are ours none is imported."""
    ours = yaml_keys(SECTIONS[section]).values()
    foreign = [key for key in keys if key not in ours]
    everyone = declared(section) if foreign else {}
    return {key: everyone[key] for key in foreign if key in everyone}


def misfits(entry: Entry, section: str) -> Iterator[Misfit]:
    """Say what is wrong in *entry*, a *section*, with values that fit none of those who declare their keys."""
    for key, settings in declared_among(entry.section, section).items():
        found = [declaration(one.protocol).read(entry, section).misfits.get(key) for one in settings]
        if found[0] and all(found):
            yield from found[0]


def resolver_of(scheme: str) -> str | None:
    """Tell the protocol whose transport resolves addresses such as ``dns:///host:port`` by itself; None for none."""
    return next((one.protocol for one in declarations() if scheme in one.model.targets), None)


def protocols(settings: Iterable[DeclaredSetting]) -> str:
    """Name the protocols of *settings*, for a message."""
    return " or ".join(f'"{one.protocol}"' for one in settings)

"""Configurators of Dubbo's: rules that change settings of calls, and what providers say of themselves.

Source: ``ConfigParser``, ``AbstractConfigurator`` and ``ConditionMatch``; what of theirs has no effect in a consumer of
Dubbo 3.3 either, such as ``enabled`` of a single item, has none here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import Field, field_validator

from callahead.config.overlay import OVERLAID, Overlay, method_and_setting, overlay_of
from callahead.config.read.report import Report
from callahead.config.read.tree import Entry
from callahead.config.rules import ReadRule
from callahead.config.settings import Text
from callahead.config.values.quantity import show
from callahead.registry.models import MAX_WEIGHT, Endpoint

from .pattern import AddressPattern, like
from .rules import OneOf, ParameterMatch, Part, RuleFlag, Version
from .tag_router import TAG

_ANY: Final = ("*", "0.0.0.0")  # noqa: S104 - nothing is bound to it
_MOST_ITEMS: Final = 1000
# What Dubbo takes out of the parameters, for it says which rule it is.
_NEVER: Final = frozenset({"application", "category", "check", "dynamic", "enabled", "group", "side", "version"})


class AddressMatch(Part):
    """What an address must be."""

    wildcard: Text | None = None
    cird: Text | None = None
    exact: Text | None = None

    @field_validator("cird")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None:
            AddressPattern.parse(value)
        return value

    def accepts(self, address: str, host: str, port: int) -> bool:
        """Tell whether ``host:port`` is so."""
        if self.cird is not None and (address == self.cird or AddressPattern.parse(self.cird).matches(host, port)):
            return True
        if self.wildcard is not None:
            return self.wildcard in _ANY or like(self.wildcard, address)
        return self.exact is not None and self.exact == address


class Match(Part):
    """What a caller and a provider must be."""

    address: AddressMatch | None = None
    provider_address: AddressMatch | None = None
    service: OneOf | None = None
    app: OneOf | None = None
    param: tuple[ParameterMatch, ...] = ()


class Item(Part):
    """One change."""

    side: Text | None = None
    enabled: Any = None
    type: Any = None
    addresses: tuple[Text, ...] = ()
    provider_addresses: tuple[Text, ...] = ()
    services: tuple[Text, ...] = ()
    applications: tuple[Text, ...] = ()
    parameters: dict[str, Text] = Field(min_length=1)
    match: Match | None = None

    def is_of(self, caller: Mapping[str, str]) -> bool:
        """Tell whether it is meant for this program and this service."""
        host, application, service = caller.get("host", ""), caller.get("application", ""), caller["service"]
        return (
            self.side == "consumer"
            and _names(self.addresses, host)
            and _names(self.services, service)
            and _names(self.applications, application)
            and (self.match is None or _is_of(self.match, host, application, service))
        )

    @property
    def is_of_some(self) -> bool:
        """It is meant for some providers only."""
        match = self.match
        return bool(self.provider_addresses or (match and (match.provider_address or match.param)))

    def means(self, endpoint: Endpoint) -> bool:
        """Tell whether it is meant for the provider at *endpoint*."""
        if self.provider_addresses and not any(one in self.provider_addresses for one in _names_of(endpoint)):
            return False
        match = self.match
        if match is None:
            return True
        address, host, port = endpoint.address, endpoint.host, endpoint.port
        if match.provider_address is not None and not match.provider_address.accepts(address, host, port):
            return False
        return all(one.value.accepts(endpoint.parameters.get(one.key)) for one in match.param)


def _names_of(endpoint: Endpoint) -> tuple[str, ...]:
    """List what a rule may name the provider at *endpoint* by."""
    return (endpoint.address, endpoint.host, f"{_ANY[1]}:{endpoint.port}", f"{_ANY[1]}:*", _ANY[1])


def _names(named: Iterable[str], value: str) -> bool:
    listed = tuple(named)
    return not listed or value in listed or any(one in _ANY for one in listed)


def _is_of(match: Match, host: str, application: str, service: str) -> bool:
    return (
        (match.address is None or match.address.accepts(host, host, 0))
        and (match.service is None or match.service.accepts(service))
        and (match.app is None or match.app.accepts(application))
    )


class Configurators(Part):
    """A rule of configurators."""

    config_version: Version = "v3.0"
    scope: Text = "service"
    key: Text = ""
    enabled: RuleFlag = True
    priority: Any = 0
    runtime: RuleFlag = True
    dynamic: RuleFlag = False
    configs: tuple[Item, ...] = Field((), max_length=_MOST_ITEMS)


@dataclass(frozen=True, slots=True)
class Change:
    """What a rule says of providers.

    Attributes:
        item: Of which providers.
        parameters: What they are taken to say of themselves.
        weight: Or None.
        is_disabled: Or None.
        origin: Where the rule says it.
    """

    item: Item
    parameters: Mapping[str, str]
    weight: int | None
    is_disabled: bool | None
    origin: str


@dataclass(frozen=True, slots=True)
class Effect:
    """All that the configurators of one rule do for one reference.

    Attributes:
        overlays: Of settings of calls.
        changes: Of what providers say.
        passed_over: Keys that are for this reference, and of no effect.
    """

    overlays: tuple[Overlay, ...] = ()
    changes: tuple[Change, ...] = ()
    passed_over: tuple[str, ...] = ()


def effect_of(read: ReadRule[Configurators], caller: Mapping[str, str], source: str) -> Effect:
    """Say what a rule does.

    Args:
        read: The rule.
        caller: What is known of this program and the service, by Dubbo's names, and ``service``.
        source: What errors name in place of a file.

    Raises:
        ConfigError: A value does not fit; all problems are in it.
    """
    items = read.rule.configs if read.rule.enabled else ()
    entries = (read.entry.find(["configs", number, "parameters"]) for number in range(len(items)))
    return effect_of_items(zip(items, entries, strict=True), caller, source)


def effect_of_items(items: Iterable[tuple[Item, Entry]], caller: Mapping[str, str], source: str) -> Effect:
    """Say what *items* do, each given with where its parameters were written; else as `effect_of`.

    Raises:
        ConfigError: A value does not fit; all problems are in it.
    """
    report = Report(source)
    overlays: list[Overlay] = []
    changes: list[Change] = []
    passed_over: list[str] = []
    for item, parameters in items:
        if not item.is_of(caller):
            continue
        changes += _changes(item, parameters, report)
        found, rest = _overlays(parameters, report)
        if item.is_of_some and found:
            rest += [f"{overlay.attribute} (for single providers)" for overlay in found]
            found = []
        overlays += found
        passed_over += rest
    report.close()
    return Effect(tuple(overlays), tuple(changes), tuple(passed_over))


def _overlays(parameters: Entry, report: Report) -> tuple[list[Overlay], list[str]]:
    """Give what is said of calls, and the keys that nothing here is called by."""
    found: list[Overlay] = []
    rest: list[str] = []
    for key, entry in parameters.section.items():
        overlay = overlay_of(key, entry, report)
        if overlay is not None:
            found.append(overlay)
        elif method_and_setting(key)[1] not in OVERLAID and key not in _NEVER and not _is_of_provider(key):
            rest.append(key)
    return found, rest


def _is_of_provider(key: str) -> bool:
    return key in ("weight", "disabled", "warmup", TAG) or key.endswith(".weight")


def _changes(item: Item, parameters: Entry, report: Report) -> list[Change]:
    said = {key: entry for key, entry in parameters.section.items() if _is_of_provider(key)}
    if not said:
        return []
    weights = {key: _weight(entry, report) for key, entry in said.items() if key.rpartition(".")[2] == "weight"}
    disabled = said.get("disabled")
    told = {key: entry.value for key, entry in said.items() if key != "disabled"}
    is_disabled = None if disabled is None else _truth(disabled, report)
    return [Change(item, told, weights.get("weight"), is_disabled, report.origin(parameters))]


def _weight(entry: Entry, report: Report) -> int:
    text = str(entry.value)
    if not text.isdecimal() or len(text) > 9 or int(text) > MAX_WEIGHT:
        report.at(entry, f"must be a whole number from 0 to {MAX_WEIGHT}, not {show(entry.value)}")
        return 0
    return int(text)


def _truth(entry: Entry, report: Report) -> bool:
    text = str(entry.value).lower()
    if text not in ("true", "false"):
        report.at(entry, f"must be true or false, not {show(entry.value)}")
    return text == "true"


class Changes:
    """What rules say of providers, kept by their addresses: consoles write a rule for each of a thousand.

    Args:
        changes: In the order in which they are obeyed.
    """

    def __init__(self, changes: Iterable[Change]) -> None:
        self._changes = tuple(changes)
        self._places: dict[str, list[int]] = {}
        for place, change in enumerate(self._changes):
            for name in set(change.item.provider_addresses) or {""}:
                self._places.setdefault(name, []).append(place)

    def seen(self, endpoint: Endpoint) -> Endpoint | None:
        """Give *endpoint* as the rules want it seen, None where they take it out."""
        disabled = False
        for change in self._about(endpoint):
            if change.item.means(endpoint):  # as the ones before have left it
                weight = endpoint.weight if change.weight is None else change.weight
                told = {**endpoint.parameters, **change.parameters}
                endpoint = replace(endpoint, weight=weight, parameters=told)
                disabled = disabled if change.is_disabled is None else change.is_disabled
        return None if disabled else endpoint

    def _about(self, endpoint: Endpoint) -> list[Change]:
        """Give those that name the address of *endpoint*, or none."""
        names = ("", *_names_of(endpoint))
        places = {place for name in names for place in self._places.get(name, ())}
        return [self._changes[place] for place in sorted(places)]

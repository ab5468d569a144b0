"""Where the providers of a reference come from: addresses of its own, or registries; and by which protocol."""

from __future__ import annotations

from collections.abc import Sequence

from ..check.listing import is_local, resolver_of
from ..extension import TRANSPORT, available, nearest, unknown
from ..policy import DEFAULT_PROTOCOL
from ..read.report import Report
from ..values.text import is_target, scheme_of
from .levels import Chosen, Level, choose, setter


def add_source(chosen: Chosen, levels: Sequence[Level], registries: Sequence[str], report: Report) -> None:
    """Set ``urls``, ``registries`` and ``protocol`` of the reference whose *levels* these are.

    Args:
        chosen: Takes them.
        levels: The reference's, then the consumer's.
        registries: Ids of all that are configured.
        report: Takes what is wrong.
    """
    own = levels[0]
    url, registry = own.written("urls"), own.written("registries")
    if url is not None and registry is not None:
        report.at(own.place("registries"), "excludes url, which is set too", "keep one of them")
    if url is not None and own.written("provided_by") is not None:
        report.at(own.place("provided_by"), "has no meaning beside url: no registry is asked", "remove it")
    protocol = choose(["protocol"], levels, report)
    chosen.values |= protocol.values
    chosen.origins |= protocol.origins
    if url is not None:
        _add_urls(chosen, own, report)
    if is_local(chosen.values.get("protocol", DEFAULT_PROTOCOL)):
        _refuse_sources(own, report)
    elif url is None:
        _add_registries(chosen, levels, registries, report)


def _refuse_sources(own: Level, report: Report) -> None:
    """Note what *own* says of addresses, where there are none; a registry of the consumer is for others."""
    for attribute in ("urls", "registries"):
        if own.written(attribute) is not None:
            report.at(own.place(attribute), "has no meaning where the provider is in this process", "remove it")


def _add_urls(chosen: Chosen, own: Level, report: Report) -> None:
    urls = own.value("urls") or ()
    place = own.place("urls")
    origin = report.origin(place)
    written = {scheme: url for url in urls if (scheme := scheme_of(url))}
    schemes = {_spoken(scheme, url) for scheme, url in written.items()}
    if len(schemes) > 1:
        report.at(place, f"mixes protocols: {', '.join(sorted(schemes))}", "make one reference of each")
    for scheme in schemes:
        _check_scheme(scheme, own, report)
        if own.value("protocol") is None:
            chosen.set("protocol", scheme, origin)
    for scheme, url in written.items():
        if is_target(url) and _spoken(scheme, url) == scheme:
            report.at(place, f"has no host: {scheme}:// is not resolved by a transport", "write protocol://host:port")
    protocol = chosen.values.get("protocol", DEFAULT_PROTOCOL)
    chosen.set("urls", tuple(url if scheme_of(url) else f"{protocol}://{url}" for url in urls), origin)


def _spoken(scheme: str, url: str) -> str:
    """Tell the protocol of an address: its scheme, unless that says how the transport is to resolve it."""
    return (resolver_of(scheme) if is_target(url) else None) or scheme


def _check_scheme(scheme: str, own: Level, report: Report) -> None:
    protocol = own.value("protocol")
    if scheme not in available(TRANSPORT):
        report.at(own.place("urls"), *unknown(TRANSPORT, scheme))
    if protocol is not None and protocol != scheme:
        report.at(own.place("urls"), f"says {scheme}, but protocol is {protocol}", "make them the same")


def _add_registries(chosen: Chosen, levels: Sequence[Level], known: Sequence[str], report: Report) -> None:
    """Take the registries that are named, or as in Dubbo all of them."""
    level = setter(levels, "registries")
    if level is None:
        if not known and not any(each.written("registries") for each in levels):
            report.at(levels[0].entry, "needs url or registry", "no registry is configured")
        chosen.values["registries"] = tuple(known)
        return
    names, place = level.value("registries"), level.place("registries")
    if not names:
        report.at(place, "names no registry", nearest("", known))
    for name in names:
        if name not in known:
            report.at(place, f'unknown registry "{name}"', nearest(name, known) or "no registry is configured")
    chosen.set("registries", names, report.origin(place))

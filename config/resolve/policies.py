"""From the models of a configuration to the policies that a consumer runs by, each value with its origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..check.listing import is_local
from ..check.models import MethodModel, ReferenceModel, RegistryModel, RootModel
from ..extension import REGISTRY, available, unknown
from ..policy import DEFAULT_PROTOCOL, LAZY, ConsumerConfig, MethodPolicy, ReferencePolicy, RegistryPolicy
from ..read.keys import normalise
from ..read.report import Report
from ..read.tree import Entry
from ..values.quantity import show
from .batch import add_batch, check_use
from .callbacks import callback_policy
from .chain import add_attachments, add_interceptors
from .cluster import check_cluster
from .files import file_url, ssl_policy
from .levels import Chosen, Level, choose, setter
from .routers import add_routers, check_routers
from .source import add_source
from .transport import add_transport, note_misfits

# The method of a reference's default policy.
ANY = "*"

_CALL = (
    *("is_async", "sent", "returns", "timeout_ms", "total_timeout_ms", "retries", "idempotent", "retry_on"),
    *("retry_backoff", "hedge", "cluster", "forks", "broadcast_fail_percent", "failback_tasks", "failback_period_ms"),
    "merger",
    *("loadbalance", "actives", "when_full", "max_delayed", "max_delayed_bytes", "oninvoke", "onreturn", "onthrow"),
    *("unobserved", "mock", "validation", "cache", "cache_size", "cache_ttl_ms", "sticky", "hash_nodes"),
    *("hash_arguments", "parameter_types"),
)
_INTERFACE = (
    *("interface", "group", "version", "check", "lazy", "tag", "connections", "max_request_bytes"),
    *("max_response_bytes",),
    *("max_queued_requests", "max_queued_bytes", "connect_timeout_ms", "stub", "generic", "serialization"),
    *("migration_step", "provided_by", "outlier"),
)
# What one level sets for itself alone.
_OWN = ("max_pending", "max_pending_bytes")


def resolve(root: RootModel, tree: Entry, folder: Path, report: Report) -> ConsumerConfig:
    """Make the policies; what cannot be obeyed is noted in *report*, and the result is then of no use.

    Args:
        root: What fits of the configuration.
        tree: The shaped configuration, whole.
        folder: Where relative paths start.
        report: Takes the problems; its file names the origins.
    """
    registries = {
        name: _known_as(_registry(name, model, tree.find(["registries", name]), folder, report), root.application.name)
        for name, model in root.registries.items()
    }
    consumer = Level(root.consumer, tree.get("consumer") or Entry({}))
    known = tuple((tree.get("registries") or Entry({})).section)
    _check_consumer(consumer, known, folder, report)
    references = {
        name: _reference(name, [Level(model, tree.find(["references", name])), consumer], known, folder, report)
        for name, model in root.references.items()
    }
    given = {
        "application": root.application.name,
        "shutdown_timeout_ms": root.application.shutdown_timeout_ms,
        "callback_executor": callback_policy(root.consumer.callback_executor, consumer, report),
    }
    own = choose(_OWN, [consumer], report)
    set_values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return ConsumerConfig(
        source=report.file,
        registries=MappingProxyType(registries),
        references=MappingProxyType(references),
        origins=MappingProxyType(own.origins),
        **set_values,
        **own.values,
    )


def _check_consumer(consumer: Level, registries: Sequence[str], folder: Path, report: Report) -> None:
    """See that the defaults can be obeyed, even if no reference takes them."""
    nobody = Chosen({}, {})
    _method("", ANY, [consumer], report)
    note_misfits(consumer, report)
    check_routers([consumer], report)
    _add_ssl(nobody, [consumer], folder, report)
    if consumer.written("registries") is not None:
        add_source(nobody, [consumer], registries, report)


def _registry(name: str, model: RegistryModel, entry: Entry, folder: Path, report: Report) -> RegistryPolicy:
    address = _address(model, entry, folder, report)
    origins = {key: report.origin(entry.find([key])) for key in ("address", "file", "parameters", "ssl")}
    parameters = {normalise(key): value for key, value in (model.parameters or {}).items()}
    for key in model.parameters or {}:
        origins[normalise(key)] = report.origin(entry.find(["parameters", key]))
    own = {key: value for key in ("preferred", "zone", "weight") if (value := getattr(model, key)) is not None}
    return RegistryPolicy(
        id=name,
        address=address,
        file=str(folder / model.file) if model.file else "",
        ssl=None if model.ssl is None else ssl_policy(model.ssl, entry.find(["ssl"]), folder, report),
        parameters=MappingProxyType(parameters),
        origins=MappingProxyType(origins),
        **own,
    )


def _known_as(registry: RegistryPolicy, application: str | None) -> RegistryPolicy:
    return replace(registry, application=application) if application else registry


def _address(model: RegistryModel, entry: Entry, folder: Path, report: Report) -> str:
    if entry.get("address") is None:
        report.at(entry, "needs address", "write a URL such as file:providers.yml")
    if model.address is None:
        return ""
    scheme, colon, rest = model.address.partition(":")
    known = available(REGISTRY)
    if not colon or (scheme not in known and rest[:1].isdecimal()):  # a host and its port have no scheme
        report.at(entry.find(["address"]), "has no scheme", "write a URL such as file:providers.yml")
    elif scheme not in known:
        report.at(entry.find(["address"]), *unknown(REGISTRY, scheme))
    return file_url(model.address, folder) if scheme == "file" else model.address


def _reference(
    name: str, levels: Sequence[Level], registries: Sequence[str], folder: Path, report: Report
) -> ReferencePolicy:
    own = levels[0]
    chosen = choose(_INTERFACE, levels, report).join(choose(_OWN, [own], report))
    _check_interface(levels, report)
    add_source(chosen, levels, registries, report)
    add_transport(chosen, levels, folder, report)
    _add_ssl(chosen, levels, folder, report)
    add_routers(chosen, levels, report)
    entry = own.entry
    default = _method(name, ANY, levels, report)
    protocol = chosen.values.get("protocol", DEFAULT_PROTOCOL)
    methods = {}
    for method, model in _methods(own).items():
        inner = [Level(model, entry.find(["methods", method])), *levels]
        methods[method] = _method(name, method, inner, report)
        check_cluster(methods[method], inner, protocol, report)
    if not methods:  # else those that it does not name are judged where they are called
        check_cluster(default, levels, protocol, report)
    check_use(own, (default, *methods.values()), report)
    return ReferencePolicy(
        id=name,
        default=default,
        methods=MappingProxyType(methods),
        origins=MappingProxyType(chosen.origins),
        **{"interface": name, **chosen.values},
    )


def _methods(level: Level) -> Mapping[str, MethodModel]:
    return level.model.methods if isinstance(level.model, ReferenceModel) else {}


def _check_interface(levels: Sequence[Level], report: Report) -> None:
    own, level = levels[0], setter(levels, "protocol")
    if own.written("interface") is None and not (level is not None and is_local(level.value("protocol"))):
        report.at(own.entry, "needs interface", "write the full name of the service")


def _add_ssl(chosen: Chosen, levels: Sequence[Level], folder: Path, report: Report) -> None:
    level = setter(levels, "ssl")
    if level is not None:
        entry = level.place("ssl")
        chosen.set("ssl", ssl_policy(level.value("ssl"), entry, folder, report), report.origin(entry))
        chosen.origins |= {f"ssl.{key}": report.origin(one) for key, one in entry.section.items()}


def _method(reference: str, method: str, levels: Sequence[Level], report: Report) -> MethodPolicy:
    if method != ANY and not method.isidentifier():
        report.at(levels[0].entry, f"{show(method)} is not the name of a method")
    chosen = choose(_CALL, levels, report)
    if method != ANY:
        chosen = chosen.join(choose(_OWN, levels[:1], report))
        chosen.origins["method"] = report.origin(levels[0].entry)
    add_interceptors(chosen, levels, report)
    add_attachments(chosen, levels, report)
    add_batch(chosen, levels, report)
    _check_callbacks(levels, report)
    _check_lazy(levels, report)
    policy = MethodPolicy(reference=reference, method=method, origins=MappingProxyType(chosen.origins), **chosen.values)
    if "total_timeout_ms" in chosen.values:
        return policy
    return replace(policy, total_timeout_ms=policy.timeout_ms * (policy.retries + 1))


def _check_callbacks(levels: Sequence[Level], report: Report) -> None:
    """Refuse ``onreturn`` and ``onthrow`` where there is no answer, as Dubbo does; point at the more specific one."""
    silent = setter(levels, "returns")
    if silent is None or silent.value("returns"):
        return
    for attribute in ("onreturn", "onthrow"):
        level = setter(levels, attribute)
        if level is not None:
            one, other = level.place(attribute), silent.place("returns")
            text = f"{attribute} is never called where return is false"
            if levels.index(level) <= levels.index(silent):
                report.at(one, text, f"return is set at {report.origin(other)}; take one of the two away")
            else:
                report.at(other, text, f"{attribute} is set at {report.origin(one)}; take one of the two away")


def _check_lazy(levels: Sequence[Level], report: Report) -> None:
    """Refuse ``async: lazy`` where there is no answer; a method may drop its own though the level above is lazy."""
    silent, lazy = setter(levels, "returns"), setter(levels, "is_async")
    if silent is None or silent.value("returns") or lazy is None or lazy.value("is_async") != LAZY:
        return
    if levels.index(lazy) <= levels.index(silent):
        origin = report.origin(silent.place("returns"))
        text = "there is no answer to be lazy about where return is false"
        report.at(lazy.place("is_async"), text, f"return is set at {origin}; take one of the two away")

"""``callahead check --types``: all that a configuration names and only an import can judge."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from random import Random
from types import MappingProxyType
from typing import Any, NoReturn

from callahead.config import ConfigError, ConsumerConfig, MethodPolicy, Problem, ReferencePolicy
from callahead.config.extension import CLUSTER, LOADBALANCE, TRANSPORT, load

from ..call.invocation import Invocation
from ..cluster.retry import check_listed
from ..errors import RpcError
from ..interceptor.mock import Mock
from ..interceptor.named import named_function
from ..interceptor.order import load_interceptors
from ..interface.description import MethodDescription
from ..runtime.callbacks import CallbackExecutor
from ..runtime.timer import Timer
from ..transport.api import ReferenceTransport, Transport, TransportParts
from .findings import CheckedReference, Findings
from .importing import importing_from_here

ECHO = "$echo"
"""The method that every Java interface has, and that does nothing."""

_FUNCTIONS = ("oninvoke", "onreturn", "onthrow", "validation")
_LISTS = ("interceptors", "mock", "retry_on")


def check_types(config: ConsumerConfig, findings: Findings) -> None:
    """Load types, certificates and all else that references name; nothing is connected to.

    What a module prints as it is imported goes to the standard error.
    """
    with importing_from_here(), redirect_stdout(sys.stderr), _transports(config) as transports:
        for policy in config.references.values():
            checked = findings.references[policy.id] = CheckedReference(id=policy.id)
            findings.add(_problems_of_methods(policy), checked)
            try:
                opened = transports[policy.protocol].open(policy, tuple)
            except ConfigError as error:
                findings.add(error.problems, checked)
                _open_bare(transports[policy.protocol], policy, checked)
            else:
                findings.add(_problems_of_types(opened, policy, checked), checked)


@contextmanager
def _transports(config: ConsumerConfig) -> Iterator[Mapping[str, Transport]]:
    """Make the transports that references have, with all that they may use."""
    clock, callbacks = time.monotonic, CallbackExecutor(1)
    timer = Timer(clock)
    chance = Random()  # noqa: S311 - it keeps no secret
    parts = TransportParts(clock=clock, random=chance, timer=timer, callbacks=callbacks, application=config.application)
    made = {name: load(TRANSPORT, name)(parts) for name in {one.protocol for one in config.references.values()}}
    try:
        yield made
    finally:
        for transport in made.values():
            transport.close()
        timer.close()
        callbacks.close(wait=True)


def _problems_of_types(
    opened: ReferenceTransport, policy: ReferencePolicy, checked: CheckedReference
) -> Iterator[Problem]:
    try:
        checked.methods = opened.methods()
        checked.takes_echo = _has(opened, ECHO, policy.default)
    except ConfigError as error:
        yield from error.problems
    except RpcError:  # only a provider knows them, and there is none here
        checked.asks_for_types = True


def _has(opened: ReferenceTransport, name: str, policy: MethodPolicy) -> bool:
    try:
        opened.method(name, policy)
    except LookupError:
        return False
    return True


def _open_bare(transport: Transport, policy: ReferencePolicy, checked: CheckedReference) -> None:
    """Find out whether providers can be asked where the types are wrong, or whatever else is."""
    try:
        opened = transport.open(without_types(policy), tuple)
        checked.takes_echo = _has(opened, ECHO, policy.default)
    except (ConfigError, RpcError):
        checked.is_askable = False


def without_types(policy: ReferencePolicy) -> ReferencePolicy:
    """Let every method of a Java interface be called that needs no types."""
    return dataclasses.replace(policy, stub=None, generic=True, methods=MappingProxyType({}))


def _problems_of_methods(policy: ReferencePolicy) -> Iterator[Problem]:
    """Load what policies of methods name, each thing once."""
    seen: set[tuple[str, Any, str]] = set()
    for method in (policy.default, *policy.methods.values()):
        for one in _named(method):
            attribute, name = one
            if (attribute, name, method.origin(attribute)) not in seen:
                seen.add((attribute, name, method.origin(attribute)))
                yield from _problems_of(method, attribute, name)


def _named(method: MethodPolicy) -> Iterator[tuple[str, str]]:
    yield from (("cluster", method.cluster), ("loadbalance", method.loadbalance))
    yield from ((key, name) for key in _LISTS for name in getattr(method, key))
    yield from ((key, name) for key in _FUNCTIONS if (name := getattr(method, key)) is not None)


def _problems_of(method: MethodPolicy, attribute: str, name: str) -> tuple[Problem, ...]:
    try:
        _load(method, attribute, name)
    except ConfigError as error:
        return error.problems
    except Exception as error:  # another distribution's module runs, so anything may come out of it
        return (method.problem(attribute, f'"{name}" cannot be loaded: {type(error).__name__}: {error}'),)
    return ()


def _load(method: MethodPolicy, attribute: str, name: str) -> None:
    """Make what the first call would make of *name*, one of those that *attribute* lists."""
    only: Any = {attribute: (name,)}
    match attribute:
        case "interceptors":
            load_interceptors(dataclasses.replace(method, **only))
        case "mock":
            Mock(dataclasses.replace(method, **only), _not_described, _not_called)
        case "retry_on":
            check_listed(dataclasses.replace(method, **only))
        case "cluster" | "loadbalance":
            load(CLUSTER if attribute == "cluster" else LOADBALANCE, name)
        case _:
            named_function(method, attribute, name)


def _not_described(method: str) -> Sequence[MethodDescription]:  # noqa: ARG001
    return ()


def _not_called(method: str, invocation: Invocation) -> NoReturn:  # noqa: ARG001
    raise AssertionError("nothing is called here")

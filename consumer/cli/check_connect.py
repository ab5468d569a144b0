"""``callahead check --connect``: asks each provider whether it is there and has the service, and never calls it."""

from __future__ import annotations

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import MappingProxyType
from typing import TYPE_CHECKING

from callahead.config import ConfigError, ConsumerConfig, Problem, ReferencePolicy
from callahead.registry import DirectRegistry, Endpoint

from ..bootstrap import Consumer
from ..errors import NoProviderAvailable, RpcError
from ..interface.proto.load import check_methods
from ..interface.proto.reflection import NoReflection, from_reflection
from .check_providers import KnownProviders, problem_of_provider
from .check_types import ECHO, without_types
from .findings import AskedProvider, CheckedReference, Findings, counted

if TYPE_CHECKING:
    from ..channel.channel import ConsumerChannel

_AT_ONCE = 8
_HELLO = "callahead check"
_HEALTH = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"
_NO_GRPC = "http2 header with status"
"""What gRPC core says of a server of HTTP/2 that has nothing to do with gRPC."""


def check_connections(config: ConsumerConfig, providers: KnownProviders, findings: Findings, timeout_ms: int) -> None:
    """Ask every provider of every reference, several at once, each for at most three times *timeout_ms*."""
    jobs = [
        (policy, checked, endpoint)
        for policy in config.references.values()
        for checked in [findings.references[policy.id]]
        for endpoint in providers.find(policy, checked, findings)
        if checked.is_askable
    ]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="callahead-check") as pool:
        asked = list(pool.map(lambda job: _ask(config, *job, timeout_ms=timeout_ms), jobs))
    for (_, checked, _), (provider, problems) in zip(jobs, asked, strict=True):
        checked.providers.append(provider)
        findings.add(problems, checked)


def _ask(
    config: ConsumerConfig, policy: ReferencePolicy, checked: CheckedReference, endpoint: Endpoint, *, timeout_ms: int
) -> tuple[AskedProvider, list[Problem]]:
    began = time.monotonic()
    said, wrong = "", []
    try:
        with closing(_consumer(config, policy, checked, endpoint, timeout_ms)) as consumer:
            said = _echo(consumer, policy) if checked.takes_echo else _greet(consumer, policy, checked)
    except RpcError as error:
        wrong = [(error.message, "")]
    except ConfigError as error:
        wrong = [(problem.text, problem.hint) for problem in error.problems]
    except Exception as error:  # another distribution's transport may raise anything
        wrong = [(f"{type(error).__name__}: {error}", "")]
    elapsed_ms = (time.monotonic() - began) * 1000
    text = "; ".join(text for text, _ in wrong)
    asked = AskedProvider(provider=str(endpoint), said=said, problem=text, elapsed_ms=elapsed_ms)
    return asked, [problem_of_provider(policy, endpoint, *one) for one in wrong]


def _consumer(
    config: ConsumerConfig, policy: ReferencePolicy, checked: CheckedReference, endpoint: Endpoint, timeout_ms: int
) -> Consumer:
    """Make a consumer that has only this provider, tries once, and runs nothing of the user's around a call."""
    bare = without_types(policy) if checked.takes_echo else policy
    name = policy.registries[0] if policy.registries else "url"
    once = {"timeout_ms": timeout_ms, "total_timeout_ms": timeout_ms, "retries": 0, "actives": 0}
    plain = {"interceptors": (), "oninvoke": None, "onreturn": None, "onthrow": None, "cluster": "failfast"}
    asking = dataclasses.replace(
        bare,
        urls=(),
        registries=(name,),
        migration_step="FORCE_INTERFACE",
        provided_by=(),
        methods=MappingProxyType({}),
        routers=(),
        tag=endpoint.parameters.get("dubbo.tag", ""),  # who has one is kept from by calls without it
        connect_timeout_ms=min(policy.connect_timeout_ms, timeout_ms),
        default=policy.default.override(is_async=False, sent=False, returns=True, **once, **plain),
    )
    alone = dataclasses.replace(config, references={policy.id: asking}, registries={}, shutdown_timeout_ms=0)
    return Consumer(alone, registries={name: DirectRegistry((endpoint,), "callahead check")})


def _echo(consumer: Consumer, policy: ReferencePolicy) -> str:
    """Ask a Java service by ``$echo``, which finds the service and calls no method of it."""
    getattr(consumer.reference(policy.id), ECHO).sync(_HELLO)
    return "it has the service"


def _greet(consumer: Consumer, policy: ReferencePolicy, checked: CheckedReference) -> str:
    """Ask a gRPC server for its health and, where it serves reflection, for the methods of the service."""
    try:
        channel = consumer.channel(policy.id)
    except ConfigError:
        return "it was not asked, since its protocol knows no question beside calls"
    health = _health(channel)
    try:
        served = from_reflection(consumer.config.references[policy.id], lambda: channel)
    except (NoReflection, RpcError):
        if checked.asks_for_types:
            raise
        return f"{health}, and does not tell its methods"
    check_methods(policy, served)
    missing = sorted(set(checked.methods) - served.methods.keys())
    if missing:
        raise policy.error("interface", f"{policy.interface} has no {', '.join(missing)} there")
    return f"{health} and has the service, {counted(len(served.methods), 'method')}"


def _health(channel: ConsumerChannel) -> str:
    """Ask for the health of the server as a whole, which every gRPC server answers, be it that it does not know.

    Raises:
        RpcError: There is no connection, or it is no gRPC server, or it says that it does not serve.
    """
    try:
        answer = channel.unary_unary(_HEALTH, bytes, bytes)(b"")
    except RpcError as error:
        if not error.is_remote or _NO_GRPC in error.status_text:
            raise
        return "it speaks gRPC"
    if answer not in (_SERVING, b""):
        raise NoProviderAvailable("it says that it does not serve (gRPC's health)", is_remote=True)
    return "it serves"

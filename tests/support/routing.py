"""Providers and calls for tests of rules."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from callahead.config.policy import MethodPolicy
from callahead.config.rules import read_rule
from callahead.consumer.call.invocation import CallRecord, Invocation
from callahead.consumer.call.provider import Provider
from callahead.consumer.router.api import Providers, Router, Split
from callahead.consumer.router.kinds import ConditionKind, TagKind
from callahead.registry.url import Url, endpoint_of

CALLER: Mapping[str, str] = MappingProxyType(
    {"application": "shop-web", "host": "10.1.1.1", "interface": "a.B", "service": "a.B", "side": "consumer"}
)


def provider(url: str) -> Provider:
    """Make the provider of a URL; a bare port is one at 10.0.0.1."""
    endpoint = endpoint_of(Url.parse(f"tri://10.0.0.1:{url}" if url.isdecimal() else url, default_protocol="tri"))
    assert endpoint is not None
    return Provider(endpoint, lambda _: None)


def providers(*urls: str) -> Providers:
    """Make several."""
    return tuple(map(provider, urls))


def call(method: str = "find", *args: Any, **attachments: str) -> Invocation:
    """Make a call; a ``_`` in the name of an attachment is a dot."""
    policy = MethodPolicy(reference="foo", method=method)
    named = {name.replace("_", "."): value for name, value in attachments.items()}
    return Invocation(
        policy, method, args, {}, named, 1.0, lambda: 0.0, CallRecord(policy, method, 0.0), blocking=False
    )


def condition_routers(text: str, caller: Mapping[str, str] = CALLER) -> list[Router]:
    """Make the routers of a condition rule in YAML."""
    return list(ConditionKind.routers(read_rule(ConditionKind.rule, text, "rule").rule, caller, "rule"))


def tag_routers(text: str, caller: Mapping[str, str] = CALLER) -> list[Router]:
    """Make those of a tag rule."""
    return list(TagKind.routers(read_rule(TagKind.rule, text, "rule").rule, caller, "rule"))


def routed(routers: list[Router], listed: Providers, invocation: Invocation) -> list[str]:
    """Give the addresses that *routers* leave, one after the other; of a split the first part."""
    for router in routers:
        left = router.route(listed, invocation) if listed else listed
        listed = left.parts[0] if isinstance(left, Split) else left
    return [one.endpoint.address.removeprefix("10.0.0.1:") for one in listed]

"""What a request says of the service that it is for."""

from __future__ import annotations

import pytest

from callahead.config.policy import MethodPolicy, ReferencePolicy
from callahead.consumer.transport.identity import ServiceIdentity
from callahead.registry import Endpoint


def policy(group: str = "", version: str = "") -> ReferencePolicy:
    default = MethodPolicy(reference="foo", method="*")
    return ReferencePolicy(id="foo", interface="a.Foo", group=group, version=version, default=default)


def endpoint(path: str = "", **parameters: str) -> Endpoint:
    return Endpoint(protocol="dubbo", host="h", port=1, path=path, parameters=parameters)


def test_the_provider_says_who_it_is() -> None:
    """It goes before what the reference asks for, by which it was only chosen."""
    said = ServiceIdentity.of(endpoint("p", group="g", version="2", token="t"), policy("*", "1,2"))

    assert ServiceIdentity("p", "2", "g", "t") == said


def test_what_a_provider_leaves_out_the_reference_says() -> None:
    """A provider by its address says nothing of itself."""
    assert ServiceIdentity("a.Foo", "1", "g", "") == ServiceIdentity.of(endpoint(), policy("g", "1"))


@pytest.mark.parametrize("asked", ["*", "a,b", "a, *"])
def test_a_wildcard_or_a_list_is_never_said(asked: str) -> None:
    """No provider has such a group or version."""
    assert ServiceIdentity("a.Foo", "", "", "") == ServiceIdentity.of(endpoint(), policy(asked, asked))

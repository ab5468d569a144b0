"""Overrides for one call."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from callahead.config import MethodPolicy, ReferencePolicy, RegistryPolicy
from callahead.config.check.models import ConsumerModel, MethodModel, ReferenceModel, yaml_keys
from callahead.config.policy import key_of

POLICY = MethodPolicy(
    reference="foo",
    method="find",
    timeout_ms=100,
    total_timeout_ms=300,
    origins=MappingProxyType({"timeout_ms": "c.yml:3"}),
)


def test_an_override_is_marked_as_the_calls() -> None:
    """Where a value came from stays known, whoever set it."""
    new = POLICY.override(idempotent=True)
    assert (new.idempotent, new.origin("idempotent"), new.origin("timeout_ms")) == (True, "call", "c.yml:3")
    assert (new.origin("retries"), POLICY.idempotent) == ("built-in", False)


def test_a_new_timeout_or_retries_renews_a_built_in_total() -> None:
    """The total follows what it is made of."""
    assert POLICY.override(timeout_ms=50).total_timeout_ms == 150
    assert POLICY.override(retries=0).total_timeout_ms == 100


def test_an_explicit_total_is_kept() -> None:
    """What someone set is not renewed, whether the file or the call said it."""
    explicit = POLICY.override(total_timeout_ms=120)
    assert explicit.override(timeout_ms=50).total_timeout_ms == 120
    assert POLICY.override(timeout_ms=50, total_timeout_ms=70).total_timeout_ms == 70


@pytest.mark.parametrize("model", [MethodModel, ReferenceModel, ConsumerModel])
def test_a_policy_knows_the_key_of_each_attribute(model: type[ConsumerModel]) -> None:
    """An error of a policy names the key that the YAML has."""
    assert {name: key_of(name) for name in model.model_fields} == yaml_keys(model)


def test_a_method_blames_a_setting_or_the_whole_method() -> None:
    """Each at the place where it was set."""
    method = MethodPolicy(reference="foo", method="find", origins={"timeout_ms": "c.yml:3", "method": "c.yml:2"})
    assert str(method.error("timeout_ms", "is odd")) == "c.yml:3: references.foo.methods.find.timeout: is odd"
    assert str(method.problem("method", "is odd", "fix it")) == "c.yml:2: references.foo.methods.find: is odd (fix it)"
    assert str(method.problem("sent", "is odd")) == "built-in: references.foo.methods.find.sent: is odd"


def test_a_reference_blames_its_setting() -> None:
    """At the place where it was set, by the key that the YAML has."""
    policy = ReferencePolicy(id="foo", interface="a.Foo", default=POLICY, origins={"urls": "c.yml:4"})
    assert str(policy.error("urls", "is odd", "fix it")) == "c.yml:4: references.foo.url: is odd (fix it)"


def test_a_registry_blames_a_parameter_or_its_address() -> None:
    """What is in the query of the address has no key of its own."""
    origins = {"address": "c.yml:2", "wait": "c.yml:3"}
    policy = RegistryPolicy(id="main", address="memory://x?a=b", parameters={"wait": "1"}, origins=origins)
    assert str(policy.error("wait", "is odd")) == "c.yml:3: registries.main.parameters.wait: is odd"
    assert str(policy.error("a", "is odd")) == "c.yml:2: registries.main.address: is odd"

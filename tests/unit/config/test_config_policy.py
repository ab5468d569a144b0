"""Overrides for one call."""

from __future__ import annotations

from types import MappingProxyType

from callahead.config import MethodPolicy

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

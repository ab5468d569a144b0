"""Limits by the size that a user allows."""

from __future__ import annotations

from callahead.consumer.codec.hessian2 import dumps, loads
from callahead.consumer.codec.hessian2.limits import DEFAULT_LIMITS, limits_for


def test_a_larger_body_than_the_default_is_let_through() -> None:
    """What max_response_bytes allows, the codec does not refuse."""
    text = "x" * (DEFAULT_LIMITS.bytes + 1)
    limits = limits_for(DEFAULT_LIMITS.bytes * 2)

    assert loads(dumps(text, limits=limits), limits=limits) == text


def test_a_smaller_size_leaves_the_default() -> None:
    """The wire has refused what is larger already."""
    assert limits_for(1) == DEFAULT_LIMITS

"""Policies made in code, as a configuration would have given them."""

from __future__ import annotations

from typing import Any

from callahead.config.policy import ReferencePolicy
from callahead.consumer.transport.tri.settings import TriSettings


def tri_policy(**values: Any) -> ReferencePolicy:
    """Make the policy of a reference over `tri`; *values* are those of the policy and of `TriSettings`."""
    declared = {name: values.pop(name) for name in TriSettings.model_fields if name in values}
    return ReferencePolicy(transport=TriSettings(**declared), **values)

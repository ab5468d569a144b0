"""Errors about one setting of a reference, at the line where it was written."""

from __future__ import annotations

from callahead.config.errors import ConfigError, Problem
from callahead.config.policy import MethodPolicy, ReferencePolicy


def wrong(policy: ReferencePolicy, attribute: str, text: str, hint: str = "") -> ConfigError:
    """Make the error of one *attribute* of *policy*, which is also its key in the YAML."""
    key = f"references.{policy.id}.{attribute}"
    return ConfigError.at(policy.origin(attribute), key, text, hint)


def wrong_method(method: MethodPolicy, text: str, hint: str, origin: str, key: str = "") -> Problem:
    """Describe what is wrong with *method* at *origin*; *key* is the setting in the YAML, "" for the method."""
    whole = ".".join(part for part in ("references", method.reference, "methods", method.method, key) if part)
    return Problem.at(origin, whole, text, hint)

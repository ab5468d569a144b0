"""Errors about one setting of a reference, at the line where it was written."""

from __future__ import annotations

from callahead.config.errors import ConfigError, Problem
from callahead.config.policy import MethodPolicy, ReferencePolicy


def wrong(policy: ReferencePolicy, attribute: str, text: str, hint: str = "") -> ConfigError:
    """Make the error of one *attribute* of *policy*, which is also its key in the YAML."""
    key = f"references.{policy.id}.{attribute}"
    return ConfigError([problem_at(policy.origin(attribute), key, text, hint)])


def wrong_method(method: MethodPolicy, text: str, hint: str, origin: str, key: str = "") -> Problem:
    """Describe what is wrong with *method* at *origin*; *key* is the setting in the YAML, "" for the method."""
    whole = ".".join(part for part in ("references", method.reference, "methods", method.method, key) if part)
    return problem_at(origin, whole, text, hint)


def problem_at(origin: str, key: str, text: str, hint: str = "") -> Problem:
    """Describe a problem at *origin*, ``file:line`` or a phrase such as ``built-in``."""
    file, _, line = origin.rpartition(":")
    if file and line.isdecimal():
        return Problem(file=file, line=int(line), key=key, text=text, hint=hint)
    return Problem(file=origin, line=0, key=key, text=text, hint=hint)

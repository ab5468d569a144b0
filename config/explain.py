"""What holds for one method, setting by setting, and where each value was set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from pydantic import BaseModel

from .check.declared import DeclaredSetting
from .check.listing import listing
from .check.models import GROUPS, MethodModel, ReferenceModel, yaml_keys
from .policy import BUILT_IN, MethodPolicy, ReferencePolicy, SslPolicy
from .values.secret import masked, shown_value

# Settings that belong together, and where their keys are.
_GROUPS: dict[type[Any], type[BaseModel]] = {model.policy_class: model for model in GROUPS.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One effective setting.

    Attributes:
        key: As in the YAML.
        value: True, False, a number, a text, a list or a mapping, or None for nothing; secrets are masked.
        unit: ``"ms"`` or ``"bytes"``, "" for none.
        origin: ``"conf/x.yml:14"``, several with commas between them, or ``"built-in"``; "" for a setting that the
            protocol of the reference does not honour, whose value is then None.
        only: The protocol that honours the setting, several with "or" between them, "" where all do.
    """

    key: str
    value: Any
    unit: str
    origin: str
    only: str = ""

    @property
    def is_set(self) -> bool:
        """The configuration says it, on whatever level."""
        return self.origin not in ("", BUILT_IN)


def explain(reference: ReferencePolicy, method: str | None = None) -> tuple[Setting, ...]:
    """List every setting that holds for calls of *method*, or of a method that the YAML does not name.

    The settings of calls come first, then those of the reference.
    """
    policy = reference.default if method is None else reference.methods.get(method, reference.default)
    return (*_of_calls(policy), *_of_reference(reference))


def _of_calls(policy: MethodPolicy) -> Iterator[Setting]:
    for attribute, key in yaml_keys(MethodModel).items():
        yield _setting(key, attribute, policy, policy.origin(attribute))


def _of_reference(policy: ReferencePolicy) -> Iterator[Setting]:
    attributes = {key: attribute for attribute, key in yaml_keys(ReferenceModel).items()}
    of_calls = yaml_keys(MethodModel).values()
    for key, declared in listing("reference").items():
        if declared:
            yield _of_transport(policy, declared)
        elif attributes[key] != "methods" and hasattr(policy, attributes[key]):
            origin = policy.origin(attributes[key])
            if key not in of_calls:
                yield _setting(key, attributes[key], policy, origin)
            elif origin != BUILT_IN:  # a method has one of its own, too
                yield _setting(f"reference.{key}", attributes[key], policy, origin)


def _of_transport(policy: ReferencePolicy, declared: tuple[DeclaredSetting, ...]) -> Setting:
    only = " or ".join(one.protocol for one in declared)
    for one in declared:
        if one.protocol == policy.protocol:
            return _setting(one.key, one.attribute, policy.transport, policy.origin(one.attribute), only)
    return Setting(key=declared[0].key, value=None, unit="", origin="", only=only)


def _setting(key: str, attribute: str, holder: object, origin: str, only: str = "") -> Setting:
    value = _plain(key, getattr(holder, attribute))
    return Setting(key=key, value=value, unit=_unit(attribute), origin=origin, only=only)


def _unit(attribute: str) -> str:
    for suffix in ("ms", "bytes"):
        if attribute.endswith(f"_{suffix}"):
            return suffix
    return ""


def _plain(key: str, value: Any) -> Any:
    if isinstance(value, SslPolicy):
        return {name: text for name in SslPolicy.__slots__ if (text := getattr(value, name)) is not None}
    if type(value) in _GROUPS:
        return _group(value)
    if isinstance(value, tuple):
        return [shown_value("", one) if isinstance(one, dict) else masked(str(one)) for one in value]
    return shown_value(key, value)


def _group(group: Any) -> dict[str, Any]:
    """Show settings that belong together by their keys, durations with their unit."""
    keys = yaml_keys(_GROUPS[type(group)])
    return {keys[field.name]: _with_unit(field.name, getattr(group, field.name)) for field in fields(group)}


def _with_unit(attribute: str, value: Any) -> Any:
    unit = _unit(attribute) if isinstance(value, int) else ""
    return f"{value} {unit}" if unit else value

"""Rules of Dubbo's as they are written, in YAML files and in registries."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from callahead.config.settings import Text
from callahead.config.values.quantity import Unfit, show, written_value

from .condition import Condition, parse_condition
from .pattern import AddressPattern

_MOST_CONDITIONS = 1000
_MOST_ADDRESSES = 20_000


def _flag(value: Any) -> bool:
    """Take true or false, or either as text, as Java does."""
    written = written_value(value)
    if isinstance(written, str) and written.lower() in ("true", "false"):
        return written.lower() == "true"
    if not isinstance(written, bool):
        raise Unfit(f"must be true or false, not {show(written)}")
    return written


def _version(value: Any) -> str:
    written = str(written_value(value)).lower()
    if written > "v3.1" and not written.startswith("v3.1"):
        raise Unfit(f"{show(written)} is not known", "v3.1 is the newest")
    return written


def _listed(kind: Any, most: int) -> Any:
    return Annotated[tuple[kind, ...], Field(max_length=most)]


RuleFlag = Annotated[bool, PlainValidator(_flag), WithJsonSchema({"type": "boolean"})]
Version = Annotated[str, PlainValidator(_version), WithJsonSchema({"type": "string"})]
OneCondition = Annotated[Condition, PlainValidator(parse_condition), WithJsonSchema({"type": ["string", "object"]})]


def _address(value: Any) -> AddressPattern:
    if not isinstance(value, str):
        raise Unfit(f"must be an address, not {show(value)}", "write it in quotes")
    return AddressPattern.parse(value)


Address = Annotated[AddressPattern, PlainValidator(_address), WithJsonSchema({"type": "string"})]


class Part(BaseModel):
    """A part of a rule."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Rule(Part):
    """What every rule has; what has no effect in Dubbo 3 either is taken and passed over."""

    config_version: Version = Field("v3.0", description="v3.0 or v3.1; default v3.0")
    enabled: RuleFlag = Field(True, description="false switches the rule off; default true")
    force: RuleFlag = Field(False, description="Where nobody is left, nobody is asked; default false")
    key: Text = Field("", description="What the rule is about; only for people")
    scope: Text = Field("", description="service or application; only for people")
    runtime: RuleFlag = Field(True, description="Has no effect: a rule is obeyed at each call")
    priority: Any = Field(0, description="Has no effect, as in Dubbo 3")
    valid: RuleFlag = Field(True, description="false switches the rule off, too; default true")
    dynamic: RuleFlag = Field(False, description="Has no effect")


class ConditionRule(Rule):
    """Which calls may go where."""

    conditions: _listed(OneCondition, _MOST_CONDITIONS) = Field(  # type: ignore[valid-type]
        (), description='Such as "method=find* => port=20881"; each narrows what the one before has left'
    )


_LONGEST_REGEX = 500
_LONGEST_MATCHED = 1000


def _regex(value: Any) -> re.Pattern[str]:
    """Compile an expression of others, which is short, since it is tried at each call."""
    if not isinstance(value, str) or len(value) > _LONGEST_REGEX:
        raise Unfit(f"must be a regular expression of at most {_LONGEST_REGEX} characters, not {show(value)}")
    try:
        return re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise Unfit(f"{show(value)} is no regular expression: {error}") from None


Regex = Annotated[re.Pattern[str], PlainValidator(_regex), WithJsonSchema({"type": "string"})]


class TextMatch(Part):
    """What a text must be; of several ways the first that is written counts.

    Source: Dubbo's ``StringMatch``; differs: a text of more than 1,000 characters fits no ``regex``.
    """

    exact: Text | None = None
    prefix: Text | None = None
    regex: Regex | None = None
    wildcard: Text | None = None
    empty: Any = None
    noempty: Any = None

    def accepts(self, value: str | None) -> bool:
        """Tell whether *value* is so; None stands for what is not there."""
        if value is not None:
            if self.exact is not None:
                return value == self.exact
            if self.prefix is not None:
                return value.startswith(self.prefix)
            if self.regex is not None:
                return len(value) <= _LONGEST_MATCHED and self.regex.fullmatch(value) is not None
            if self.wildcard is not None:
                return self.wildcard in ("*", value)
        if self.empty is not None:
            return not value
        return self.noempty is not None and bool(value)


class OneOf(Part):
    """What a text must be, in one of several ways."""

    oneof: tuple[TextMatch, ...]

    def accepts(self, value: str | None) -> bool:
        """Tell whether *value* is so; None stands for what is not there."""
        return any(one.accepts(value) for one in self.oneof)


class ParameterMatch(Part):
    """What a parameter of a provider must be."""

    key: Text
    value: TextMatch


class Tag(Part):
    """Which providers have a tag."""

    name: Text = Field(description="The tag")
    addresses: _listed(Address, _MOST_ADDRESSES) = Field(  # type: ignore[valid-type]
        (), description="Of providers: 10.0.0.1, 10.0.0.*:20880, 10.0.0.0/8"
    )
    match: tuple[ParameterMatch, ...] = Field((), description="Parameters of providers, without addresses")


class TagRule(Rule):
    """Which providers have which tags, beside those that they say themselves by ``dubbo.tag``."""

    tags: tuple[Tag, ...] = Field((), description="Tags and their providers")

"""Conditions as Dubbo writes them: ``method=find*,get* & host!=10.0.0.1 => port=20881``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from callahead.config.values.quantity import Unfit, show

from ..call.invocation import Invocation
from ..loadbalance.javatext import java_text
from .pattern import check_pattern, fits

_LONGEST: Final = 4096
_TOKEN: Final = re.compile(r"[&!=,]+|[^&!=,\s]+")
_SEPARATORS: Final = frozenset("&!=,")
_METHOD: Final = ("method", "methods")
_OF_CALL: Final = re.compile(r"(arguments)\[([0-9]{1,3})\]|(attachments)\[([^\[\]]{1,200})\]")
# In front of a key of Dubbo 2.6.
_SIDES: Final = ("consumer.", "provider.")


@dataclass(frozen=True, slots=True)
class Matcher:
    """What a rule says of one key.

    Attributes:
        key: Of the caller, the call or the provider.
        matches: Of these the value must be one, where there are any.
        mismatches: Of these it must be none; they are looked at first.
    """

    key: str
    matches: tuple[str, ...]
    mismatches: tuple[str, ...]

    def accepts(self, value: str | None, caller: Mapping[str, str] | None = None) -> bool:
        """Tell whether *value* is as the rule says; what is not there at all never is.

        Source: Dubbo's ``AbstractConditionMatcher``.
        """
        if value is None or any(fits(one, value, caller) for one in self.mismatches):
            return False
        return not self.matches or any(fits(one, value, caller) for one in self.matches)


@dataclass(frozen=True, slots=True)
class CallLook:
    """What a rule says of an argument or an attachment, as a question to a call.

    An argument that is not there differs from whatever is named. An attachment that is not there is neither equal to
    anything nor different. Source: Dubbo's ``ArgumentConditionMatcher`` and
    ``AttachmentConditionMatcher``; differs: the name of an attachment may hold dots.

    Attributes:
        matcher: Its key is ``arguments[0]`` or ``attachments[name]``.
        place: Index of the argument, or name of the attachment.
    """

    matcher: Matcher
    place: int | str

    def __call__(self, invocation: Invocation) -> bool:
        """Tell whether the call is as the rule says."""
        return self.matcher.accepts(self._value(invocation))

    def _value(self, invocation: Invocation) -> str | None:
        if isinstance(self.place, str):
            found = invocation.attachments.get(self.place)
            return found.decode(errors="replace") if isinstance(found, bytes) else found
        return java_text(invocation.args[self.place]) if self.place < len(invocation.args) else "\0"


@dataclass(frozen=True, slots=True)
class When:
    """Of which calls a condition speaks.

    Attributes:
        caller: What it says of the caller, which does not change while a program runs.
        method: What it says of the method's name, or None.
        call: What it says of arguments and attachments.
    """

    caller: tuple[Matcher, ...] = ()
    method: Matcher | None = None
    call: tuple[CallLook, ...] = ()

    @classmethod
    def parse(cls, text: str) -> When:
        """Read what stands before ``=>``; raises `Unfit`."""
        if text in ("", "true"):
            return cls()
        matchers = parse_matchers(text)
        methods = [one for one in matchers if one.key in _METHOD]
        if len(methods) > 1:
            raise Unfit(f"{show(text)} speaks of method and of methods", "which are one; write method alone")
        looks = tuple(filter(None, map(_look, matchers)))
        of_call = {look.matcher for look in looks}
        caller = tuple(one for one in matchers if one.key not in _METHOD and one not in of_call)
        return cls(caller, methods[0] if methods else None, looks)

    def is_of(self, caller: Mapping[str, str]) -> bool:
        """Tell whether the condition speaks of calls of *caller* at all."""
        return all(matcher.accepts(caller.get(matcher.key)) for matcher in self.caller)


@dataclass(frozen=True, slots=True)
class Then:
    """Which providers a condition means; none where there is no matcher.

    Attributes:
        matchers: What all must be true of the provider.
        weight: Its share of the calls, beside those of others of the same condition.
        is_all: Every provider is meant.
    """

    matchers: tuple[Matcher, ...] = ()
    weight: int = 100
    is_all: bool = False

    @classmethod
    def parse(cls, text: str, weight: int = 100, *, empty_is_all: bool = False) -> Then:
        """Read what stands behind ``=>``; raises `Unfit`."""
        if text in ("", "false"):
            return cls(weight=weight, is_all=empty_is_all)
        matchers = parse_matchers(text)
        for matcher in matchers:
            if _look(matcher) is not None:
                raise Unfit(f"{matcher.key} stands behind =>", "it is of the call, and stands before =>")
        return cls(matchers, weight)

    def means(self, value_of: Callable[[str], str | None], caller: Mapping[str, str]) -> bool:
        """Tell whether the provider of which *value_of* gives the values is one of those meant."""
        if not self.matchers:
            return self.is_all
        return all(matcher.accepts(value_of(matcher.key), caller) for matcher in self.matchers)


@dataclass(frozen=True, slots=True)
class Condition:
    """Where calls of some kind may go.

    Attributes:
        text: For people.
        when: Of which calls it speaks.
        then: Where they may go: to one set of providers, or by chance to one of several.
    """

    text: str
    when: When
    then: tuple[Then, ...]

    @property
    def is_closed(self) -> bool:
        """Nobody may be called."""
        return not any(then.matchers or then.is_all for then in self.then)


def parse_condition(written: Any) -> Condition:
    """Read one condition of a rule, a text, or since v3.1 a mapping with ``from`` and ``to``; raises `Unfit`."""
    if isinstance(written, dict):
        return _several(written)
    if not isinstance(written, str):
        raise Unfit(f"must be text such as {show('method=find => port=20881')}, not {show(written)}")
    _check_length(written)
    before, arrow, behind = written.partition("=>")
    if not written.strip():
        raise Unfit("is empty")
    when = When.parse(before.strip() if arrow else "")
    return Condition(" ".join(written.split()), when, (Then.parse((behind if arrow else written).strip()),))


def _several(written: dict[str, Any]) -> Condition:
    unknown = written.keys() - {"from", "to"}
    start, targets = written.get("from") or {}, written.get("to") or []
    if unknown or not isinstance(start, dict) or not isinstance(targets, list):
        raise Unfit("must be text, or {from: {match: ...}, to: [{match: ..., weight: 100}]}")
    match = _match(start)
    then = tuple(map(_target, targets))
    shown = ", ".join(f"{_match(target) or '*'} ({one.weight})" for target, one in zip(targets, then, strict=True))
    return Condition(f"{match} => {shown}".strip(), When.parse(match), then)


def _match(written: Any) -> str:
    match = written.get("match", "") if isinstance(written, dict) else None
    if match is None:
        match = ""
    if not isinstance(match, str):
        raise Unfit(f"match must be text such as {show('port=20881')}, not {show(match)}")
    _check_length(match)
    return match.strip()


def _target(written: Any) -> Then:
    if not isinstance(written, dict):
        raise Unfit(f"to must be a list of {{match: ..., weight: 100}}, not of {show(written)}")
    weight = written.get("weight", 100)
    weight = int(weight) if isinstance(weight, str) and weight.isdecimal() else weight
    if isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= 1_000_000:
        raise Unfit(f"weight must be a whole number from 0 to 1000000, not {show(weight)}")
    return Then.parse(_match(written), weight, empty_is_all=True)


def _check_length(text: str) -> None:
    if len(text) > _LONGEST:
        raise Unfit(f"has {len(text)} characters, more than {_LONGEST}")


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Read ``key=value,value & key!=value``; raises `Unfit`.

    Source: Dubbo's ``ConditionStateRouter.parseRule``; differs: what makes no sense, such as a key without a value, is
    refused and not passed over.
    """
    said: dict[str, tuple[list[str], list[str]]] = {}
    values: list[str] | None = None
    key = ""
    for separator, content in _parts(text):
        if separator in ("", "&"):
            key, values = content, None
            said.setdefault(_key(key), ([], []))
        elif separator in ("=", "!=") and key:
            values = said[_key(key)][separator == "!="]
            values.append(_value(content))
        elif separator == "," and values:
            values.append(_value(content))
        else:
            raise Unfit(f"{show(text)}: {show(separator)} before {show(content)} makes no sense")
    for name, (matches, mismatches) in said.items():
        if not matches and not mismatches:
            raise Unfit(f"{show(text)}: nothing is said of {show(name)}", "write key=value or key!=value")
    return tuple(Matcher(name, tuple(matches), tuple(mismatches)) for name, (matches, mismatches) in said.items())


def _parts(text: str) -> Iterable[tuple[str, str]]:
    """Give each word of *text* with the separator before it."""
    separator = ""
    for token in _TOKEN.findall(text):
        if token[0] not in _SEPARATORS:
            yield separator, token
            separator = ""
        elif separator:
            raise Unfit(f"{show(text)}: {show(separator)} before {show(token)} makes no sense")
        else:
            separator = token
    if separator:
        raise Unfit(f"{show(text)} ends with {show(separator)}")


def _key(key: str) -> str:
    side = next((side for side in _SIDES if key.startswith(side)), "")
    return key.removeprefix(side)


def _value(content: str) -> str:
    check_pattern(content)
    return content


def _look(matcher: Matcher) -> CallLook | None:
    found = _OF_CALL.fullmatch(matcher.key)
    if found is None:
        if matcher.key.partition("[")[0] in ("arguments", "attachments"):
            raise Unfit(f"{show(matcher.key)} is no key", "write arguments[0] or attachments[name]")
        return None
    return CallLook(matcher, int(found[2]) if found[1] else found[4])

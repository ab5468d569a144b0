"""The settings of calls that providers say, as parameters of their URLs, where the configuration says nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from .extension import LOADBALANCE, available, unknown
from .policy import BUILT_IN, PROVIDER, MethodPolicy
from .values.quantity import MOST_RETRIES, Unfit, count, duration_ms, flag
from .values.text import places

_TEXTS = ("hash.arguments", "loadbalance")
_TRUTH = {"true": True, "false": False}
_NUMBER = re.compile(r"[0-9]{1,18}")


def _named(group: str) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        if value not in available(group):
            raise Unfit(*unknown(group, value))
        return str(value)

    return convert


# Parameter, attribute of MethodPolicy, and how its value is read. What steers this side alone, such as ``async`` and
# ``sent``, is nobody's word but ours, though Java writes it into its URLs.
_READ: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "timeout": ("timeout_ms", duration_ms(1)),
    "retries": ("retries", count(0, MOST_RETRIES)),
    "loadbalance": ("loadbalance", _named(LOADBALANCE)),
    "actives": ("actives", count(0, 1_000_000)),
    "sticky": ("sticky", flag),
    "hash.nodes": ("hash_nodes", count(4, 10_000)),
    "hash.arguments": ("hash_arguments", places),
}

KEYS: Final = tuple(_READ)
"""The parameters of a provider's URL that mean something to calls, as Dubbo spells them."""


def amend(policy: MethodPolicy, said: Mapping[str, str]) -> tuple[MethodPolicy, list[str]]:
    """Let what providers have *said* hold where nothing is set; return the policy, and what is wrong with the rest.

    Args:
        policy: What the configuration says.
        said: By `KEYS`.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for key, text in said.items():
        attribute, read = _READ[key]
        if policy.origin(attribute) == BUILT_IN:
            try:
                values[attribute] = read(_typed(key, text))
            except Unfit as error:
                problems.append(f"{key} {error}")
    return (policy.amended(PROVIDER, **values) if values else policy), problems


def _typed(key: str, text: str) -> Any:
    if key in _TEXTS:
        return text
    return int(text) if _NUMBER.fullmatch(text) else _TRUTH.get(text, text)

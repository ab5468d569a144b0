"""What makes one answer of several; found in the entry-point group ``callahead.merger``.

A merger is a function that takes the answers, of which there are two at least, in the order of the groups, and returns
one. It must leave them as they are. Source: Dubbo ``MergerFactory``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

Merger = Callable[[Sequence[Any]], Any]


def by_type(answers: Sequence[Any]) -> Any:
    """Merge as the type of the first answer says that is not None; None where all are.

    Raises:
        TypeError: It is no list, set, mapping or message.
    """
    known = [answer for answer in answers if answer is not None]
    if len(known) < 2:
        return known[0] if known else None
    merger = _merger_of(known[0])
    if merger is None:
        kind = type(known[0]).__name__
        raise TypeError(f'answers of type {kind} have no merger by default; set one, such as "merger: sum"')
    return merger(known)


def _merger_of(answer: Any) -> Merger | None:
    if hasattr(answer, "MergeFrom"):
        return message
    kinds: Sequence[tuple[Any, Merger]] = ((list | tuple, as_list), (set | frozenset, as_set), (dict, as_map))
    return next((merger for kind, merger in kinds if isinstance(answer, kind)), None)


def as_list(answers: Sequence[Any]) -> list[Any]:
    """Put the elements of all one after the other."""
    return list(itertools.chain.from_iterable(answers))


def as_set(answers: Sequence[Any]) -> set[Any]:
    """Put the elements of all together."""
    return set().union(*answers)


def as_map(answers: Sequence[Any]) -> dict[Any, Any]:
    """Put the entries of all together; of one key the last counts."""
    return {key: value for answer in answers for key, value in answer.items()}


def message(answers: Sequence[Any]) -> Any:
    """Merge protobuf messages: repeated fields one after the other, of single ones the last that is set."""
    merged = type(answers[0])()
    for answer in answers:
        merged.MergeFrom(answer)
    return merged


def total(answers: Sequence[Any]) -> Any:
    """Add numbers up."""
    return sum(answers)


def least(answers: Sequence[Any]) -> Any:
    """Return the least."""
    return min(answers)


def most(answers: Sequence[Any]) -> Any:
    """Return the greatest."""
    return max(answers)


def every(answers: Sequence[Any]) -> bool:
    """Tell whether all are true."""
    return all(answers)


def some(answers: Sequence[Any]) -> bool:
    """Tell whether one is true at least."""
    return any(answers)

"""Calls that belong together: made within a scope, by call sites that know nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from ledger.client import PATIENCE_S, Ask, Client, Made

from callahead.consumer.scope.scope import Scope

SCOPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "cancel_rest": {"on_error": "cancel_rest"},
    "first_ok": {"on_error": "first_ok"},
    "shared_time": {"timeout": 0.015},
    "retry_failed": {"retry_failed": 1},
}
_MEMBERS: Final = ("future", "lazy", "ahead", "again")


def ask_together(client: Client, ask: Ask) -> None:
    """Make the calls of one scope, and see to it that the end of each is written; its mode says which scope."""
    if ask.mode == "retry_failed":
        _ask_twice(client, ask)
    else:
        _ask_all(client, ask)


def _ask_all(client: Client, ask: Ask) -> None:
    """Make some calls that take ever longer; in a scope that a failure ends, half of the time the first one fails."""
    settings = SCOPES[ask.mode]
    within = min(client.within(ask), settings.get("timeout", PATIENCE_S))
    asks = [replace(ask, mode=mode, delay_ms=ask.delay_ms * (n + 1) / 2) for n, mode in enumerate(_MEMBERS)]
    if ask.mode == "cancel_rest" and int(ask.delay_ms) % 2:
        asks[0] = replace(asks[0], fails=True)
    made: list[Made] = []
    with suppress(ExceptionGroup), client.consumer.scope(**settings):
        made.extend(client.begin(one, within, scope=ask.mode) for one in asks)  # one may raise; those before it stay
    for call in made:
        client.end(call.id, partial(call.answer, 0.0))


def _ask_twice(client: Client, ask: Ask) -> None:
    """Make one call, which is made once more where no provider can have run it; the later end is the call's."""
    with suppress(ExceptionGroup), client.consumer.scope(**SCOPES[ask.mode]) as calls:
        made = client.begin(replace(ask, mode="future"), 2 * client.within(ask), scope=ask.mode, is_told=False)
    if calls.progress().begun > 1:
        client.repeated(made)
    client.end(made.id, _only_answer(calls))


def _only_answer(calls: Scope) -> Callable[[], Any]:
    def answer() -> Any:
        try:
            (value,) = calls.results()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        return value

    return answer

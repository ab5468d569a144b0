"""The configuration changes while calls run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from ledger.round import Round

from callahead.config import load_text
from callahead.config.errors import ConfigError
from callahead.consumer import Invocation

_EDITS = 1000
_LONGEST_MS = 999  # the ledger allows a call what it had at first
_SEEN: Counter[bool] = Counter()


class Even:
    """Notes of each call whether it runs under the configuration that this chain was made of."""

    inline = True
    _is_odd = 0

    def on_start(self, invocation: Invocation) -> None:
        policy = invocation.policy
        _SEEN[policy.timeout_ms % 2 == self._is_odd and policy.max_delayed == policy.timeout_ms] += 1

    def on_end(self, token: Any, outcome: Any) -> None:
        """Nothing changes on the way."""


class Odd(Even):
    """Likewise, in every second configuration."""

    _is_odd = 1


def _settings(number: int) -> dict[str, Any]:
    """Give settings that always change together."""
    kind = Odd if number % 2 else Even
    return {"timeout": number, "max_delayed": number, "interceptors": [f"{__name__}:{kind.__name__}"]}


def reloaded(run: Round) -> None:
    """Edit the YAML a thousand times, or as often as there is time for, every third time wrongly."""
    _SEEN.clear()
    client = run.client(run.place().url, **_settings(_LONGEST_MS))
    load = run.load(client)
    began = time.monotonic()
    wrong: Counter[str] = Counter()
    made = 0
    try:
        while made < _EDITS and time.monotonic() - began < 2 * run.seconds:
            edited = _edited(client.config, _LONGEST_MS - made % 100)
            mistake = list(_MISTAKES)[made // 3 % len(_MISTAKES)] if made % 3 == 2 else ""
            if mistake:
                _MISTAKES[mistake](edited)
            try:
                client.consumer.reload(load_text(yaml.safe_dump(edited), "edited.yml"))
                run.require(not mistake, f"{mistake} was obeyed")
            except ConfigError as error:
                wrong[mistake] += 1
                run.require(bool(mistake), f"edit {made} was refused: {error}")
            made += 1
            time.sleep(max(0.0, began + made * run.seconds / _EDITS - time.monotonic()))
    finally:
        load.stop()
        client.wait()
    run.note("edits", f"{made}, {wrong.total()} of them refused")
    run.note("calls under one configuration", _SEEN[True])
    run.require(not _SEEN[False], f"{_SEEN[False]} calls had settings of two configurations")
    run.require(_SEEN[True] > 0, "no call was looked at")


def _edited(config: Mapping[str, Any], number: int) -> dict[str, Any]:
    references = {name: {**settings, **_settings(number)} for name, settings in config["references"].items()}
    return {**config, "references": references}


def _misspell(config: dict[str, Any]) -> None:
    config["references"]["plain"]["retires"] = 1


def _name_what_is_not_there(config: dict[str, Any]) -> None:
    config["references"]["again"]["interceptors"] = [f"{__name__}:Nothing"]


def _drop_what_is_in_use(config: dict[str, Any]) -> None:
    del config["references"]["oneway"]


def _change_what_is_read_once(config: dict[str, Any]) -> None:
    config["references"]["plain"]["interface"] = "another.Service"


_MISTAKES: Mapping[str, Callable[[dict[str, Any]], None]] = {
    "a key that does not exist": _misspell,
    "an interceptor that does not exist": _name_what_is_not_there,
    "a reference in use that is gone": _drop_what_is_in_use,
    "another interface": _change_what_is_read_once,
}

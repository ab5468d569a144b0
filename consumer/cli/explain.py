"""``callahead explain``: what holds for a method, and where each value was set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from .tables import console, table

if TYPE_CHECKING:
    from callahead.config import ConsumerConfig, ReferencePolicy
    from callahead.config.explain import Setting

# Lines and blanks of a table of three columns, and the width that a column of values needs to be read.
_BORDERS = 10
_LEAST_VALUE = 26


@click.command(short_help="Show each effective setting and where it was set.")
@click.argument("file", type=click.Path())
@click.argument("reference")
@click.argument("method", required=False)
@click.option("--set", "only_set", is_flag=True, help="Leave out what has its built-in value.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--live", is_flag=True, help="Ask the registry for rules, and show what they change.")
def explain(file: str, reference: str, method: str | None, only_set: bool, as_json: bool, live: bool) -> None:
    """Show every effective setting of METHOD of REFERENCE in FILE, and where it was set.

    Without METHOD, or with one that FILE does not name, these are the settings of all methods that it does not name.
    """
    from callahead.config import load_file
    from callahead.config.explain import explain as settings_of

    config = load_file(file)
    policy = _reference(config.references, reference, file)
    settings = settings_of(_as_ruled(config, policy, method) if live else policy, method)
    if only_set:
        settings = tuple(setting for setting in settings if setting.is_set)
    note = "" if method is None or method in policy.methods else _undeclared(policy, method, file)
    if as_json:
        click.echo(json.dumps(_document(reference, method, settings, note), indent=2))
    else:
        _print_table(f"{reference}.{method or '*'}", settings, note, _knows_sent(policy))


def _as_ruled(config: ConsumerConfig, policy: ReferencePolicy, method: str | None) -> ReferencePolicy:
    """Put what a consumer would obey now in the place of what the file says."""
    from ..bootstrap import Consumer
    from ..errors import CallaheadError, ConfigError

    try:
        with Consumer(config) as consumer:
            default = consumer.providers(policy.id, policy.default.method).policy
            named = {} if method is None else {method: consumer.providers(policy.id, method).policy}
    except ConfigError:
        raise
    except CallaheadError as error:
        raise click.ClickException(str(error)) from error
    methods = {name: named[name] for name in named if name in policy.methods}
    unnamed = named.get(method or "", default)
    return replace(policy, default=unnamed, methods={**policy.methods, **methods})


def _reference(references: Mapping[str, ReferencePolicy], name: str, file: str) -> ReferencePolicy:
    from callahead.config import ConfigError
    from callahead.config.extension import nearest

    if name not in references:
        hint = nearest(name, references) or "it has none"
        raise ConfigError.one(f'no reference "{name}"', file=file, key="references", hint=hint)
    return references[name]


def _knows_sent(policy: ReferencePolicy) -> str:
    return "" if policy.transport is None else policy.transport.knows_sent


def _undeclared(policy: ReferencePolicy, method: str, file: str) -> str:
    from callahead.config.read.keys import similar

    near = similar(method, policy.methods)
    hint = f' (did you mean "{near}"?)' if near else ""
    return f"{file} does not name {method}: these are the settings of {policy.id}{hint}"


def _document(reference: str, method: str | None, settings: tuple[Setting, ...], note: str) -> dict[str, Any]:
    return {
        "reference": reference,
        "method": method,
        "declared": method is not None and not note,
        "settings": {
            setting.key: {
                "value": setting.value,
                "unit": setting.unit,
                "origin": setting.origin,
                **({"only": setting.only} if setting.only else {}),
            }
            for setting in settings
        },
    }


def _print_table(title: str, settings: tuple[Setting, ...], note: str, knows_sent: str) -> None:
    printer = console()
    if note:
        printer.print(note)
    rows: list[tuple[str, ...]] = [
        (setting.key, _shown(setting), setting.origin or f"only {setting.only}") for setting in settings
    ]
    headings: Sequence[str] = ("setting", "value", "set at")
    if not _is_room([headings, *rows], printer.width):
        headings = ("setting", "value, and where it is set")
        rows = [(key, f"{value}\n{place}") for key, value, place in rows]
    printer.print(table(title, headings, rows, whole={"setting", "set at"}))
    if knows_sent:
        printer.print(f"a request is known to be written {knows_sent}")


def _is_room(rows: Iterable[Sequence[str]], width: int) -> bool:
    """Tell whether three columns go into *width*, with no more than the longest values folded."""
    keys, values, places = (max(map(len, column)) for column in zip(*rows, strict=True))
    return width - keys - places - _BORDERS >= min(values, _LEAST_VALUE)


def _shown(setting: Setting) -> str:
    if setting.value is None or setting.value == [] or (setting.value == {} and setting.key != "ssl"):
        return "-"
    if isinstance(setting.value, str):
        return setting.value or '""'
    if isinstance(setting.value, list):
        return ", ".join(map(_item, setting.value))
    if isinstance(setting.value, dict):
        return ", ".join(f"{key}: {_item(value)}" for key, value in setting.value.items()) or "true"
    return f"{json.dumps(setting.value)} {setting.unit}".rstrip()


def _item(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

"""``callahead providers``: where the calls of a reference go, and why not elsewhere."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from callahead.config.errors import ConfigError

from ..errors import CallaheadError
from .attachments import attachments_of
from .tables import console, table

if TYPE_CHECKING:
    from ..bootstrap import Consumer
    from ..reference.seen import SeenProvider, SeenProviders

_LOOK_S = 0.2


@click.command(short_help="Show where the calls of a reference go, and why.")
@click.argument("file", type=click.Path())
@click.argument("reference")
@click.argument("method", default="*")
@click.option("--attachment", "attachments", multiple=True, metavar="KEY=VALUE", help="Of calls; may be repeated.")
@click.option("--watch", is_flag=True, help="Go on, and show every change until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with --watch one a line.")
def providers(file: str, reference: str, method: str, attachments: tuple[str, ...], watch: bool, as_json: bool) -> None:
    """Show the providers of REFERENCE in FILE, and which rule keeps calls of METHOD from which of them.

    Registries are asked, for rules too; nobody is called. What is wrong with a rule the log says, on stderr. Exit
    status 0: calls have somewhere to go; 1: they have not, or a registry cannot be read.
    """
    from ..bootstrap import Consumer

    given = attachments_of(attachments)
    try:
        with Consumer.from_file(file) as consumer:
            for found in _looks(consumer, reference, method, given, again=watch):
                _show(reference, found, as_json=as_json, as_line=watch)
    except ConfigError:
        raise
    except CallaheadError as error:
        raise click.ClickException(str(error)) from error
    if all(one.dropped_by for one in found.providers):
        raise click.exceptions.Exit(1)


def _looks(
    consumer: Consumer, reference: str, method: str, attachments: Mapping[str, str] | None, *, again: bool
) -> Iterator[SeenProviders]:
    last = consumer.providers(reference, method, attachments)
    yield last
    with suppress(KeyboardInterrupt):  # as a watch is ended
        while again:
            time.sleep(_LOOK_S)
            found = consumer.providers(reference, method, attachments)
            if _document(reference, found) != _document(reference, last):
                last = found
                yield found


def _show(reference: str, found: SeenProviders, *, as_json: bool, as_line: bool) -> None:
    if as_json:
        click.echo(json.dumps(_document(reference, found), indent=None if as_line else 2))
    else:
        _print_table(f"{reference}: {found.reason}", found.providers)


def _document(reference: str, found: SeenProviders) -> dict[str, Any]:
    names = ("provider", "weight", "health", "running", "dropped_by")
    listed = [{name: getattr(one, name) for name in names} for one in found.providers]
    return {"reference": reference, "reason": found.reason, "problems": list(found.problems), "providers": listed}


def _print_table(title: str, found: tuple[SeenProvider, ...]) -> None:
    rows = [(one.provider, str(one.weight), one.health, str(one.running), one.dropped_by or "-") for one in found]
    console().print(table(title, ("provider", "weight", "health", "calls", "kept away by"), rows, whole={"provider"}))

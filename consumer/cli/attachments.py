"""The option ``--attachment``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click


def attachments_of(pairs: Sequence[str]) -> Mapping[str, str] | None:
    """Read ``KEY=VALUE`` of each; None for none.

    Raises:
        click.BadParameter: One is not of that form, or a key is given twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise click.BadParameter(f'"{pair}" is not of the form KEY=VALUE', param_hint="--attachment")
        if key in found:
            raise click.BadParameter(f'"{key}" is given twice', param_hint="--attachment")
        found[key] = value
    return found or None

"""``callahead schema``: the JSON Schema of a configuration."""

from __future__ import annotations

import json

import click


@click.command(short_help="Print the JSON Schema of a configuration.")
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from callahead.config import json_schema

    click.echo(json.dumps(json_schema(), indent=2))

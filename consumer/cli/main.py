"""The command ``callahead``: a group whose commands are imported when they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import cast

import click

from callahead.config.errors import ConfigError

_HERE = "callahead.consumer.cli"

# One line for each command: its name, and the module and function that make it.
COMMANDS = {
    "call": f"{_HERE}.call:call",
    "check": f"{_HERE}.check:check",
    "demo": f"{_HERE}.demo:demo",
    "explain": f"{_HERE}.explain:explain",
    "providers": f"{_HERE}.providers:providers",
    "run": f"{_HERE}.run:run",
    "schema": f"{_HERE}.schema:schema",
}


class LazyGroup(click.Group):
    """A group whose commands' modules import nothing heavy before they run, so that ``--help`` is quick.

    A `ConfigError` of any command goes to stderr, one problem a line, with exit status 2.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name all commands, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import the command *cmd_name*, or return None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name].partition(":")
        return cast("click.Command", getattr(import_module(module), function))

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            click.echo(str(error), err=True)
            ctx.exit(2)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="callahead")
def main() -> None:
    """Call ahead; pick the answer up when you need it."""

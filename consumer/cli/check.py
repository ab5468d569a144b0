"""``callahead check``: all that is wrong with a configuration, at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from callahead.config import ConsumerConfig, Problem
    from callahead.registry import Registry


@click.command(short_help="Report every problem of a configuration.")
@click.argument("file", type=click.Path())
def check(file: str) -> None:
    """Check the configuration FILE and report every problem in it.

    Exit status 2 where there is one; each goes to stderr as file:line: key: what is wrong.
    """
    from callahead.config import ConfigError, load_file

    config = load_file(file)
    problems = _problems_of_providers(config)
    if problems:
        raise ConfigError(problems)
    references = len(config.references)
    methods = sum(len(reference.methods) for reference in config.references.values())
    click.echo(f"{file}: ok, {_counted(references, 'reference')}, {_counted(methods, 'method')}")


def _problems_of_providers(config: ConsumerConfig) -> list[Problem]:
    """Ask the registries themselves, which know their own settings; none is connected to."""
    from callahead.config import ConfigError
    from callahead.registry import DirectRegistry, open_registry

    makers: list[Callable[[], Registry]] = [
        *(partial(open_registry, policy) for policy in config.registries.values()),
        *(partial(DirectRegistry.of, policy) for policy in config.references.values() if policy.urls),
    ]
    problems: list[Problem] = []
    for make in makers:
        try:
            make().close()
        except ConfigError as error:
            problems += error.problems
    return sorted(problems, key=lambda problem: problem.line)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"

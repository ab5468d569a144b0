"""``callahead check``: all that is wrong with a configuration, at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from .durations import as_written

if TYPE_CHECKING:
    from callahead.config import ConsumerConfig

    from .findings import Findings


@click.command(short_help="Report every problem of a configuration.")
@click.argument("file", type=click.Path())
@click.option("--types", is_flag=True, help="Import what FILE names, and read certificates and files of providers.")
@click.option("--connect", is_flag=True, help="The same, and ask each provider, but for no call.")
@click.option("--timeout", default="3s", metavar="DURATION", help="Longest wait for an answer of a provider; 3s.")
@click.option("--json", "as_document", is_flag=True, help="Print all that is found as one JSON object.")
@click.pass_context
def check(context: click.Context, file: str, types: bool, connect: bool, timeout: str, as_document: bool) -> None:
    """Check the configuration FILE and report every problem in it.

    Each goes to stderr as file:line: key: what is wrong. Exit status 2 where FILE cannot be obeyed, 1 where --types or
    --connect finds something. Modules that FILE names may stand in the current folder.

    --connect looks each provider up, connects, by TLS where FILE says so, and asks whether it has the service: by
    Dubbo's $echo, or by gRPC's health and reflection. No method of the service is called.
    """
    from callahead.config import ConfigError

    from .findings import Findings

    findings = Findings()
    status = 1
    try:
        config = _loaded(file)
        if types or connect:
            _look_closer(config, findings, _milliseconds(timeout) if connect else 0)
    except ConfigError as error:
        if not as_document:
            raise
        findings.add(error.problems)
        status = 2
    if as_document:
        click.echo(json.dumps(findings.document(file), indent=2, ensure_ascii=False))
    else:
        _print(file, config, findings)
    context.exit(status if findings.problems else 0)


def _loaded(file: str) -> ConsumerConfig:
    """Load *file*, and let registries judge their own settings.

    Raises:
        ConfigError: Something is wrong.
    """
    from callahead.config import ConfigError, load_file

    from .check_providers import problems_of_addresses

    config = load_file(file)
    problems = sorted(problems_of_addresses(config), key=lambda problem: problem.line)
    if problems:
        raise ConfigError(problems)
    return config


def _look_closer(config: ConsumerConfig, findings: Findings, timeout_ms: int) -> None:
    """Find what only imports can judge and, unless *timeout_ms* is 0, only the providers."""
    from .check_connect import check_connections
    from .check_providers import KnownProviders
    from .check_types import check_types

    check_types(config, findings)
    with KnownProviders(config, only_files=not timeout_ms) as providers:
        if timeout_ms:
            check_connections(config, providers, findings, timeout_ms)
        else:
            for policy in config.references.values():
                providers.find(policy, findings.references[policy.id], findings)


def _milliseconds(text: str) -> int:
    from callahead.config.values.quantity import Unfit, duration_ms

    try:
        return duration_ms(1)(as_written(text))
    except Unfit as error:
        raise click.BadParameter(f"{error}{f' ({error.hint})' if error.hint else ''}", param_hint="--timeout") from None


def _print(file: str, config: ConsumerConfig, findings: Findings) -> None:
    from .findings import counted

    for one in findings.references.values():
        for line in one.lines():
            click.echo(line)
    for problem in findings.problems:
        click.echo(str(problem), err=True)
    references = len(config.references)
    methods = sum(len(reference.methods) for reference in config.references.values())
    state = counted(len(findings.problems), "problem") if findings.problems else "ok"
    click.echo(f"{file}: {state}, {counted(references, 'reference')}, {counted(methods, 'method')}")

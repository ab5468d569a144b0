"""``callahead call``: one call from the shell."""

from __future__ import annotations

import contextvars

import click

from .attachments import attachments_of
from .durations import as_written
from .importing import importing_from_here
from .json_values import as_json, read_values


@click.command(short_help="Make one call and print its answer as JSON.")
@click.argument("file", type=click.Path())
@click.argument("reference")
@click.argument("method")
@click.argument("arguments", nargs=-1, metavar="[ARGS]...")
@click.option("--timeout", metavar="DURATION", help='Longest time of one attempt: milliseconds, or "1.5s".')
@click.option("--retries", type=int, help="Attempts after the first.")
@click.option("--attachment", "attachments", multiple=True, metavar="KEY=VALUE", help="Sent along; may be repeated.")
@click.option("--json", "as_document", is_flag=True, help="Print all that is known of the call as one JSON object.")
@click.pass_context
def call(
    context: click.Context,
    file: str,
    reference: str,
    method: str,
    arguments: tuple[str, ...],
    timeout: str | None,
    retries: int | None,
    attachments: tuple[str, ...],
    as_document: bool,
) -> None:
    """Call METHOD of REFERENCE in FILE, wait for the answer and print it as JSON.

    ARGS is JSON: one object with the fields of the request, in their JSON form, or with the keywords of a method of
    protocol python, or a value for each parameter; @file reads one from a file, - from the standard input. Before a
    negative number write --.

    The answer of a method whose return is false is null. A last line on stderr says how the call went, which provider
    was asked and how long it took. Exit status 0: answered; 1: the call failed; 2: the configuration or the command
    line is wrong. Modules that FILE names may stand in the current folder.
    """
    from .one_call import OneCall, ask

    options = {"timeout": as_written(timeout), "retries": retries, "attachments": attachments_of(attachments)}
    given = {name: value for name, value in options.items() if value is not None}
    one = OneCall(file=file, reference=reference, method=method, values=read_values(arguments), options=given)
    with importing_from_here():
        # A context of its own: what this thread has called before is nothing to this call.
        answer = contextvars.Context().run(ask, one)
    if as_document:
        click.echo(as_json(answer.document()))
    else:
        if answer.error is None:
            click.echo(as_json(answer.value))
        click.echo(answer.status_line(), err=True)
    context.exit(0 if answer.error is None else 1)

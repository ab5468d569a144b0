"""``callahead run``: any Python program, and its calls beside one another."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..scope.timeline import Timeline

_FORMATS = ("text", "json", "svg", "html")


@click.command(
    short_help="Run a Python program and show its calls.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.option("--timeline", "wants_timeline", is_flag=True, help="Show when each call ran, and what overlapped.")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Of the timeline; text unless --output tells.")
@click.option("--output", "-o", type=click.Path(dir_okay=False), help="Where to; standard error if not given.")
@click.option("-m", "as_module", is_flag=True, help="PROGRAM is a module, as for python -m.")
@click.argument("program")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def run(
    context: click.Context,
    wants_timeline: bool,
    form: str | None,
    output: str | None,
    as_module: bool,
    program: str,
    arguments: tuple[str, ...],
) -> None:
    """Run PROGRAM with ARGUMENTS as Python would, and collect the calls that it makes through callahead.

    With --timeline the calls are shown as a waterfall when the program ends, however it ends: what they took together,
    the wall time, what was saved, and the lines that took an answer too early, so that calls ran one after the other.
    The exit status is the program's.
    """
    form = _format(form, output)
    status: Any = 0
    with _as_started(program, arguments, as_module=as_module):
        if not wants_timeline:
            status = _status_of(program, as_module=as_module)
        else:
            from ..scope.recorder import recording

            with recording() as recorder:
                status = _status_of(program, as_module=as_module)
            _show(_drawn(recorder.timeline(), form, program), output)
    context.exit(_exit_code(status))


def _format(form: str | None, output: str | None) -> str:
    if form is not None:
        return form
    suffix = "" if output is None else Path(output).suffix.removeprefix(".")
    return suffix if suffix in _FORMATS else "text"


def _status_of(program: str, *, as_module: bool) -> Any:
    """Run *program*; return what it gives to `sys.exit`."""
    try:
        if as_module:
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(program, run_name="__main__")
    except SystemExit as error:
        return error.code
    except BaseException as error:
        _print_traceback(error)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _print_traceback(error: BaseException) -> None:
    """Print what Python would: without the frames of this command."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename in _OWN_FILES:
        traceback = traceback.tb_next
    sys.excepthook(type(error), error.with_traceback(traceback), traceback)


_OWN_FILES = (__file__, runpy.__file__, "<frozen runpy>")


@contextmanager
def _as_started(program: str, arguments: Sequence[str], *, as_module: bool) -> Iterator[None]:
    """Let ``sys.argv`` and ``sys.path`` be what the program would find."""
    argv, path = sys.argv, sys.path[:]
    sys.argv = [program, *arguments]
    sys.path.insert(0, "" if as_module else str(Path(program).resolve().parent))
    try:
        yield
    finally:
        sys.argv, sys.path[:] = argv, path


def _exit_code(status: Any) -> int:
    if status is None:
        return 0
    if isinstance(status, int):
        return status
    click.echo(status, err=True)
    return 1


def _show(text: str, output: str | None) -> None:
    if output is None:
        click.echo(text, err=True, nl=False)
    else:
        Path(output).write_text(text, encoding="utf-8")


def _drawn(timeline: Timeline, form: str, program: str) -> str:
    from . import timeline_report as report

    if form == "json":
        return json.dumps(report.document_of(timeline), indent=2) + "\n"
    if form == "text":
        return report.text_of(timeline, shutil.get_terminal_size().columns) + "\n"
    if form == "html":
        from .timeline_page import page_of

        return page_of(timeline, f"The calls of {program}")
    return _picture(timeline, f"The calls of {program}")


def _picture(timeline: Timeline, title: str) -> str:
    from . import svg
    from .timeline_report import summary
    from .waterfall import Panel, waterfall

    return svg.text_of(waterfall(title, [Panel(heading=summary(timeline), timeline=timeline)]))

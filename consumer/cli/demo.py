"""``callahead demo``: call sites under a synchronous, an asynchronous and a lazy YAML, and what the latter save."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import CallaheadError
from .demo_run import BAR_DELAY, FOO_DELAY, MODES, Run, document

if TYPE_CHECKING:
    from .demo_registry import Step

_NAMES, _DELAY = "abc", "20ms"
_PICTURE = click.Path(dir_okay=False, writable=True, path_type=Path)


def _in_a_folder(_context: click.Context, _option: click.Parameter, file: Path | None) -> Path | None:
    """Find out before the demo runs that the picture could not be written after it."""
    if file is not None and not file.parent.is_dir():
        raise click.BadParameter(f"there is no folder {str(file.parent)!r}.")
    return file


@click.command(short_help="Show what asynchronous calls save, as a timeline.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, times in milliseconds.")
@click.option("--registry", is_flag=True, help="Show discovery and rules instead: providers come and go.")
@click.option("--svg", "file", type=_PICTURE, callback=_in_a_folder, help="Draw the timeline to a file as well.")
def demo(as_json: bool, registry: bool, file: Path | None) -> None:
    """Run one call-site function under a synchronous and an asynchronous YAML, and show what that saves.

    Then one that was never changed, under a YAML that says lazy. Two providers, which take 0.5 s and 0.6 s, are started
    in a process of their own. Exit status 1 where that fails.

    With --registry three providers, found through a registry in memory, come and go, and a rule does, while calls run.
    """
    if registry:
        if file is not None:
            raise click.UsageError("--svg draws what runs without --registry.")
        _show_registry(as_json=as_json)
        return
    runs = list(_runs()) if as_json else _show(_runs())
    if as_json:
        click.echo(json.dumps(document(runs), indent=2, sort_keys=True))
    if file is not None:
        _draw(runs, file)


def _show_registry(*, as_json: bool) -> None:
    from .demo_registry import Step, document
    from .demo_view import DemoView

    view, done = DemoView(), list[Step]()
    if not as_json:
        view.introduce_registry(", ".join(_NAMES))
    for step in _steps():
        done.append(step)
        if not as_json:
            view.show_step(step)
    if as_json:
        click.echo(json.dumps(document(done), indent=2, sort_keys=True))


def _steps() -> Iterator[Step]:
    from importlib.resources import as_file, files

    from ..bootstrap import Consumer
    from .demo_registry import CONFIGURATION, forget, publish_first, steps

    try:
        with _providers("build_many", _NAMES, _DELAY) as urls, _environment({}):
            publish_first(urls)
            with as_file(files("callahead.conf") / CONFIGURATION) as path, Consumer.from_file(path) as consumer:
                yield from steps(consumer.reference("fooService"), urls)
    except CallaheadError as error:
        raise click.ClickException(f"the demo did not run: {error}") from error
    finally:
        forget()


def _draw(runs: list[Run], file: Path) -> None:
    from .demo_picture import picture

    try:
        file.write_text(picture(runs), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"the picture cannot be written: {error}") from error


def _show(runs: Iterator[Run]) -> list[Run]:
    """Print each part as soon as it is known: the runs take their time."""
    from .demo_view import DemoView

    view = DemoView()
    view.introduce()
    done: list[Run] = []
    for run in runs:
        done.append(run)
        view.show_run(run, done[0].timeline.wall_ms)
    view.compare(done)
    return done


def _runs() -> Iterator[Run]:
    try:
        with _providers("build", FOO_DELAY, BAR_DELAY) as urls, _environment(_addresses(urls)):
            for mode in MODES:
                yield _run(mode)
    except CallaheadError as error:
        raise click.ClickException(f"the demo did not run: {error}") from error


def _run(mode: str) -> Run:
    from importlib.resources import as_file, files

    from ..bootstrap import Consumer
    from ..call.plain import resolve
    from .callsite import SITES

    with as_file(files("callahead.conf") / MODES[mode]) as path, Consumer.from_file(path) as consumer:
        foo, bar = consumer.reference("fooService"), consumer.reference("barService")
        with consumer.scope() as calls:
            found = tuple(map(resolve, SITES[mode](foo, bar)))  # a lazy result waits when it is used
    return Run(mode=mode, timeline=calls.timeline(), found=found)


def _addresses(urls: Mapping[str, str]) -> Mapping[str, str]:
    return {"CALLAHEAD_DEMO_FOO": urls["foo"], "CALLAHEAD_DEMO_BAR": urls["bar"]}


@contextmanager
def _providers(builder: str, *arguments: str) -> Iterator[Mapping[str, str]]:
    """Start the providers that a function of `demo_providers` makes, and give their addresses.

    Raises:
        click.ClickException: They cannot be started; with the last line of what their process said.
    """
    from ..testing import ProviderProcess

    with ExitStack() as running:
        try:
            process = ProviderProcess(f"callahead.consumer.cli.demo_providers:{builder}", *arguments)
            urls = running.enter_context(process).urls
        except (CallaheadError, OSError) as error:
            what = str(error).splitlines()
            why = what[0] if len(what) == 1 else f"{what[0]} {what[-1]}"
            raise click.ClickException(f"the demo's providers cannot be started: {why}") from error
        yield urls


@contextmanager
def _environment(addresses: Mapping[str, str]) -> Iterator[None]:
    """Set the variables that the YAML reads; grpcio must not ask a proxy for what runs on this machine."""
    variables = {**addresses, "no_grpc_proxy": "127.0.0.1"}
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

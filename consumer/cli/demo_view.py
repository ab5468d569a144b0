"""What ``callahead demo`` prints, on a terminal of any width, with colour and without."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib.resources import files

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..scope.timeline import Span
from . import callsite
from .bars import bar, block_for
from .demo_registry import CONFIGURATION, Step
from .demo_run import BAR_DELAY, FOO_DELAY, MODES, Run, saved
from .timeline_report import seconds

# Below this width a call takes two lines, so that its bar can still be read.
_NARROW = 50
_COLOURS = {"fooService.findFoo": "cyan", "barService.findBar": "magenta"}


class DemoView:
    """Prints the parts of the demo one after another.

    Args:
        console: Where to; None is the standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = Console(markup=False, highlight=False) if console is None else console

    def introduce(self) -> None:
        """Print what is about to run: the one function, and how the two configurations differ."""
        self._head(f"The call site: one function; find_foo takes {FOO_DELAY}, find_bar {BAR_DELAY}")
        self._lines(inspect.getsource(callsite.find_both).rstrip())
        self._head("What differs is the YAML")
        self._show_difference("async")

    def _introduce_unchanged(self) -> None:
        self._head("A call site that was never changed, whose YAML says lazy")
        self._lines(inspect.getsource(callsite.find_unchanged).rstrip())
        self._show_difference("lazy")

    def _show_difference(self, mode: str) -> None:
        for line in difference(mode):
            self._lines(line, "green" if "+ " in line else "red")

    def show_run(self, run: Run, scale_ms: float) -> None:
        """Print the timeline of *run*; the whole width stands for *scale_ms*, or for its wall time if that is more."""
        if run.mode == "lazy":
            self._introduce_unchanged()
        self._head(f"{MODES[run.mode]}: {run.timeline.wall_ms / 1000:.3f} s")
        scale = max(scale_ms, run.timeline.wall_ms)
        for span in run.timeline.spans:
            self._show_span(span, run.timeline.end_of(span), scale)

    def compare(self, runs: list[Run]) -> None:
        """Print what the last of *runs* saved against the first."""
        self._head("Time")
        table = Table(box=None, padding=(0, 2, 0, 0))
        for heading in ("", "sum of calls", "wall"):
            table.add_column(heading, justify="right" if heading else "left")
        for run in runs:
            table.add_row(run.mode, seconds(run.timeline.sum_ms), seconds(run.timeline.wall_ms))
        self._console.print(table)
        saved_ms, saved_percent = saved(runs)
        same = "the same answers" if all(run.found == runs[0].found for run in runs) else "OTHER ANSWERS"
        self._lines(f"saved {seconds(saved_ms)} ({saved_percent:.0f} %), {same}", "bold")

    def introduce_registry(self, names: str) -> None:
        """Print what is about to run under a registry."""
        self._head(f"Providers {names}, a registry in memory, and {CONFIGURATION}; calls run all the time")

    def show_step(self, step: Step) -> None:
        """Print what came of one change."""
        self._head(step.what)
        self._lines(f"  {step.running} calls were running, {step.failed} failed; the next ones went to")
        most = sum(step.asked.values())
        for name, count in step.asked.items():
            room = max(self._console.width - 12, 10)
            self._lines(f"  {name} {count:>3} {self._bar(0, count, most, room)}", "cyan")

    def _head(self, text: str) -> None:
        self._console.print()
        self._console.print(Text(text, "bold"))

    def _lines(self, text: str, style: str = "") -> None:
        """Print code and the like, which must not be broken where the terminal is narrow."""
        self._console.print(Text(text, style), soft_wrap=True)

    def _show_span(self, span: Span, end_ms: float, scale_ms: float) -> None:
        label = span.name.rpartition(".")[2]
        times = f"{span.start_ms:.0f} - {end_ms:.0f} ms"
        style = _COLOURS.get(span.name, "")
        width = self._console.width - 1  # the last column makes some terminals wrap
        if width < _NARROW:
            self._lines(f"{label} {times}")
            self._lines(self._bar(span.start_ms, end_ms, scale_ms, width), style)
            return
        text = Text(f"{label:<8} ").append(
            f"{self._bar(span.start_ms, end_ms, scale_ms, width - 26):<{width - 26}}", style
        )
        self._console.print(text.append(f" {times:>16}"), soft_wrap=True)

    def _bar(self, start_ms: float, end_ms: float, scale_ms: float, width: int) -> str:
        return bar(
            start_ms / scale_ms, end_ms / scale_ms, width, block_for(ascii_only=self._console.options.ascii_only)
        )


def difference(mode: str = "async") -> Iterator[str]:
    """Give each line in which the configuration of *mode* differs from the synchronous one, with file and number."""
    names = [MODES["sync"], MODES[mode]]
    texts = [(files("callahead.conf") / name).read_text(encoding="utf-8").splitlines() for name in names]
    for number, lines in enumerate(zip(*texts, strict=True), 1):
        if len(set(lines)) > 1:
            yield from (
                f"{name}:{number}  {sign} {line.strip()}" for name, sign, line in zip(names, "-+", lines, strict=True)
            )

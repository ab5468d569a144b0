"""What tests build once, from sources of others or ours, into a folder of the user's caches."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["BuildFailed", "building", "cache", "go", "go_program", "run"]

_SHOWN = 4000


class BuildFailed(RuntimeError):
    """Something could not be fetched or built; the message ends with what was said last."""


def cache(name: str) -> Path:
    """Where what is called *name* is kept."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "callahead" / name


@contextmanager
def building(folder: Path) -> Iterator[None]:
    """Make *folder*, into which no other process builds meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def go_program() -> str | None:
    """Find Go on the path, or beside this Python, where a package may have brought it."""
    return shutil.which("go") or shutil.which("go", path=Path(sys.executable).parent)


def go(arguments: Sequence[str], folder: Path, **environment: str) -> str:
    """Run Go in *folder*, and return what it said.

    Raises:
        BuildFailed: It failed.
    """
    return run([go_program() or "go", *arguments], folder, {"GOFLAGS": "-buildvcs=false", **environment})


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run *command* in *folder*, with more in its *environment*, and return what it said.

    Raises:
        BuildFailed: It failed.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | (environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stdout + done.stderr)[-_SHOWN:]
        raise BuildFailed(f"{' '.join(command)} ended with {done.returncode}:\n{said}")
    return done.stdout

"""A file that holds the last good list of each service."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..errors import ProviderDataError
from ..models import Endpoint
from ..url import DEFAULT_WEIGHT, Url, endpoint_of

_log = logging.getLogger("callahead.registry")

MAX_BYTES: Final = 32 * 1024 * 1024
"""More than that is neither written nor read."""

_FORMAT: Final = 1
# What reading raises; a file that does not say what it should shows as any of the latter.
_SENSELESS: Final = (
    *(OSError, ValueError, OverflowError, RecursionError, ProviderDataError),
    *(AttributeError, KeyError, TypeError),
)


class Kept(NamedTuple):
    """The last good list of one service.

    Attributes:
        endpoints: Not empty.
        at: When it was told, in seconds since 1970.
    """

    endpoints: tuple[Endpoint, ...]
    at: float

    @property
    def time(self) -> str:
        """Say when it was told, as the clock on the wall showed it."""
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.at))


class ListFile:
    """Reads and writes the file; not for several threads at once.

    It holds tokens, where providers have such, so only its owner may read it. Several processes may share it: each
    replaces the lists of its own services, by a new file under the old name, so that no reader ever sees half of one.
    What makes no sense in it is ignored, for a warning.

    Args:
        path: Where it is; its folder is made when first needed.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def read(self) -> dict[str, Kept]:
        """Give the list of each service; nothing where there is no file."""
        try:
            return self._read()
        except FileNotFoundError:
            return {}
        except _SENSELESS as error:
            why = str(error)[:200] or type(error).__name__
            _log.warning("%s: the lists that it keeps are ignored, for they make no sense: %s", self.path, why)
            return {}

    def write(self, lists: Mapping[str, Kept]) -> None:
        """Replace *lists* in the file, and leave the others.

        Raises:
            OSError: It cannot be written.
            ValueError: It would be too large.
        """
        folder = Path(self.path).absolute().parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(folder):
            services = {name: _written(kept) for name, kept in {**self.read(), **lists}.items()}
            data = json.dumps({"callahead": _FORMAT, "services": services}).encode()
            if len(data) > MAX_BYTES:
                raise ValueError(f"it would have {len(data)} bytes, and may have {MAX_BYTES}")
            _replace(folder, self.path, data)

    def _read(self) -> dict[str, Kept]:
        with open(self.path, "rb", opener=_regular) as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
        found = json.loads(data)
        if found["callahead"] != _FORMAT:
            raise ValueError(f"it is of another kind: {found['callahead']!r}")
        return {str(name): _kept(each) for name, each in found["services"].items()}


def _regular(path: str, flags: int) -> int:
    """Open without waiting for the writer of a FIFO."""
    opened = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise ValueError("it is not a regular file")
    return opened


def _kept(found: Any) -> Kept:
    endpoints = (endpoint_of(Url.parse(text)) for text in found["providers"])
    at = float(found["at"])
    time.localtime(at)  # raises where it is no time
    return Kept(tuple(each for each in endpoints if each is not None), at)


def _written(kept: Kept) -> dict[str, Any]:
    return {"at": round(kept.at), "providers": [url for each in kept.endpoints if (url := _url(each))]}


def _url(endpoint: Endpoint) -> str:
    """Write *endpoint* as a URL; "" where something of it stands in none, such as a control character."""
    weight = {} if endpoint.weight == DEFAULT_WEIGHT else {"weight": str(endpoint.weight)}
    try:
        url = Url(
            protocol=endpoint.protocol,
            host=endpoint.host,
            port=endpoint.port,
            path=endpoint.path,
            parameters={**endpoint.parameters, **weight},
        )
    except ValueError:
        return ""
    return url.format()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change what is in *folder*; a lock file would be left behind there."""
    opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        fcntl.flock(opened, fcntl.LOCK_UN)  # closing does not: a child that was forked meanwhile has it open, too
        os.close(opened)


def _replace(folder: Path, path: str, data: bytes) -> None:
    opened, name = tempfile.mkstemp(prefix=".callahead-", dir=folder)  # which only the owner may read
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise

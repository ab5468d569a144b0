"""zeroc-ice as a peer, where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from .servers import ice_echo

REQUIREMENT = "zeroc-ice==3.7.11"
"""What pip installs; the extra ``bench`` in setup.cfg."""

_HOW = f"pip install {REQUIREMENT} builds it from source, with a C++ compiler in about ten minutes"


def why_not() -> str | None:
    """Say in one line why Ice cannot take part and how to have it; None where it can."""
    try:
        import Ice  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        return f"zeroc-ice is left out ({error}): {_HOW}"
    return None


@contextmanager
def ice_proxy() -> Iterator[Any]:
    """A proxy of the echo, over TCP, of an Ice server that runs meanwhile."""
    import Ice

    with ExitStack() as stack:
        server = stack.enter_context(ice_echo())
        Ice.loadSlice(str(Path(__file__).with_name("echo.ice")))
        import CallaheadBench  # type: ignore[import-not-found]

        communicator = stack.enter_context(Ice.initialize())
        yield CallaheadBench.EchoPrx.checkedCast(communicator.stringToProxy(f"echo:tcp -h 127.0.0.1 -p {server.port}"))

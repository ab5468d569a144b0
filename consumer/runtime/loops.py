"""Which event loop runs in the current thread."""

from __future__ import annotations

import sys
from typing import Any


def running_loop() -> Any:
    """Return the loop of asyncio that runs in this thread, which then must not be blocked, or None; imports nothing."""
    asyncio = sys.modules.get("asyncio")
    # Of the two ways to ask, the one that raises nothing: it takes a tenth of the time.
    return None if asyncio is None else getattr(asyncio, "_get_running_loop", _none)()


def runs_loop() -> bool:
    """Tell whether there is one."""
    return running_loop() is not None


def _none() -> None:
    """Stand in for a package that is only half imported."""

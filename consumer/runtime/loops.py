"""Whether an event loop runs in the current thread."""

from __future__ import annotations

import sys


def runs_loop() -> bool:
    """Tell whether a loop of asyncio runs in this thread, which then must not be blocked; imports nothing."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True

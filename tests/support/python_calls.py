"""Counting the functions of Python that a call costs, which a busy machine does not change."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from callahead import consumer

_OURS = str(Path(consumer.__file__).parent)
_TESTING = str(Path(_OURS, "testing"))


class PythonCalls:
    """Counts the functions of the consumer that run; to be made before the consumer whose threads count, too.

    Args:
        threads: What the names of those begin with; the thread that makes this counts anyway.
    """

    def __init__(self, *threads: str) -> None:
        self._counts: Counter[str] = Counter()
        self._threads = (threading.current_thread().name, *threads)
        threading.setprofile(self._note)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        is_ours = code.co_filename.startswith(_OURS) and not code.co_filename.startswith(_TESTING)
        if event == "call" and is_ours and threading.current_thread().name.startswith(self._threads):
            self._counts[code.co_qualname] += 1

    def of(self, function: Callable[[], Any], calls: int, rounds: int) -> dict[str, int]:
        """Count by name what each of the *calls* that *function* makes runs; what it has to do once a round is none."""
        function()  # whatever is made once
        self._counts.clear()
        sys.setprofile(self._note)
        try:
            for _ in range(rounds):
                function()
        finally:
            sys.setprofile(None)
        most = calls * rounds
        return {name: round(count / most) for name, count in self._counts.items() if count >= most / 2}

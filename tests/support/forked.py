"""A forked child, in the test itself or in one of its programs, which looks at what it inherited."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable
from typing import Final

# Python warns of forks beside threads, which is what these tests are about: an argument for filterwarnings.
WARNING: Final = "ignore:.*fork.*:DeprecationWarning"


def in_child(work: Callable[[], object], most_s: int = 10) -> int:
    """Run *work* in a forked child and return its exit status: 0, 1 where it raised, -14 where it hung for *most_s*.

    It is -9 where the child never came to its work, since it hung in what is called at the fork.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(most_s)
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    ends = time.monotonic() + most_s + 5
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > ends:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.01)
    return os.waitstatus_to_exitcode(ended[1])

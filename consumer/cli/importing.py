"""Importing what a configuration names, as the program would that it is written for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing_from_here() -> Iterator[None]:
    """Let the stubs and interceptors of a project be found as ``python -m`` would, but after what is installed."""
    here = os.getcwd()
    if sys.flags.safe_path or here in sys.path:
        yield
        return
    sys.path.append(here)
    try:
        yield
    finally:
        sys.path.remove(here)

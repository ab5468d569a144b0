"""The transports that the contract suite runs over. Add yours: a class that is a `harness.Kind`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .dubbo import DubboKind
from .harness import Kind
from .python import PythonKind
from .scripted import ScriptedKind
from .tri import Http2Kind, TriKind, WrappedTriKind

KINDS: tuple[Callable[[], Kind], ...] = (DubboKind, TriKind, WrappedTriKind, Http2Kind, PythonKind, ScriptedKind)


def over(*needs: str, by: bool = False) -> pytest.MarkDecorator:
    """Run a test over each kind that can all that it *needs*; where *by*, in each way in which an attempt is made.

    The test takes ``kind`` and, with *by*, ``waits``.
    """
    fit = [kind for kind in KINDS if set(needs) <= kind.can]
    if not by:
        return pytest.mark.parametrize("kind", fit, ids=[kind.name for kind in fit], indirect=True)
    pairs = [(kind, waits) for kind in fit for waits in (False, True) if not waits or "waits" in kind.can]
    ids = [f"{kind.name}-{'waits' if waits else 'returns'}" for kind, waits in pairs]
    return pytest.mark.parametrize(("kind", "waits"), pairs, ids=ids, indirect=["kind"])

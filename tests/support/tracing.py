"""What tracers do to a program that uses gRPC: every channel that it opens is within another.

Importing this patches grpcio, as they do, so only programs of their own import it; ``pytest -p support.tracing`` runs
tests so.
"""

from __future__ import annotations

from typing import Any

import grpc

from .tracer import GeneratingTracer

_insecure_channel = grpc.insecure_channel


def _traced(*args: Any, **kwargs: Any) -> grpc.Channel:
    return grpc.intercept_channel(_insecure_channel(*args, **kwargs), GeneratingTracer())


grpc.insecure_channel = _traced

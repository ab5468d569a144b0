"""Blocking clients of this process, whose methods run on threads of a bounded pool."""

from .transport import PythonTransport

__all__ = ["PythonTransport"]

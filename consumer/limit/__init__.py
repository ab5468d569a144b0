"""Bounds on calls that have begun and not ended, and what becomes of one more."""

from .gate import Gate, Limit
from .stage import Gates, limited, limits_of, size_of

__all__ = ["Gate", "Gates", "Limit", "limited", "limits_of", "size_of"]

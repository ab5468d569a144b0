"""Calls that belong together: collected as they begin, waited for as one, and seen beside one another."""

from .scope import OnError, Progress, Scope
from .timeline import EarlyTake, Span, Timeline, Wait

__all__ = ["EarlyTake", "OnError", "Progress", "Scope", "Span", "Timeline", "Wait"]

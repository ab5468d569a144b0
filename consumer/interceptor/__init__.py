"""What stands between a call site and the providers."""

from .api import CallNext, Interceptor, Observer
from .chain import answer

__all__ = ["CallNext", "Interceptor", "Observer", "answer"]

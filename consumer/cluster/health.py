"""Providers that cannot be reached are passed over for a while."""

from __future__ import annotations

from ..call.provider import Provider
from ..errors import ConnectFailed
from .directory import Directory


def judge(directory: Directory, provider: Provider, error: BaseException | None) -> None:
    """Tell *directory* what the end of an attempt says of its provider; *error* is None for an answer.

    Source: Finagle's ``FailFast``.
    """
    if isinstance(error, ConnectFailed):
        directory.mark(provider, healthy=False)
    elif provider.unhealthy_until and (error is None or getattr(error, "is_remote", False)):
        directory.mark(provider, healthy=True)

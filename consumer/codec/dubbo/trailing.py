"""What a peer sends behind the end of a body, where nothing should be."""

from __future__ import annotations

from collections.abc import Callable

Trailing = Callable[[int], object]
"""Hears how many bytes follow an end."""


def ignore_trailing(_: int) -> None:
    """Do nothing about them."""

"""Bars of characters, for terminals."""

from __future__ import annotations


def block_for(*, ascii_only: bool) -> str:
    """Choose the character that bars are made of."""
    return "#" if ascii_only else "\N{FULL BLOCK}"


def bar(start: float, end: float, width: int, block: str) -> str:
    """Draw at least one *block* from *start* to *end*, parts of 1, in at most *width* characters that stand for 1."""
    width = max(1, width)
    left = min(width - 1, round(start * width))
    right = max(left + 1, min(width, round(end * width)))
    return " " * left + block * (right - left)

"""Durations on the command line, where a bare number is text like all else."""

from __future__ import annotations


def as_written(text: str | None) -> float | str | None:
    """Take a bare number as one, as YAML would; the rest is for whoever knows durations to judge."""
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        return text

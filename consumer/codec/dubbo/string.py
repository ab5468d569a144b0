"""Hessian strings, quickly where they are ASCII and not long: nearly every argument, and every name."""

from __future__ import annotations

from typing import Any

from ..hessian2.text import encode_text

_HEADS = [
    *[bytes((length,)) for length in range(0x20)],
    *[bytes((0x30 + (length >> 8), length & 0xFF)) for length in range(0x20, 0x400)],
]
_LONG = len(_HEADS)


def encode_string(text: str) -> bytes:
    """Write one string."""
    length = len(text)
    return _HEADS[length] + text.encode() if length < _LONG and text.isascii() else encode_text(text)


def plain_string(value: Any) -> bytes | None:
    """Write one short ASCII string; None for any other value."""
    if type(value) is str:
        length = len(value)
        if length < _LONG and value.isascii():
            return _HEADS[length] + value.encode()
    return None

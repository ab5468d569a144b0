"""Strings as hessian writes them: counted in UTF-16 units, each unit by itself as one to three UTF-8 bytes.

A character beyond the Basic Multilingual Plane is two surrogates of three bytes each, where UTF-8 has four bytes.
Source: Java ``Hessian2Output.printString``; differs: four-byte sequences of other writers are read as well.
"""

from __future__ import annotations

import re

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTINUATION = bytes(range(0x80, 0xC0))
_FOUR_BYTE_LEADS = bytes(range(0xF0, 0xF8))
# Bytes of a character by its first byte; 0xF8 and more begin none.
_SIZES = ((1, 0xF8), (4, 0xF0), (3, 0xE0), (2, 0xC0))
CHUNK = 0x8000


def split_pairs(text: str) -> str:
    """Replace every character beyond U+FFFF by its two surrogates."""
    return _ASTRAL.sub(_pair, text)


def join_pairs(text: str) -> str:
    """Replace adjacent surrogates by the character they mean; a lone surrogate stays."""
    if _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _pair(match: re.Match[str]) -> str:
    point = ord(match[0]) - 0x10000
    return chr(0xD800 + (point >> 10)) + chr(0xDC00 + (point & 0x3FF))


def encode_text(text: str) -> bytes:
    """Encode in Java's chunks of 32,768 units, of which none ends between two surrogates."""
    if not text.isascii():
        text = split_pairs(text)
    start = 0
    parts: list[bytes] = []
    while len(text) - start > CHUNK:
        end = start + CHUNK
        if "\ud800" <= text[end - 1] <= "\udbff":
            end -= 1
        parts.append(b"R" + (end - start).to_bytes(2, "big") + _utf8(text[start:end]))
        start = end
    rest = text[start:]
    parts.append(_final_prefix(len(rest)) + _utf8(rest))
    return b"".join(parts)


def _final_prefix(length: int) -> bytes:
    if length <= 0x1F:
        return bytes((length,))
    if length <= 0x3FF:
        return bytes((0x30 + (length >> 8), length & 0xFF))
    return b"S" + length.to_bytes(2, "big")


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def decode_units(data: bytes, start: int, units: int) -> tuple[str, int]:
    """Decode so many UTF-16 units from an offset, surrogates left apart; give the text and the offset after it.

    Raises:
        IndexError: The data ends first.
        UnicodeDecodeError: The bytes are not UTF-8, or the last unit is half of a four-byte sequence.
    """
    end = start + units
    chunk = data[start:end]
    if len(chunk) != units:
        raise IndexError
    if not chunk.isascii():
        end = _end_of_units(data, start, units)
        chunk = data[start:end]
    return chunk.decode("utf-8", "surrogatepass"), end


def _end_of_units(data: bytes, start: int, units: int) -> int:
    """Count leading bytes, in windows which grow by what is still missing: every unit takes at least one byte."""
    end, missing = start, units
    # No unit has more than three bytes: what goes on for longer is not UTF-8, which need not be read to its end.
    while missing > 0 and end - start < 3 * units:
        window = data[end : end + missing]
        if len(window) != missing:
            raise IndexError
        end += missing
        missing -= len(window.translate(None, _CONTINUATION)) + _count_four_byte(window)
    if missing > 0:
        raise UnicodeDecodeError("utf-8", b"", 0, 0, "invalid continuation byte")
    if missing < 0:
        raise UnicodeDecodeError("utf-8", b"", 0, 0, "the length ends inside a surrogate pair")
    return _end_of_character(data, end)


def _end_of_character(data: bytes, end: int) -> int:
    """Complete the character that the last leading byte began; what follows may look like a continuation."""
    lead = end - 1
    while lead > end - 4 and data[lead] & 0xC0 == 0x80:
        lead -= 1
    size = next((size for size, first in _SIZES if data[lead] >= first), 1)
    if lead + size > len(data):
        raise IndexError
    return lead + size


def _count_four_byte(window: bytes) -> int:
    return len(window) - len(window.translate(None, _FOUR_BYTE_LEADS))

"""Text that somebody else wrote, fit for a message and for a line of a log."""

from __future__ import annotations

import re
from typing import Final

LINE_LENGTH: Final = 2000
"""Most characters of a message, so that a peer cannot fill a log."""

# C0 and C1 controls, which move a terminal's cursor; ends of lines; what turns the direction of text; half characters.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def one_line(text: str) -> str:
    """Escape what would not stay on its line or change how the rest of it looks, and cut what is too long.

    What this gives is given back as it is.
    """
    if len(text) <= LINE_LENGTH and text.isprintable():  # nearly always
        return text
    length = len(text)
    text = printable(text[: LINE_LENGTH + 1])
    if len(text) <= LINE_LENGTH:
        return text
    end = f"... ({length} characters)"
    return text[: LINE_LENGTH - len(end)] + end


def printable(text: str) -> str:
    """Escape control characters, those of bidirectional text included, as Python's own literals do."""
    return text if text.isprintable() else _UNFIT.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    return _SHORT.get(character) or f"\\u{ord(character):04x}"

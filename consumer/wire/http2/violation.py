"""What a peer does that HTTP/2 forbids, or that would cost this side too much."""

from __future__ import annotations


class Violation(Exception):
    """The connection cannot go on.

    Attributes:
        code: HTTP/2's number of what is wrong, for the goodbye.
        text: The same in words.
        passes: Which of this side's `Limits` it passes, by name; "" for none.
    """

    def __init__(self, code: int, text: str, passes: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.passes = passes

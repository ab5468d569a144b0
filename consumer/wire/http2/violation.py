"""What a peer does that HTTP/2 forbids, or that would cost this side too much."""

from __future__ import annotations


class Violation(Exception):
    """The connection cannot go on.

    Attributes:
        code: HTTP/2's number of what is wrong, for the goodbye.
        text: The same in words.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

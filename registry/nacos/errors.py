"""What goes wrong between a registry and a Nacos server."""

from __future__ import annotations

from ..errors import RegistryError

_QUOTED = 200


class Lost(RegistryError):
    """The connection is of no more use, or did not come about."""


class Refused(RegistryError):
    """The server answered that it does not do what it was asked.

    Attributes:
        code: Its own, such as 403; 0 where it gave none.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def why(error: Exception) -> str:
    """Say of an *error* of the system what it means, in words that fit into a sentence."""
    text = (getattr(error, "strerror", None) or str(error) or type(error).__name__)[:_QUOTED]
    return f"{text[0].lower()}{text[1:]}"


def quoted(text: object) -> str:
    """Cut what a server wrote to what an error may quote of it."""
    return str(text)[:_QUOTED]

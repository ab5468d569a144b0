"""What goes wrong between callahead and a registry."""

from __future__ import annotations

from callahead.config.errors import CallaheadError
from callahead.config.values.line import one_line


class RegistryError(CallaheadError):
    """A registry cannot be asked, or has said something that makes no sense; the message is a line fit for a log."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class RegistryUnavailable(RegistryError):
    """The registry cannot be reached or read, and no earlier list of providers is known."""


class ProviderDataError(RegistryError):
    """A provider's entry cannot be understood; the message quotes it and says where it stands."""

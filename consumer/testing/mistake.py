"""What is said to who sets a provider up wrongly; by itself, since starting one in a process needs no grpc here."""

from __future__ import annotations

from callahead.config.errors import ConfigError


def wrong(text: str, hint: str = "") -> ConfigError:
    """Make the error of a provider that was set up wrongly."""
    return ConfigError.one(text, file="EmbeddedProvider", hint=hint)

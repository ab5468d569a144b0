"""Why a peer is not spoken to: what it seems to speak, and which settings say what it should."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from callahead.config.policy import BUILT_IN, ReferencePolicy, key_of

TLS_ALERT: Final = b"\x15\x03"
"""How a TLS server's complaint begins, all that a plain client hears of it."""

_LANGUAGES: Final = (
    # The frame that each side of HTTP/2 begins with, or the one that ends it; both are of stream 0.
    (re.compile(rb"\0.{2}[\x04\x07]\0{5}", re.DOTALL), "HTTP/2, as gRPC does"),
    (re.compile(rb"HTTP/1\.[01] "), "HTTP/1"),
    (re.compile(rb"SSH-[12]\."), "SSH"),
    (re.compile(rb"\xda\xbb"), "dubbo"),
    (re.compile(rb"\x16\x03[\0-\x04]"), "TLS"),
)


class Trouble(NamedTuple):
    """Why there is no connection, or none any more.

    Attributes:
        text: What is wrong.
        about: The settings that decide it, as attributes of `ReferencePolicy`; none where it is no matter of settings.
    """

    text: str
    about: tuple[str, ...] = ()

    def of(self, policy: ReferencePolicy) -> str:
        """Word it for a reference, with the place of each setting."""
        return f"{self.text} ({places(policy, self.about)})" if self.about else self.text


def language(first: bytes) -> str:
    """Name what a peer speaks whose first bytes are *first*; "" where that is not known."""
    return next((name for pattern, name in _LANGUAGES if pattern.match(first)), "")


def places(policy: ReferencePolicy, about: tuple[str, ...]) -> str:
    """Say of each setting in *about* where it was set: ``ssl is not set; url, shop.yml:6``."""
    return "; ".join(_place(policy, attribute) for attribute in about)


def _place(policy: ReferencePolicy, attribute: str) -> str:
    if attribute == "urls" and not policy.urls and "urls" not in policy.origins:
        attribute = "registries"
    origin = policy.origin(attribute)
    if attribute == "ssl" and policy.ssl is None:
        return "ssl is not set" if origin == BUILT_IN else f"ssl is off, {origin}"
    if attribute.startswith("ssl.") and origin == BUILT_IN:
        return f"{attribute} is not set; ssl, {policy.origin('ssl')}"
    said = {"protocol": policy.protocol, "registries": ", ".join(policy.registries)}.get(attribute, "")
    return f"{key_of(attribute)}{' ' if said else ''}{said}{'' if origin == BUILT_IN else f', {origin}'}"

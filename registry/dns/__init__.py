"""Names in DNS as a registry."""

from .registry import DnsRegistry

__all__ = ["DnsRegistry"]

"""Providers that register themselves in Nacos, one instance each, as Dubbo's interfaces do."""

from .registry import NacosRegistry

__all__ = ["NacosRegistry"]

"""Providers that register themselves in Apache ZooKeeper, one node each, as Dubbo's interfaces do."""

from .registry import ZookeeperRegistry

__all__ = ["ZookeeperRegistry"]

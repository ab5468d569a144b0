"""Apache Dubbo's classic protocol over TCP."""

from .transport import DubboTransport

__all__ = ["DubboTransport"]

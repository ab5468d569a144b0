"""gRPC, and Apache Dubbo's `tri` where it is gRPC."""

from .transport import TriTransport

__all__ = ["TriTransport"]

"""Compressed requests where grpcio itself forgets to compress them."""

from __future__ import annotations

from collections.abc import Mapping

import grpc

from .metadata import Metadata

_ENCODINGS: Mapping[int, str] = {
    grpc.Compression.NoCompression: "identity",
    grpc.Compression.Deflate: "deflate",
    grpc.Compression.Gzip: "gzip",
}


def with_compression(metadata: Metadata, compression: grpc.Compression | None) -> Metadata:
    """Ask for *compression* of the requests of a client stream that gives a future: grpcio itself forgets it there.

    The pair is gRPC core's own (``GRPC_COMPRESSION_REQUEST_ALGORITHM_MD_KEY``), and never travels.
    """
    if compression is None:
        return metadata
    return (*metadata, ("grpc-internal-encoding-request", _ENCODINGS[compression]))

"""A provider of `tri`, over grpcio."""

"""A `grpc.Channel` over a reference, and the gRPC faces of errors and futures."""

"""Protobuf services: which methods there are, and what their arguments become."""

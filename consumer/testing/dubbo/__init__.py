"""A provider of the dubbo protocol, over sockets of its own."""

"""What may be called, whatever carries it: the methods of Java interfaces and of protobuf services."""

"""HTTP/2 of our own for `tri`, on the I/O thread that every protocol over TCP shares."""

"""The client's side of HTTP/2 without I/O: a peer's bytes to events, requests to bytes.

Source: RFC 9113 and RFC 7541. This side allows the peer no dynamic table (``SETTINGS_HEADER_TABLE_SIZE`` 0), so that a
header block means the same wherever it comes: equal bytes are equal headers, and one that is too large can be skipped.
A peer that keeps one nonetheless is read, more slowly, and not beyond headers that are too large.
"""

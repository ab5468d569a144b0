"""The trailer ``grpc-status-details-bin``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callahead.consumer.codec.status_details import debug_info


def field(number: int, data: bytes) -> bytes:
    """One field of a protobuf message, up to 127 bytes long."""
    return bytes((number << 3 | 2, len(data))) + data


def status(*details: tuple[str, bytes]) -> bytes:
    """A ``google.rpc.Status`` of code 2 with these details."""
    packed = [field(1, f"type.googleapis.com/{name}".encode()) + field(2, data) for name, data in details]
    return b"\x08\x02" + field(2, b"failed") + b"".join(field(3, one) for one in packed)


DEBUG = field(1, b"a.B: failed") + field(1, b"\tat a.B.run(B.java:7)") + field(2, b"failed")


def test_debug_info_is_found_among_other_details() -> None:
    """The first one counts."""
    data = status(("google.rpc.ErrorInfo", b""), ("google.rpc.DebugInfo", DEBUG), ("google.rpc.DebugInfo", b""))
    assert debug_info(data) == {"stack_entries": ("a.B: failed", "\tat a.B.run(B.java:7)"), "detail": "failed"}


@pytest.mark.parametrize(
    "data",
    [None, "text", b"", b"\xff", status(), status(("a.DebugInfo", DEBUG)), status(("google.rpc.DebugInfo", b"\xff"))],
)
def test_there_may_be_none(data: object) -> None:
    """Bytes that are no such status hide nothing."""
    assert debug_info(data) is None


@given(st.binary(max_size=60))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    """A peer may send any."""
    found = debug_info(status(("google.rpc.DebugInfo", data)))
    assert found is None or set(found) == {"stack_entries", "detail"}
    debug_info(data)

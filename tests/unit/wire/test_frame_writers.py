"""The frames that this side writes."""

from __future__ import annotations

import pytest

from callahead.consumer.errors import LocalProtocolError
from callahead.consumer.wire import (
    heartbeat_answer_frame,
    heartbeat_frame,
    read_only_frame,
    request_frame,
    response_frame,
)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (request_frame(1, b"ab"), "dabbc2000000000000000001000000026162"),
        (request_frame(-1, b"", two_way=False), "dabb8200ffffffffffffffff00000000"),
        (response_frame(2, b"x"), "dabb021400000000000000020000000178"),
        (response_frame(2, b"", 100), "dabb0264000000000000000200000000"),
        (heartbeat_frame(3), "dabbe200000000000000000300000001" + "4e"),
        (heartbeat_answer_frame(4), "dabb22140000000000000004000000014e"),
        (read_only_frame(5), "dabba2000000000000000005000000020152"),
    ],
)
def test_frames_are_byte_for_byte(frame: bytes, expected: str) -> None:
    """Magic, flag, status, id, length and body."""
    assert expected == frame.hex()


def test_an_id_that_does_not_fit_is_refused() -> None:
    """Before anything is sent."""
    with pytest.raises(LocalProtocolError) as caught:
        request_frame(2**63, b"ab")

    assert (
        "a dubbo frame cannot hold id 9223372036854775808 with 2 bytes: the id has 64 bits, the length 31"
        == caught.value.message
    )  # fmt: skip
    assert caught.value.not_sent

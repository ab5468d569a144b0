"""What a provider says by a status of gRPC."""

from __future__ import annotations

import pytest

from callahead.consumer.transport.tri.remote import STATUSES, remote_error


@pytest.mark.parametrize("status", STATUSES[1:])
def test_an_error_ends_with_what_the_provider_says(status: str) -> None:
    """Where it says nothing, nothing is announced."""
    assert remote_error(status, "as it is", {}).message.endswith(": as it is")
    assert remote_error(status, "", {}).message[-1].isalpha()

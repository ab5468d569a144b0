"""What Java providers say of their load to a consumer whose load balancer is ``adaptive``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from callahead.consumer import Reference, RpcContext
from callahead.consumer.loadbalance.adaptive import ATTACHMENT, load_in
from tests.interop.wires import DUBBO_27, Wire

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("bound")]


def test_java_says_its_load(refer: Callable[..., Reference], wire: Wire) -> None:
    """Where it knows the question, and else nothing; on either protocol, in a form that is understood."""
    service = refer("EchoService", loadbalance="adaptive")
    service.echo("load")
    said = load_in(RpcContext.get_context().response_attachments.get(ATTACHMENT))
    assert (said is None) == (wire is DUBBO_27)
    assert said is None or said[0] > 1_700_000_000_000

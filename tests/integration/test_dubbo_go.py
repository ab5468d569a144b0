"""A provider as dubbo-go writes: one null more behind everything, and refusals as exceptions of status 20."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.dubbo_peer import DubboPeer, Link, answer_frame, argument, echo, foo_config, wait_until

from callahead.consumer import Consumer, LocalProtocolError, NoProviderAvailable, Rejected
from callahead.consumer.codec.dubbo import encode_response, make_throwable
from callahead.consumer.wire import Heartbeat, Request, response_frame

Consume = Callable[..., Consumer]


def with_null(frame: bytes) -> bytes:
    """Make the body one byte longer, as dubbo-go does."""
    return frame[:12] + (len(frame) - 15).to_bytes(4, "big") + frame[16:] + b"N"


def refusing(text: str) -> DubboPeer:
    """A peer that throws *text* at every call."""
    body = encode_response(make_throwable("java.lang.Throwable", text), thrown=True)

    def serve(link: Link) -> None:
        for request in link.requests():
            link.send(with_null(response_frame(request.id, body)))

    return DubboPeer(serve)


def test_answers_and_heartbeats_are_read(consume: Consume) -> None:
    """The connection lives on, and what follows each end is counted."""
    heartbeats: list[int] = []

    def serve(link: Link) -> None:
        for event in link.events():
            if isinstance(event, Heartbeat):
                heartbeats.append(event.id)
                link.send(bytes.fromhex("dabb2214") + event.id.to_bytes(8, "big", signed=True) + b"\0\0\0\x02NN")
            elif isinstance(event, Request):
                link.send(with_null(answer_frame(event, argument(event))))

    with DubboPeer(serve) as peer:
        consumer = consume(foo_config(peer.url, heartbeat="20ms"))
        foo = consumer.reference("foo")
        assert foo.echo("hello") == "hello"
        wait_until(lambda: len(heartbeats) >= 3)
        assert foo.echo.future([1]).result(5) == [1]
        (counts,) = consumer.connections()
        assert (counts.connects, counts.bad_events) == (1, 0)
        assert (counts.trailing_bytes or 0) >= 4


@pytest.mark.parametrize(
    "text",
    ["don't have this exporter, key: com.alibaba.foo.FooService", "cannot find method [echo] of service [x] in dubbo"],
)
def test_another_provider_is_asked_where_one_does_not_serve_the_call(consume: Consume, text: str) -> None:
    """As where a Java provider says that it does not export the service."""
    with refusing(text) as stranger, DubboPeer(echo) as other:
        foo = consume(foo_config(stranger.url, other.url, loadbalance="roundrobin", retries=1)).reference("foo")
        assert [foo.echo(number) for number in range(6)] == list(range(6))
        alone = consume(foo_config(stranger.url)).reference("foo")
        with pytest.raises(NoProviderAvailable, match="java.lang.Throwable: .*in this group and version") as caught:
            alone.echo.with_options(retries=0)(1)
        assert caught.value.is_remote


def test_a_wrong_token_is_a_rejection(consume: Consume) -> None:
    """No other provider is asked, as of Java's own."""
    with refusing("Invalid token! Forbid invoke remote service dubbo://h:1/a.B method echo ") as peer:
        foo = consume(foo_config(peer.url)).reference("foo")
        with pytest.raises(Rejected, match="Invalid token!"):
            foo.echo(1)


def test_a_provider_that_says_closing_gets_no_further_call(consume: Consume) -> None:
    """An attachment of its answers says what Java says by a read-only event; its next connection is not concerned."""

    def serve(link: Link) -> None:
        for request in link.requests():
            asked.append(argument(request))
            link.send(response_frame(request.id, encode_response(argument(request), {"closing": "true"})))

    asked: list[int] = []
    with DubboPeer(serve) as stopping, DubboPeer(echo) as other:
        foo = consume(foo_config(stopping.url, other.url, loadbalance="roundrobin")).reference("foo")
        assert [foo.echo(number) for number in range(10)] == list(range(10))
        assert len(asked) == 1
        stopping.links[0].hang_up()
        wait_until(lambda: any(foo.echo(number) == number and len(asked) > 1 for number in range(4)), 10)


@pytest.mark.parametrize("name", ["dubbo", "generic", "group", "input", "interface", "path", "timeout", "version"])
def test_an_attachment_that_would_lead_a_call_elsewhere_is_refused(consume: Consume, name: str) -> None:
    """It is named, and nothing is sent: the later of two attachments of one name counts at the provider."""
    with DubboPeer(echo) as peer:
        foo = consume(foo_config(peer.url)).reference("foo")
        with pytest.raises(
            LocalProtocolError, match=f"the attachment {name} is Dubbo's own: it says whom to ask"
        ) as caught:
            foo.echo.with_options(attachments={name: "x"})(1)
        assert caught.value.not_sent
        assert foo.echo.with_options(attachments={"my-" + name: "x"})(1) == 1

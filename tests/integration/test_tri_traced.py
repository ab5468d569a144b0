"""Programs whose channels are within another, as a tracer makes them by patching grpcio; so they are grpcio's own."""

from __future__ import annotations

import pytest
from support.programs import Programs

from callahead.consumer.testing import EmbeddedProvider, ProviderProcess

HEAD = """
import support.tracing
from callahead.consumer import ConnectFailed, TransportError
def made(*urls, **settings):
    reference = {"interface": "helloworld.Greeter", "module": "helloworld_pb2", "url": list(urls), "timeout": 10000}
    reference["carrier"] = "grpcio"
    return Consumer({"references": {"greeter": {**reference, "retries": 0, **settings}}})
"""


def said(programs: Programs, program: str, *args: str) -> list[str]:
    """Run *program*, which must end well, and return its lines."""
    done = programs.run(program, *args)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_refused_connection_is_not_sent(programs: Programs, closed_port: str) -> None:
    """In every way of calling, over a channel whose state only its public interface tells."""
    program = """
    sent = {"SayHello": {"async": True, "sent": True}}
    with made(sys.argv[1]) as one, made(sys.argv[1], methods=sent) as other:
        hello, written = one.reference("greeter").say_hello, other.reference("greeter").say_hello
        for call in (hello.sync, lambda name: hello.future(name).result(10), written):
            try:
                call("Ann")
            except ConnectFailed as error:
                say(error.not_sent, error.in_doubt)
    """
    assert said(programs, program, closed_port) == ["True False"] * 3


def test_a_refused_attempt_is_made_elsewhere(programs: Programs, closed_port: str, provider: EmbeddedProvider) -> None:
    """Failover goes on as without the tracer."""
    program = """
    with made(*sys.argv[1:], retries=1, loadbalance="roundrobin") as consumer:
        hello = consumer.reference("greeter").say_hello
        say({hello(name="Ann").message for _ in range(4)}, {hello.future(name="Ann").result(10).message})
    """
    assert said(programs, program, closed_port, provider.url) == ["{'Hello, Ann'} {'Hello, Ann'}"]


def test_streams_of_a_reference(programs: Programs, server: ProviderProcess) -> None:
    """They end, are cancelled and are counted, though the tracer makes generators of them."""
    program = """
    with made(sys.argv[1]) as consumer:
        greeter = consumer.reference("greeter")
        say([reply.message for reply in greeter.spell_hello(name="ab")])
        say(greeter.gather_hellos([{"name": "a"}, {"name": "b"}]).message)
        stream = greeter.spell_hello(name="abc")
        next(stream)
        stream.cancel()
        try:
            next(stream)
        except BaseException as error:
            say(type(error).__name__)
    """
    assert said(programs, program, server.url) == ["['Hello, a', 'Hello, b']", "Hello, a and b", "CancelledError"]


def test_types_by_reflection(programs: Programs, server: ProviderProcess) -> None:
    """The server is asked over such a channel, too."""
    program = """
    reference = {"interface": "helloworld.Greeter", "url": sys.argv[1], "carrier": "grpcio"}
    with Consumer({"references": {"greeter": reference}}) as consumer:
        say(consumer.reference("greeter").say_hello(name="Ann").message)
    """
    assert said(programs, program, server.url) == ["Hello, Ann"]


def test_what_a_tracer_raises_is_nobody_elses_error(programs: Programs, provider: EmbeddedProvider) -> None:
    """A pending call that it breaks into ends in doubt, and is not blamed on the provider."""
    program = """
    from support.tracer import Tracer
    def broken(self, continuation, details, request):
        continuation(details, request)
        raise KeyError("span")
    Tracer.intercept_unary_unary = broken
    with made(sys.argv[1]) as consumer:
        error = consumer.reference("greeter").say_hello.future(name="Ann").exception(10)
        say(type(error).__name__, error.message, error.is_remote, error.in_doubt)
    """
    expected = "LocalProtocolError the call was broken into on this side: KeyError('span') False True"
    assert said(programs, program, provider.url) == [expected]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("suite", ["test_tri_faults", "test_tri_cluster", "test_tri_sent", "test_channel_sharing"])
def test_a_suite_under_a_tracer(programs: Programs, suite: str) -> None:
    """What holds of a plain channel holds of a wrapped one."""
    program = """
    import pathlib, pytest, test_tri_traced
    file = pathlib.Path(test_tri_traced.__file__).with_name(sys.argv[1] + ".py")
    sys.exit(pytest.main(["-q", "-m", "not slow", "-k", "not http2", str(file)]))
    """
    said(programs, program, suite)

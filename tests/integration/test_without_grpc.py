"""Programs in which grpcio cannot be imported, as where its extension does not fit the system."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.programs import Programs

from callahead.consumer.testing import EmbeddedProvider, ProviderProcess

PROTO = Path(__file__).parents[1] / "support" / "protos" / "helloworld.proto"
WITHOUT = """
import sys
sys.modules["grpc"] = None
"""
HEAD = f"""
{WITHOUT}
def greeter(**settings):
    reference = {{"interface": "helloworld.Greeter", "url": sys.argv[1], "retries": 0, **settings}}
    return Consumer({{"references": {{"greeter": reference}}}})
"""
pytestmark = pytest.mark.slow
SOURCES = {
    "module": '{"module": "helloworld_pb2"}',
    "proto": f'{{"proto": {str(PROTO)!r}}}',
    "reflection": "{}",
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_kind_of_call(programs: Programs, server: ProviderProcess, source: str) -> None:
    """By default, and whichever way the types are known."""
    program = f"""
    with greeter(timeout=20000, **{SOURCES[source]}) as consumer:
        greeter = consumer.reference("greeter")
        say(greeter.say_hello(name="a").message, greeter.say_hello.future(name="b").result().message)
        say(*(answer.message for answer in greeter.spell_hello(name="ab")))
        say(greeter.gather_hellos([{{"name": "a"}}, {{"name": "b"}}]).message)
        say(*(answer.message for answer in greeter.chat_hello([{{"name": "a"}}])))
    """
    done = programs.run(program, server.url)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines() == ["Hello, a Hello, b", "Hello, a Hello, b", "Hello, a and b", "Hello, a"]


def test_errors_and_metadata(programs: Programs, provider: EmbeddedProvider) -> None:
    """A status of the provider is an error as ever, with its trailers."""
    provider.script("SayHello", error=("FAILED_PRECONDITION", "not yet"))
    program = """
    with greeter(module="helloworld_pb2") as consumer:
        RpcContext.get_context().attachments["trace"] = "1"
        try:
            consumer.reference("greeter").say_hello(name="a")
        except RpcError as error:
            say(error.message, error.status)
    """
    done = programs.run(program, provider.url)
    assert (done.stderr, done.stdout) == ("", "FAILED_PRECONDITION: not yet FAILED_PRECONDITION\n")
    assert provider.calls[0].attachments["trace"] == "1"


def test_who_wants_grpcio_is_told(programs: Programs, closed_port: str) -> None:
    """With the setting, and what to do."""
    program = """
    with greeter(module="helloworld_pb2", carrier="grpcio") as consumer:
        try:
            consumer.reference("greeter")
        except ValueError as error:
            say(error)
    """
    done = programs.run(program, closed_port)
    said = "<mapping>: references.greeter.carrier: grpcio cannot be imported: "
    assert done.stdout.startswith(said), done.stderr
    assert done.stdout.endswith("(mend that package, or set carrier: http2)\n")


@pytest.mark.parametrize(
    "options", [[], pytest.param(["--registry"], marks=pytest.mark.long)], ids=["calls", "registry"]
)
def test_the_demo(options: list[str]) -> None:
    """Its providers are grpcio's, and run in a process of their own."""
    code = f"{WITHOUT}\nfrom callahead.consumer.cli.main import main; main({['demo', '--json', *options]!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)

"""What becomes of threads and clients at the end of the program, and in a forked child."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.programs import Programs

HEAD = """
class Client:
    def __init__(self, name="made"):
        self.name, self.made_by = name, os.getpid()
        self.begun = threading.Event()
    def sleep(self, seconds):
        self.begun.set()
        time.sleep(seconds)
        say(f"slept {seconds}")
    def maker(self):
        return self.name, self.made_by == os.getpid()

def consume(shutdown_timeout="20s", **settings):
    reference = {"protocol": "python", "threads": 2, "timeout": "60s", **settings}
    application = {"shutdown_timeout": shutdown_timeout}
    return Consumer({"application": application, "references": {"client": reference}})

SLEEPS = {"methods": {"sleep": {"async": True}}}
"""


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Programs that have a client."""
    made = Programs(tmp_path, HEAD)
    yield made
    made.close()


@pytest.mark.slow
def test_the_exit_waits_for_running_calls(programs: Programs) -> None:
    """Those that wait for a thread, too, and without a word."""
    done = programs.run("""
    consumer = consume(threads=1, **SLEEPS)
    client = consumer.wrap("client", Client())
    for _ in range(4):
        client.sleep(0.1)
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "slept 0.1\n" * 4, "")


@pytest.mark.slow
@pytest.mark.parametrize("end", ["", "consumer.close()", "consumer.close(0)"])
def test_a_method_that_does_not_return_holds_up_no_exit(programs: Programs, end: str) -> None:
    """The wait is bounded by `shutdown_timeout`, and then the program ends with a thread in the midst of a method."""
    done = programs.run(f"""
    consumer = consume("200ms", **SLEEPS)
    inner = Client()
    client = consumer.wrap("client", inner)
    for _ in range(3):
        client.sleep(1000)
    inner.begun.wait()
    {end}
    """)
    assert (done.returncode, done.stdout) == (0, "")
    said_it = "gives up 3 calls" in done.stderr
    assert said_it is (end != "consumer.close(0)")


@pytest.mark.slow
def test_a_child_has_its_own_client_and_threads(programs: Programs) -> None:
    """What the parent has at the fork stays the parent's; an object that was handed over cannot be made anew."""
    done = programs.run("""
    consumer = consume(target="__main__:Client", arguments=["target"])
    client = consumer.reference("client")
    say(*client.maker())
    pending = client.sleep.future(0.5)
    handed = consume()
    mine = Client("handed over")
    wrapped = handed.wrap("client", mine)
    say(*wrapped.maker())
    def child():
        say(type(pending.exception(0)).__name__)
        say(*client.maker())
        say(*wrapped.maker())
    say(in_child(child))
    pending.result()
    say(*client.maker())
    consumer.close()
    handed.close()
    """)
    expected = ["target True", "handed over True", "ConsumerClosed", "target True", "handed over False", "0"]
    assert (done.returncode, done.stdout.splitlines()) == (0, [*expected, "slept 0.5", "target True"]), done.stderr

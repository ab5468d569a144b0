"""What a call costs whose method uses nothing of what there is: calls of Python, which can be counted exactly.

They are counted in a process of its own, for who has made a lazy result once lets every later call look for some.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.http2_frames import HEAD, OK, data, headers, message
from support.http2_peer import Line, http2_peer, reply
from support.python_calls import PythonCalls
from support.shop import Shop

from callahead.consumer import Consumer

TESTS = Path(__file__).parents[2]
ROUNDS = 200
AT_ONCE = 50
# Whoever needs more for a feature lets those pay who use it.
MOST = {
    "future": 28,
    "sync": 27,
    "http2 at once": 52,
    "http2 by callback": 64,
    "http2 each its own trailer": 69,
    "http2 one by one": 68,
}


@pytest.fixture(scope="module")
def counts() -> dict[str, dict[str, int]]:
    path = os.pathsep.join([str(TESTS), str(TESTS / "support" / "protos")])
    done = subprocess.run(
        [sys.executable, __file__], env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=True
    )
    counts: dict[str, dict[str, int]] = json.loads(done.stdout)
    return counts


@pytest.mark.parametrize("way", MOST)
def test_what_nobody_uses_costs_no_call(counts: dict[str, dict[str, int]], way: str) -> None:
    """The parts of a plain call, from the reference to the transport and back; over HTTP/2 to the socket and back."""
    assert sum(counts[way].values()) <= MOST[way], counts[way]


def scripted() -> dict[str, dict[str, int]]:
    """Count what is above every transport."""
    with Shop(lambda _: "answer") as shop:
        method, calls = shop.foo.findFoo, PythonCalls()
        future = calls.of(lambda: method.future(1).result(), 1, ROUNDS)
        return {"future": future, "sync": calls.of(lambda: method.sync(1), 1, ROUNDS)}


def over_http2() -> dict[str, dict[str, int]]:
    """Count what is above the system."""
    import helloworld_pb2 as pb  # where the process of its own finds it

    calls = PythonCalls("callahead-tri-io", "callahead-callback")
    with http2_peer(answer_together) as peer, Consumer(configuration(peer.url)) as consumer:
        method = consumer.reference("greeter").say_hello
        some, one, traced = (pb.HelloRequest(name=name) for name in ("some", "one", "traced"))

        def at_once(request: pb.HelloRequest) -> None:
            futures = [method.future(request) for _ in range(AT_ONCE)]
            for future in futures:
                future.result()

        def by_callback() -> None:
            ended = threading.Semaphore(0)
            for _ in range(AT_ONCE):
                method.future(some).add_done_callback(lambda _: ended.release())
            for _ in range(AT_ONCE):
                ended.acquire()

        return {
            "http2 at once": calls.of(lambda: at_once(some), AT_ONCE, ROUNDS // AT_ONCE),
            "http2 each its own trailer": calls.of(lambda: at_once(traced), AT_ONCE, ROUNDS // AT_ONCE),
            "http2 by callback": calls.of(by_callback, AT_ONCE, ROUNDS // AT_ONCE),
            "http2 one by one": calls.of(lambda: method(one), 1, ROUNDS),
        }


def answer_together(line: Line) -> None:
    """Answer so many calls at once, as who serves many does, or one whose request is another."""
    waiting: list[bytes] = []
    for stream in line.requests():
        trace = [(b"trace-id", b"%032x" % stream)] * line.read[-1].payload.endswith(b"traced")
        tail = headers(stream, *OK, *trace, ends=True)
        waiting += headers(stream, *HEAD), data(stream, message(reply("hello"))), tail
        if len(waiting) == 3 * AT_ONCE or line.read[-1].payload.endswith(b"one"):
            line.send(*waiting)
            waiting = []


def configuration(url: str) -> dict[str, object]:
    """One reference with nothing that is not there by default."""
    greeter = {"interface": "helloworld.Greeter", "module": "helloworld_pb2", "url": url, "carrier": "http2"}
    return {"references": {"greeter": greeter}}


def main() -> None:
    """Print the counts of each way."""
    print(json.dumps({**scripted(), **over_http2()}))


if __name__ == "__main__":
    main()

"""A child that is forked while other threads of its parent hold locks: it has the locks, and not the threads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.programs import Programs

pytestmark = pytest.mark.slow

# A consumer with a reference over each protocol and registry but Nacos, which ends what runs before it lets anybody
# fork. Nobody listens anywhere, so that calls fail at once.
HEAD = """
import logging, tempfile
from callahead.registry import MemoryRegistry
from support.locks import held, locks_of_callahead

logging.disable()
space = MemoryRegistry.named("shop")
space.publish("a.B", ["dubbo://127.0.0.1:1/a.B"])
folder = tempfile.mkdtemp()
with open(f"{folder}/providers.yml", "w") as file:
    file.write("- dubbo://127.0.0.1:1/a.B")

def reference(*registries, **settings):
    about = {"interface": "a.B", "protocol": "dubbo", "generic": True, "idempotent": True, "retries": 0}
    return {**about, "registry": list(registries), **settings}

consumer = Consumer({
    "registries": {
        "memory": {"address": "memory://shop", "file": f"{folder}/lists.json"},
        "file": {"address": f"file:{folder}/providers.yml"},
        "zookeeper": {"address": "zookeeper://127.0.0.1:1?timeout=50"},
        "dns": {"address": "dns://127.0.0.1:1"},
    },
    "consumer": {"check": False, "timeout": 500, "max_pending": 10, "cache": "lru"},
    "references": {
        "merged": reference("memory", "file", loadbalance="leastactive"),
        "alone": reference("memory", loadbalance="consistenthash", cluster="failback"),
        "zookeeper": reference("zookeeper", cluster="forking"),
        "dns": reference("dns", loadbalance="shortestresponse"),
        "python": {"interface": "a.B", "protocol": "python", "target": "fractions:Fraction", "threads": 2},
        "tri": {"interface": "com.alibaba.foo.FooService", "url": "tri://127.0.0.1:1", "carrier": "http2",
                "module": "callahead.conf.foo_pb2"},
    },
})

def call(name):
    try:
        method = {"python": "limit_denominator", "tri": "findFoo"}.get(name, "find")
        return str(getattr(consumer.reference(name), method).future().result(5))
    except RpcError as error:
        return type(error).__name__

for name in consumer.references:
    call(name)

locks = locks_of_callahead()
"""


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Programs with a consumer that has made calls, and all its locks."""
    made = Programs(tmp_path, HEAD)
    yield made
    made.close()


def test_no_lock_is_held_in_a_child(programs: Programs) -> None:
    """Whatever has a lock that lasts gives the child a free one, but kazoo, of which the child uses nothing old."""
    program = """
    def child():
        taken = {found.place for found in locks_of_callahead() if not found.is_free}
        say(len(locks) > 100, sorted(taken - {"callahead.registry.zookeeper.handler.Handler._state_change"}))
    with held(locks):
        assert in_child(child, 40) == 0
    consumer.close(0)
    """
    done = programs.run(program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True []\n", "")


def test_parent_and_child_go_on(programs: Programs) -> None:
    """The child calls, makes what the parent has not, and closes; the parent does, too, once its threads go on."""
    program = """
    def all_of_it():
        calls = [call(name) for name in consumer.references]
        seen = [len(consumer.providers(name).providers) for name in ("merged", "alone")]
        consumer.close()
        return calls, seen
    with held(locks):
        assert in_child(lambda: say(all_of_it()), 40) == 0
    say(all_of_it())
    """
    done = programs.run(program)
    first, second = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert first == second
    assert "ConnectFailed" in first


def test_a_child_exits(programs: Programs) -> None:
    """One that does nothing but end, by its interpreter's exit, waits for none of the locks."""
    program = """
    with held(locks):
        pid = os.fork()
        if not pid:
            signal.alarm(20)
            sys.exit(7)
        say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    consumer.close(0)
    """
    done = programs.run(program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "7\n", "")

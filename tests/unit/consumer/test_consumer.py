"""Consumer: made of a file or a mapping, shared by threads, many in one process."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from support.shop import Shop

from callahead.config import load_mapping
from callahead.consumer import ConfigError, Consumer, ConsumerClosed, NoProviderAvailable, Reference
from callahead.consumer.testing.scripted_transport import ScriptedTransport
from callahead.registry import MemoryRegistry

SERVICE = "com.alibaba.foo.FooService"
FOO = {"interface": SERVICE, "url": "tri://h:1"}


def consumer(references: dict[str, Any], **more: Any) -> Consumer:
    transport = ScriptedTransport(lambda invocation: invocation.provider.name)
    return Consumer({"references": references, **more}, transports={"tri": transport})


def test_from_a_file(tmp_path: Path) -> None:
    """A path is all that is needed, and options go along."""
    path = tmp_path / "consumer.yml"
    path.write_text(f"references:\n  foo: {{interface: {SERVICE}, url: 'tri://h:1'}}\n")
    with Consumer.from_file(path, transports={"tri": ScriptedTransport(lambda _: 7)}) as made:
        assert made.reference("foo").find() == 7
        assert repr(made) == f"<Consumer of {path}: foo; 0 calls running>"
    assert repr(made) == f"<Consumer of {path}: foo; closed>"


def test_from_a_missing_file(tmp_path: Path) -> None:
    """Nothing is started from a file that is not there."""
    with pytest.raises(ConfigError, match=r"absent\.yml"):
        Consumer.from_file(tmp_path / "absent.yml")


@pytest.mark.parametrize("given", ["shop.yml", Path("shop.yml")])
def test_a_path_in_place_of_settings(given: Any) -> None:
    """Who gives the name of a file to the class is told what takes one."""
    with pytest.raises(ConfigError, match=r"\(write Consumer\.from_file\('shop\.yml'\)\)"):
        Consumer(given)


def test_from_a_mapping_or_a_loaded_configuration() -> None:
    """What the YAML would be, or what was made of it."""
    with Consumer(load_mapping({"references": {"foo": FOO}}), transports={"tri": ScriptedTransport()}) as made:
        assert isinstance(made.reference("foo"), Reference)
    with consumer({"foo": FOO}) as other:
        assert other.reference("foo").find() == "tri://h:1"


def test_a_bad_mapping_starts_nothing() -> None:
    """All problems come in one error."""
    with pytest.raises(ConfigError) as caught:
        consumer({"foo": {"interfase": SERVICE, "url": "tri://h:1", "retries": -1}})
    assert len(caught.value.problems) >= 2


def test_an_unknown_reference_names_the_nearest() -> None:
    """A typing error is told with the source and the name that was meant."""
    with consumer({"fooService": FOO}) as made, pytest.raises(ConfigError) as caught:
        made.reference("foService")
    [problem] = caught.value.problems
    assert (problem.file, problem.key, problem.hint) == ("<mapping>", "references", 'did you mean "fooService"?')
    assert problem.text == 'there is no reference "foService"'


def test_the_same_reference_each_time() -> None:
    """References are made once."""
    with consumer({"foo": FOO, "bar": FOO}) as made:
        assert made.reference("foo") is made.reference("foo")
        assert made.reference("foo") is not made.reference("bar")


@pytest.fixture
def empty() -> Any:
    with MemoryRegistry.named("unit-consumer") as space:
        yield space


def referring(check: bool) -> Consumer:
    registries = {"main": {"address": "memory://unit-consumer"}}
    return consumer({"foo": {"interface": SERVICE, "registry": "main", "check": check}}, registries=registries)


def test_check_fails_without_a_provider_and_works_once_there_is_one(empty: Any) -> None:
    """The error says where it was looked for, and how to start without; the next attempt may succeed."""
    with referring(check=True) as made:
        with pytest.raises(NoProviderAvailable) as caught:
            made.reference("foo")
        text = str(caught.value)
        assert text.startswith("foo.(check): no provider")
        assert "memory://unit-consumer" in text
        assert "start without one by check: false (check is true, <mapping>)" in text
        empty.publish(SERVICE, ["tri://late:1"])
        assert made.reference("foo").find() == "tri://late:1"


def test_check_false_starts_without_a_provider(empty: Any) -> None:
    """The reference is made; its calls fail until a provider comes."""
    with referring(check=False) as made:
        foo = made.reference("foo")
        with pytest.raises(NoProviderAvailable):
            foo.find()
        empty.publish(SERVICE, ["tri://late:1"])
        assert foo.find() == "tri://late:1"


def test_many_consumers_share_nothing() -> None:
    """Closing one leaves the others alone, and counts are kept apart."""
    many = [consumer({"foo": {**FOO, "url": f"tri://h{number}:1"}}) for number in range(10)]
    many[0].close()
    for number, made in enumerate(many[1:], 1):
        assert made.reference("foo").find() == f"tri://h{number}:1"
        assert made.counts()["foo"]["find"].calls == 1
    with pytest.raises(ConsumerClosed):
        many[0].reference("foo")
    for made in many:
        made.close()


def test_threads_that_ask_at_once_get_one_reference_and_one_method() -> None:
    """Making is done once, whoever comes first."""
    made = consumer({"foo": FOO})
    start = threading.Barrier(8)
    found: list[Any] = []

    def ask() -> None:
        start.wait(5)
        reference = made.reference("foo")
        found.append((reference, reference.find, reference.find()))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made.close()
    assert len(set(map(id, (one for one, _, _ in found)))) == 1
    assert len(set(map(id, (one for _, one, _ in found)))) == 1
    assert {value for _, _, value in found} == {"tri://h:1"}


def test_after_close_no_reference_is_given() -> None:
    """Not even one that was made before."""
    made = consumer({"foo": FOO, "bar": FOO})
    made.reference("foo")
    made.close()
    for name in ("foo", "bar"):
        with pytest.raises(ConsumerClosed, match=r"^the consumer is closed$"):
            made.reference(name)


def test_counts() -> None:
    """Calls, attempts, failures by class and what runs, by reference and method."""
    with Shop(providers=2) as shop:
        from callahead.consumer import ConnectFailed, RemoteError

        shop.foo.findFoo.future(1)
        shop.next_call().fail(ConnectFailed("refused", not_sent=True))
        shop.next_call().reply(1)
        shop.foo.findFoo.future(1)
        shop.next_call().fail(RemoteError("no"))
        shop.foo.findFoo.future(1)
        counts = shop.consumer.counts()["foo"]["findFoo"]
        assert (counts.calls, counts.running, counts.attempts) == (3, 1, 3)
        assert (counts.failures, counts.dropped) == ({"RemoteError": 1}, 0)


def test_a_thousand_calls_run_at_once_without_a_thread_each() -> None:
    """The number of threads does not grow with the calls that are pending."""
    with Shop(methods={"findFoo": {"async": True}}) as shop:
        shop.foo.findFoo(0)
        before = threading.active_count()
        futures = [shop.foo.findFoo.future(number) for number in range(1000)]
        assert threading.active_count() == before
        shop.next_call()
        for number in range(1000):
            shop.next_call().reply(number)
        assert [future.result(5) for future in futures] == list(range(1000))
        assert threading.active_count() <= before + 4

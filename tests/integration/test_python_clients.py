"""Which clients there are: what a target may be, what of a client can be reached, and how it ends."""

from __future__ import annotations

import inspect
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.held_client import SOON, HeldClient, held

from callahead.consumer import ConfigError, ConnectFailed, Consumer, ConsumerClosed
from callahead.consumer.cli.main import main

HERE = __name__


def consumer(**reference: Any) -> Consumer:
    """Make a consumer with the one reference ``client``."""
    return Consumer({"references": {"client": {"protocol": "python", "timeout": "30s", **reference}}})


class Shelf:
    """A client that knows who made it, who closed it, and on which threads it was used."""

    made: list[Shelf] = []  # noqa: RUF012 - the tests' own list

    class Empty(Exception):
        """An exception that clients offer as an attribute."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.given = args, kwargs
        self.closed_by: list[str] = []
        self.reads = 0
        self.thread = threading.current_thread()
        self.made.append(self)

    @property
    def computed(self) -> str:
        """Read anew each time, and only then."""
        self.reads += 1
        return f"{len(self.made)} made"

    def arguments(self) -> Any:
        """Give what it was made with."""
        return self.given

    def used_by(self, barrier: threading.Barrier | None = None) -> tuple[int, bool]:
        """Tell which client it is, and whether the thread that made it uses it."""
        if barrier is not None:
            barrier.wait(SOON)
        return id(self), threading.current_thread() is self.thread

    def put(self, item: str, /, count: int = 1, *more: Any) -> str:
        """Take anything."""
        return f"{item} {count} {more}"

    def find(self, name: str, limit: int | None = None) -> list[str]:
        """Have a signature."""
        return [name][:limit]

    def close(self) -> None:
        """Note who closes it."""
        self.closed_by.append(threading.current_thread().name)


@pytest.fixture(autouse=True)
def _forget() -> None:
    Shelf.made.clear()


SHARED = Shelf("the module's own")


class Inner:
    """Holds a client deeper in a module."""

    shelf = SHARED


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ({}, ((), {})),
        ({"regionName": "x", "a-b": [1, {"cD": None}]}, ((), {"regionName": "x", "a-b": [1, {}]})),
        (["x", 2, {"aB": True}], (("x", 2, {"aB": True}), {})),
    ],
)
def test_a_target_is_called_with_the_arguments(arguments: Any, given: Any) -> None:
    """By keyword or position, with the names and types that are written; a key of a mapping in code may be without."""
    with consumer(target=f"{HERE}:Shelf", arguments=arguments) as made:
        assert made.reference("client").arguments() == given


@pytest.mark.parametrize("target", [f"{HERE}:SHARED", f"{HERE}:Inner.shelf"])
def test_a_target_may_be_the_client_itself(target: str) -> None:
    """An object that cannot be called is taken as it is, wherever it stands in its module."""
    with consumer(target=target) as made:
        assert made.reference("client").arguments() == (("the module's own",), {})


def test_a_target_may_be_a_module() -> None:
    """Its functions are the methods, and its classes and other names are what they are."""
    with consumer(target="json") as made:
        client = made.reference("client")
        assert client.loads('{"a": 1}') == {"a": 1}
        assert client.dumps.future([1], indent=None).result(SOON) == "[1]"
        assert issubclass(client.JSONDecodeError, ValueError)


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"target": "no.such.module:x"}, r"client\.target: No module named 'no'"),
        ({"target": "json:laods"}, r'client\.target: "json:laods": json has no "laods"; did you mean "loads"'),
        ({"target": f"{HERE}:SHARED", "arguments": [1]}, r"client\.arguments: .*SHARED is Shelf, which takes none"),
        ({"target": f"{HERE}:made_by", "arguments": {"nme": 1}}, r"client\.arguments: .*made_by does not take them"),
        ({"target": f"{HERE}:made_by"}, r"client\.target: .*missing a required argument: 'name'"),
        ({"target": f"{HERE}:made_later"}, r"client\.target: .*made_later is a coroutine function"),
        ({"target": f"{HERE}:SHARED", "clients": "per_thread"}, r"client\.clients: per_thread needs a target that"),
        ({"target": f"{HERE}:Shelf", "close": "shut"}, r'client\.close: the client has no method "shut"'),
        ({"target": f"{HERE}:Shelf", "methods": {"fnid": {}}}, r'methods\.fnid: the client has no method "fnid"; did'),
        ({"target": f"{HERE}:Shelf", "methods": {"find": {"parameter_types": ["int"]}}}, r"find\.parameter_types: has"),
        ({}, r'client\.protocol: protocol "python" needs target, or an object given to Consumer\.wrap'),
    ],
)
def test_what_cannot_be_obeyed_is_said_when_the_reference_is_made(settings: dict[str, Any], wrong: str) -> None:
    """By the setting that is wrong."""
    with consumer(**settings) as made, pytest.raises(ConfigError, match=wrong):
        made.reference("client")


def made_by(name: str) -> Shelf:
    """Need an argument."""
    return Shelf(name)


async def made_later() -> Shelf:
    """Be no factory of blocking clients."""
    return Shelf()


def unmade(error: str) -> Shelf:
    """Be a factory that fails."""
    raise OSError(error)


def test_a_client_that_cannot_be_made_is_one_that_cannot_be_reached() -> None:
    """What the target raises is the cause, and the next one who asks tries again."""
    with consumer(target=f"{HERE}:unmade", arguments=["no route"]) as made:
        for _ in range(2):
            with pytest.raises(ConnectFailed, match="no route") as caught:
                made.reference("client")
            assert caught.value.not_sent
            assert isinstance(caught.value.__cause__, OSError)


def test_one_client_serves_all_threads() -> None:
    """It is made when the reference is, and closed when its last thread has ended."""
    barrier = threading.Barrier(3)
    with consumer(target=f"{HERE}:Shelf", close="close") as made:
        client = made.reference("client")
        futures = [client.used_by.future(barrier) for _ in range(3)]
        assert len({future.result(SOON)[0] for future in futures}) == 1
    [shelf] = Shelf.made
    assert len(shelf.closed_by) == 1


def test_a_client_that_was_never_called_is_closed_too() -> None:
    """By the thread that closes the consumer, as there is no other."""
    with consumer(target=f"{HERE}:Shelf", close="close") as made:
        made.reference("client")
    [shelf] = Shelf.made
    assert shelf.closed_by == [threading.current_thread().name]


def test_each_thread_has_its_own_client() -> None:
    """Made and closed on it; one more is made and closed at once when the reference is made, to see what it offers."""
    barrier = threading.Barrier(3)
    with consumer(target=f"{HERE}:Shelf", clients="per_thread", close="close") as made:
        client = made.reference("client")
        [seen] = Shelf.made
        assert len(seen.closed_by) == 1
        used = [future.result(SOON) for future in [client.used_by.future(barrier) for _ in range(3)]]
        assert len({which for which, _ in used}) == 3
        assert all(by_maker for _, by_maker in used)
    assert [shelf.closed_by for shelf in Shelf.made[1:]] == [[shelf.thread.name] for shelf in Shelf.made[1:]]


def test_a_client_of_a_thread_that_cannot_be_made_fails_the_call() -> None:
    """As not sent, so that it is tried again; once it can be made all is well."""
    Sometimes.fails = 0
    with consumer(target=f"{HERE}:Sometimes", clients="per_thread", retries=0) as made:
        client = made.reference("client")
        Sometimes.fails = 1
        error = client.ask.future().exception(SOON)
        assert isinstance(error, ConnectFailed)
        assert error.not_sent
        Sometimes.fails = 1
        assert client.ask.with_options(retries=1)() == "answer"


class SlowlyMade:
    """A client that takes its time to be made, but for the first, which is only looked at."""

    made = 0
    gate = HeldClient()
    asked = False

    def __init__(self) -> None:
        type(self).made += 1
        if self.made > 1:
            self.gate.wait()

    def ask(self) -> None:
        type(self).asked = True


def test_a_call_that_is_cancelled_while_its_client_is_made_never_runs() -> None:
    """Nor was it sent: the thread has not begun the method."""
    with consumer(target=f"{HERE}:SlowlyMade", clients="per_thread", threads=1) as made:
        client = made.reference("client")
        future = client.ask.future()
        SlowlyMade.gate.next()
        assert future.cancel()
        late = client.ask.with_options(timeout=50).future().exception(SOON)
        assert getattr(late, "not_sent", False)
        SlowlyMade.gate.release()
    assert not SlowlyMade.asked


class Sometimes:
    """A client that is not always to be had."""

    fails = 0

    def __init__(self) -> None:
        if type(self).fails:
            type(self).fails -= 1
            raise OSError("not now")

    def ask(self) -> str:
        return "answer"


class Unclosing(Shelf):
    """A client whose end fails."""

    def close(self) -> None:
        raise OSError("cannot close")


def test_a_client_that_cannot_be_closed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """And holds nothing up."""
    with consumer(target=f"{HERE}:Unclosing", close="close") as made:
        made.reference("client")
    assert "client: a client could not be closed" in caplog.text


def test_a_client_outlives_the_call_that_holds_it() -> None:
    """It is not closed under a method that still runs, but when that has returned."""
    client = Closing()
    made = consumer(threads=1, close="close")
    reference = made.wrap("client", client)
    reference.wait.future("running")
    client.next()
    made.close(0)
    assert not client.is_closed.is_set()
    client.release()
    assert client.is_closed.wait(SOON)


class Closing(HeldClient):
    """A client that says when it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.is_closed = threading.Event()

    def close(self) -> None:
        self.is_closed.set()


def test_an_object_that_was_handed_over_is_not_closed_unasked() -> None:
    """It is its owner's."""
    shelf = Shelf()
    with consumer() as made:
        made.wrap("client", shelf).arguments()
    assert shelf.closed_by == []


def test_an_object_goes_before_the_target() -> None:
    """So a test can hand in a stand-in for what the configuration names."""
    shelf = Shelf("mine")
    with consumer(target="no.such.module:x") as made:
        client = made.wrap("client", shelf)
        assert client.arguments() == (("mine",), {})
        assert made.reference("client") is client
        assert made.wrap("client", shelf) is client


def test_a_reference_that_has_been_made_takes_no_other_object() -> None:
    """Who holds it would be surprised; nor does one of a protocol that leaves the process, or of a closed consumer."""
    settings = {"client": {"protocol": "python", "target": "json"}, "far": {"interface": "a.Far", "url": "tri://h:1"}}
    with Consumer({"references": settings}) as made:
        made.reference("client")
        with pytest.raises(ConfigError, match="has been made already, for another client"):
            made.wrap("client", Shelf())
        with pytest.raises(ConfigError, match='protocol "tri" cannot call an object of this program'):
            made.wrap("far", Shelf())
        with pytest.raises(ConfigError, match='no reference "cleint"'):
            made.wrap("cleint", Shelf())
    with pytest.raises(ConsumerClosed):
        made.wrap("client", Shelf())


def test_what_is_no_method_is_read_from_the_client() -> None:
    """Properties anew each time, exceptions to be caught by, and anything else."""
    shelf = Shelf()
    with consumer() as made:
        client = made.wrap("client", shelf)
        assert client.computed == "1 made"
        Shelf()
        assert client.computed == "2 made"
        assert client.Empty is Shelf.Empty
        assert client.given is shelf.given


def test_an_unknown_name_is_an_attribute_error() -> None:
    """With the nearest name that there is, as for any reference; private names are the client's own."""
    with consumer() as made:
        client = made.wrap("client", Shelf())
        with pytest.raises(AttributeError, match='the client has no method "fnid"; did you mean "find"'):
            client.fnid  # noqa: B018
        assert not hasattr(client, "_private")
        assert not hasattr(client, "__enter__")


def test_an_attribute_of_each_threads_client_is_of_none() -> None:
    """Nobody could say of which."""
    with consumer(target=f"{HERE}:Shelf", clients="per_thread") as made:
        client = made.reference("client")
        assert not hasattr(client, "computed")


@pytest.mark.parametrize("name", ["find", "Find"])
def test_a_method_has_every_spelling(name: str) -> None:
    """And a future under each of the names that any reference gives it."""
    with consumer() as made:
        client = made.wrap("client", shelf := Shelf())
        assert getattr(client, name)("a") == ["a"]
        assert client.usedBy()[0] == id(shelf)
        assert client.find_async("a").result(SOON) == ["a"]


def test_a_method_looks_as_the_clients() -> None:
    """At a prompt: names, signature, and what a command line can show."""
    with consumer() as made:
        client = made.wrap("client", shelf := Shelf())
        assert {"find", "used_by", "put"} <= set(dir(client))
        assert "computed" not in dir(client)
        assert shelf.reads == 0
        assert str(inspect.signature(client.find)) == "(name: 'str', limit: 'int | None') -> 'list[str]'"
        assert client.find.__doc__.startswith("client.find(name: str, limit: int | None) -> list[str]")
        assert client.put.__doc__.startswith("client.put(...)")


class Dynamic:
    """Answers to any name, as proxies of other protocols do."""

    known = 7

    def __getattr__(self, name: str) -> Any:
        if name == "absent":
            raise AttributeError(name)
        return lambda *args: (name, *args)


@pytest.mark.parametrize("clients", ["one", "per_thread"])
def test_a_method_that_the_client_makes_up_can_be_called(clients: str) -> None:
    """By just the name that is asked for; what the client does not make up is an error."""
    with consumer(target=f"{HERE}:Dynamic", clients=clients) as made:
        client = made.reference("client")
        assert client.anything(1) == ("anything", 1)
        with pytest.raises(AttributeError):
            client.absent()
        assert not hasattr(client, "_ipython_display_")


class Stock:
    """What a program writes around sqlite3, whose connections are of the thread that made them."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path)

    def add(self, name: str, amount: int) -> None:
        with self._database:
            self._database.execute("insert into stock values (?, ?)", (name, amount))

    def amount(self, name: str) -> int:
        [(amount,)] = self._database.execute("select amount from stock where name = ?", (name,))
        return int(amount)

    def close(self) -> None:
        self._database.close()


def test_sqlite_is_used_by_the_threads_that_opened_it(tmp_path: Path) -> None:
    """`per_thread` gives each its own connection, and every one is closed on its thread, without a warning."""
    path = tmp_path / "stock.db"
    with sqlite3.connect(path) as database:
        database.execute("create table stock (name text, amount integer)")
    database.close()
    settings = {"clients": "per_thread", "close": "close", "threads": 4, "methods": {"amount": {"async": True}}}
    with consumer(target=f"{HERE}:Stock", arguments={"path": str(path)}, **settings) as made:
        stock = made.reference("client")
        for number in range(20):
            stock.add(f"item {number}", number)
        futures = [stock.amount.future(f"item {number}") for number in range(20)]
        assert [future.result(SOON) for future in futures] == list(range(20))
        with pytest.raises(ValueError, match="not enough values"):
            stock.amount.sync("none")


def test_the_error_of_the_database_is_the_databases(tmp_path: Path) -> None:
    """`except sqlite3.OperationalError` catches what it caught before."""
    path = str(tmp_path / "empty.db")
    with (
        consumer(target="sqlite3:connect", arguments=[path], clients="per_thread", close="close") as made,
        pytest.raises(sqlite3.OperationalError, match="no such table"),
    ):
        made.reference("client").execute("select * from absent")


def test_two_names_of_one_object() -> None:
    """References are apart, whatever they call: each has its own threads."""
    client = HeldClient()
    with held(client, threads=1) as first, consumer() as made:
        second = made.wrap("client", client)
        first.wait.future("held")
        client.next()
        assert second.echo(1) == ((1,), {})


@pytest.mark.parametrize(
    ("args", "status", "told"),
    [
        (["dumps", '{"obj": [1, 2]}'], 0, '"[1, 2]"'),
        (["dumps", "[1, 2]"], 0, '"[1, 2]"'),
        (["loads", '"["'], 1, "JSONDecodeError: Expecting value"),
        (["laods", '"[]"'], 2, 'c.yml:3: references.client: the client has no method "laods"; did you mean "loads"?'),
    ],
)
def test_a_method_can_be_called_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], status: int, told: str
) -> None:
    """One JSON object is its keywords, and anything else its arguments by position."""
    (tmp_path / "c.yml").write_text("references:\n  client:\n    protocol: python\n    target: json\n")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["call", "c.yml", "client", *args])
    assert result.exit_code == status
    assert told in result.output

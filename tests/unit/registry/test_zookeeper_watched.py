"""What a registry watches in ZooKeeper, read from a session that says what a test wants."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote_plus

import pytest
from kazoo.exceptions import ConnectionLoss, NoAuthError
from support.applications import metadata_of

from callahead.config.policy import RegistryPolicy
from callahead.registry.models import ServiceKey
from callahead.registry.url import Url
from callahead.registry.url_lists import UrlsKey
from callahead.registry.zookeeper.application import Application
from callahead.registry.zookeeper.category import Category
from callahead.registry.zookeeper.folder import KEPT, Folder, Root
from callahead.registry.zookeeper.session import Session
from callahead.registry.zookeeper.settings import Settings
from callahead.registry.zookeeper.watched import Watched

SETTINGS = Settings.of(RegistryPolicy(id="main", address="zookeeper://h:1/top"))
KEY = ServiceKey("a.B")


class Says:
    """Stands for a session; a path that it does not know is not there, and an error is raised.

    Attributes:
        folders: By path, what each child holds.
    """

    def __init__(self) -> None:
        self.folders: dict[str, Mapping[str, bytes] | Exception] = {}

    def children(self, path: str, _watch: Any) -> list[str] | None:
        found = self.folders.get(path)
        if isinstance(found, Exception):
            raise found
        return None if found is None else list(found)

    def contents(self, path: str, names: Sequence[str]) -> dict[str, bytes]:
        found = self.folders.get(path, {})
        assert not isinstance(found, Exception)
        return {name: found[name] for name in names}


@pytest.fixture
def says() -> Says:
    return Says()


def read(watched: Watched, says: Says) -> None:
    watched.refresh(cast("Session", says))


@pytest.fixture
def folder() -> Folder:
    return Folder("a.B", SETTINGS, lambda _watched: None)


@pytest.fixture
def application() -> Application:
    return Application("shop", SETTINGS, lambda _watched: None)


PROVIDERS, INSTANCES = "/top/dubbo/a.B/providers", "/top/services/shop"


def node(port: int, revision: str = "r1", /, **more: Any) -> bytes:
    payload = {"metadata": metadata_of(revision, dubbo=port)}
    return json.dumps({"address": "h", "port": port, "payload": payload, **more}).encode()


def instances(application: Application) -> dict[str, str]:
    return {each.address: each.revision for each in application.instances}


def test_instances_are_read_with_their_data(application: Application, says: Says) -> None:
    """One that was replaced in place has the name that it had."""
    says.folders[INSTANCES] = {"h:1": node(1), "h:2": node(2)}
    read(application, says)
    assert instances(application) == {"h:1": "r1", "h:2": "r1"}
    says.folders[INSTANCES] = {"h:1": node(1, "r2")}
    read(application, says)
    assert instances(application) == {"h:1": "r2"}
    assert application.told("").reason == "zookeeper://h:1/top/dubbo: 1 instance of shop"


def test_what_has_not_changed_is_the_same_object(application: Application, says: Says) -> None:
    """Of thousands of instances few change at a time, and reading what one says costs more than getting it."""
    says.folders[INSTANCES] = {"h:1": node(1), "h:2": node(2)}
    read(application, says)
    first, second = application.instances
    says.folders[INSTANCES] = {"h:1": node(1), "h:2": node(2, "r2")}
    read(application, says)
    assert application.instances[0] is first
    assert application.instances[1].revision == "r2"
    assert second.revision == "r1"


def test_what_makes_no_sense_is_told_while_it_stands_there(application: Application, says: Says) -> None:
    """Though nothing is made of it a second time, as of what has not changed."""
    for port in (1, 2):
        says.folders[INSTANCES] = {"h:1": node(port), "h:7": b"oops"}
        read(application, says)
        assert "1 passed over, such as h:7: what it holds is not JSON" in application.told("").reason
    says.folders[INSTANCES] = {"h:1": node(1)}
    read(application, says)
    assert "passed over" not in application.told("").reason


def test_a_provider_whose_node_stays_is_the_same_object(folder: Folder, says: Says) -> None:
    """Another node came, and one that makes no sense stays in the note."""
    for more in ("tri://h:2", "tri://h:3"):
        says.folders[PROVIDERS] = {quote_plus(url): b"" for url in ("tri://h:1", more, "oops")}
        read(folder, says)
        first, *_ = folder.services[KEY]
        assert "1 passed over" in folder.passed_over.note
    kept = first
    says.folders[PROVIDERS] = {quote_plus("tri://h:1"): b""}
    read(folder, says)
    assert folder.services[KEY][0] is kept


def test_an_application_that_was_never_there_has_no_instances(application: Application, says: Says) -> None:
    """That is an answer."""
    read(application, says)
    assert (application.is_known, application.instances, application.problem) == (True, (), "")


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b"x" * 300_000,
        node(1, address=7),
        node(1, port="x"),
        node(0),
        node(1, payload={"metadata": []}),
        node(1, payload=None),
        node(1, "../up"),
    ],
    ids=str,
)
def test_an_instance_that_makes_no_sense_is_passed_over(
    application: Application, says: Says, caplog: pytest.LogCaptureFixture, bad: bytes
) -> None:
    """It is logged once, in one bounded line, and the others are told."""
    says.folders[INSTANCES] = {"h:1": bad, "h:2": node(2)}
    with caplog.at_level(logging.WARNING, "callahead.registry"):
        read(application, says)
        read(application, says)
    assert instances(application) == {"h:2": "r1"}
    (line,) = caplog.messages
    assert line.startswith("zookeeper://h:1/top/dubbo: application shop: a node is passed over: h:1: ")
    assert len(line) < 400


@pytest.mark.parametrize(
    ("error", "why"),
    [(NoAuthError(), "there is no permission to read it; set username and password"), (ConnectionLoss(), "it cannot")],
)
def test_what_cannot_be_read_stays(
    application: Application, folder: Folder, says: Says, error: Exception, why: str
) -> None:
    """And says why, until it can be read."""
    says.folders = {INSTANCES: {"h:1": node(1)}, PROVIDERS: {"tri%3A%2F%2Fh%3A1": b""}}
    for each in (application, folder):
        read(each, says)
    says.folders = dict.fromkeys(says.folders, error)
    for each in (application, folder):
        read(each, says)
        assert each.problem.startswith(why)
    assert instances(application) == {"h:1": "r1"}
    assert [endpoint.address for endpoint in folder.services[KEY]] == ["h:1"]
    assert f"not renewed: {why}" in application.told("").reason


def test_more_nodes_than_anybody_has_are_not_read(application: Application, folder: Folder, says: Says) -> None:
    """The problem has the numbers, and the last list stays."""
    says.folders = {INSTANCES: {"h:1": node(1)}, PROVIDERS: {"tri%3A%2F%2Fh%3A1": b""}}
    for each in (application, folder):
        read(each, says)
    many = {f"n{number}": b"" for number in range(100_001)}
    says.folders = {INSTANCES: many, PROVIDERS: many}
    for each in (application, folder):
        read(each, says)
        assert each.problem == "it has 100001 nodes, and may have 100000; the last good list stays"
    assert instances(application) == {"h:1": "r1"}
    assert KEY in folder.services


def test_an_empty_list_after_an_interruption_is_not_taken(application: Application, folder: Folder, says: Says) -> None:
    """Servers that have lost their data show the same; the next list that is not empty is believed, and all later."""
    full: dict[str, Mapping[str, bytes] | Exception] = {
        INSTANCES: {"h:1": node(1)},
        PROVIDERS: {"tri%3A%2F%2Fh%3A1": b""},
    }
    for folders, count in ((full, 1), ({}, 1), (full, 1), ({}, 0)):
        says.folders = folders
        for each in (application, folder):
            if not folders and count:
                each.is_guarded = True
            read(each, says)
        assert (len(application.instances), len(folder.services)) == (count, count)


def test_the_root_tells_which_interfaces_there_are(says: Says) -> None:
    """Without what else stands there."""
    found: list[list[str]] = []
    root = Root(SETTINGS, lambda _watched: None, found.append)
    says.folders["/top/dubbo"] = dict.fromkeys(["b.B", "a.A", "config", "mapping", "metadata"], b"")
    read(root, says)
    assert found == [["a.A", "b.B"]]


@pytest.mark.parametrize("weight", ["-1", "1e30", "NaN", "heavy", "10001"])
def test_a_provider_that_makes_no_sense_costs_no_other(folder: Folder, says: Says, weight: str) -> None:
    """Its neighbours are told, and the note says what is wrong with it."""
    says.folders[PROVIDERS] = dict.fromkeys((f"tri%3A%2F%2Fh%3A1%3Fweight%3D{weight}", "tri%3A%2F%2Fh%3A2"), b"")
    read(folder, says)
    assert [endpoint.address for endpoint in folder.services[KEY]] == ["h:2"]
    why = f'"tri://h:1?weight={weight}": the weight "{weight}" is not a whole number in 0..10000'
    assert folder.passed_over.note == f"; 1 passed over, such as {why}"


@pytest.mark.parametrize(
    "node", ["x" * 10_000_000, "tri%3A%2F%2Fh%3A1%2F%1B%5B2J", "%FF", "nonsense%3A", "tri%3A%2F%2F"], ids=range(5)
)
def test_a_node_that_is_no_url_costs_no_other(folder: Folder, says: Says, node: str) -> None:
    """However long it is and whatever is in it; the note is short and can be shown."""
    says.folders[PROVIDERS] = dict.fromkeys((node, "tri%3A%2F%2Fh%3A2", "other%3A%2F%2Fh%3A2"), b"")
    read(folder, says)
    assert sorted(map(str, folder.services[KEY])) == ["other://h:2", "tri://h:2"]
    assert folder.passed_over.note.startswith("; 1 passed over, such as ")
    assert len(folder.passed_over.note) < 350
    assert folder.passed_over.note.isprintable()


RULES = "/top/dubbo/a.B/configurators"
OVERRIDE = "override://0.0.0.0/a.B?timeout=1000"


@pytest.fixture
def category() -> Category:
    return Category(UrlsKey("a.B", "configurators"), SETTINGS, lambda _watched: None)


def test_the_urls_of_a_category_are_read_and_faults_passed_over(
    category: Category, says: Says, caplog: pytest.LogCaptureFixture
) -> None:
    """Each fault is logged once, without its secrets."""
    nodes = [quote_plus(OVERRIDE), "no+url", "override%3A%2F%2Fh%3Ax%2Fa.B%3Ftoken%3Ds3same", "%ff"]
    says.folders[RULES] = dict.fromkeys(nodes, b"")
    with caplog.at_level(logging.WARNING, "callahead.registry"):
        read(category, says)
        read(category, says)
    assert (category.urls, category.problem) == ((Url.parse(OVERRIDE),), "")
    assert caplog.text.count("zookeeper://h:1/top/dubbo: a.B/configurators: a node is passed over: ") == 3
    assert "s3same" not in caplog.text


def test_too_many_urls_leave_the_last_ones(category: Category, says: Says) -> None:
    """Nobody has so many rules for one interface."""
    says.folders[RULES] = {quote_plus(OVERRIDE): b""}
    read(category, says)
    says.folders[RULES] = dict.fromkeys(map(str, range(1001)), b"")
    read(category, says)
    assert len(category.urls) == 1
    assert category.problem == "it has 1001 nodes, and may have 1000; the last good list stays"


def test_rules_outlive_the_data_of_a_server_but_not_their_own_end(category: Category, says: Says) -> None:
    """After the session was lost a folder that is gone is no news, and one that is empty is."""
    says.folders[RULES] = {quote_plus(OVERRIDE): b""}
    read(category, says)
    category.is_guarded = True
    del says.folders[RULES]
    read(category, says)
    assert (len(category.urls), category.problem) == (1, KEPT)
    says.folders[RULES] = {}
    read(category, says)
    assert (category.urls, category.problem) == ((), "")

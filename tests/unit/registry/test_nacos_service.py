"""What a nacos registry takes over of the lists that servers say, with servers and a clock that the test scripts."""

import json
from collections.abc import Mapping
from typing import Any, cast

import pytest

from callahead.config.policy import RegistryPolicy
from callahead.registry.errors import ProviderDataError
from callahead.registry.models import ServiceKey
from callahead.registry.nacos.errors import Refused
from callahead.registry.nacos.instances import provider, read_instance
from callahead.registry.nacos.names import is_open, key_of, meant_by, name_of
from callahead.registry.nacos.service import Names, Service
from callahead.registry.nacos.session import Session
from callahead.registry.nacos.settings import Settings

SETTINGS = Settings.of(RegistryPolicy(id="main", address="nacos://h?settle=5s"))


def host(name: str = "h", **said: Any) -> dict[str, Any]:
    return {"ip": name, "port": 1, "weight": 1.0, "metadata": {"protocol": "tri"}, **said}


class Server:
    """Says what it is told to, in the place of a session."""

    def __init__(self, *hosts: object) -> None:
        self.hosts: object = list(hosts)
        self.asked: list[Mapping[str, Any]] = []

    def ask(self, kind: str, **body: Any) -> Mapping[str, Any]:
        self.asked.append({"kind": kind, **body})
        return {"serviceInfo": {"hosts": self.hosts}}

    @property
    def session(self) -> Session:
        return cast("Session", self)


def service() -> Service[str]:
    return Service("providers:a.B::", SETTINGS, lambda instance: instance.host)


def test_a_list_is_asked_for_and_subscribed_to() -> None:
    """By name, in the group and namespace of the registry."""
    server, one = Server(host()), service()
    one.refresh(server.session, 0)
    assert server.asked == [
        {
            "kind": "SubscribeServiceRequest",
            "namespace": "public",
            "groupName": "DEFAULT_GROUP",
            "serviceName": "providers:a.B::",
            "subscribe": True,
            "clusters": "",
        }
    ]
    assert (one.found, one.is_answered, one.due_at) == (("h",), True, float("inf"))


def test_what_is_told_is_taken_without_asking() -> None:
    """A push has the full list."""
    server, one = Server(host()), service()
    one.refresh(server.session, 0)
    one.hear({"serviceInfo": {"hosts": [host("i")]}})
    one.refresh(server.session, 1)
    assert (one.found, len(server.asked)) == (("i",), 1)


def test_an_emptied_list_is_taken_when_it_is_still_empty_later() -> None:
    """The servers are asked again then, once."""
    server, one = Server(host()), service()
    one.refresh(server.session, 0)
    server.hosts = []
    one.refresh(server.session, 10)
    assert (one.found, one.due_at, one.problem) == (("h",), 15, "")
    one.refresh(server.session, 15)
    assert (one.found, one.due_at) == ((), float("inf"))


def test_an_emptied_list_that_fills_again_was_never_empty() -> None:
    """And the next time the wait begins anew."""
    server, one = Server(host()), service()
    one.refresh(server.session, 0)
    for now, hosts in ((10, []), (14, [host()]), (20, [])):
        server.hosts = hosts
        one.refresh(server.session, now)
    assert (one.found, one.due_at) == (("h",), 25)


def test_a_list_that_is_empty_on_another_connection_is_not_taken() -> None:
    """For however long, until an instance is listed again."""
    server, one = Server(host()), service()
    one.refresh(server.session, 0)
    one.renew()
    server.hosts = []
    for now in (1, 100, 1000):
        one.refresh(server.session, now)
        assert (one.found, one.due_at) == (("h",), now + 5)
    assert "none is listed since the connection was lost" in one.problem
    server.hosts = [host("i")]
    one.refresh(server.session, 2000)
    assert (one.found, one.problem) == (("i",), "")


def test_a_list_of_which_all_are_switched_off_is_taken_at_once() -> None:
    """Somebody did that on purpose, on whatever connection."""
    server, one = Server(host()), service()
    one.refresh(server.session, 0)
    one.renew()
    server.hosts = [host(enabled=False)]
    one.refresh(server.session, 1)
    assert one.found == ()


def test_what_is_found_ill_is_not_offered() -> None:
    """While another is well."""
    server, one = Server(host("h", healthy=False), host("i")), service()
    one.refresh(server.session, 0)
    assert one.found == ("i",)


@pytest.mark.parametrize("hosts", [None, {}, "none", 7])
def test_what_is_no_list_changes_nothing(hosts: object) -> None:
    """It is asked for again later."""
    server, one = Server(host()), service()
    one.refresh(server.session, 0)
    server.hosts = hosts
    one.refresh(server.session, 1)
    assert (one.found, one.problem, one.due_at) == (("h",), "the server said no list of instances", 6)


def test_a_refusal_is_told_and_asked_about_again() -> None:
    """What is known stays."""

    class Refusing(Server):
        def ask(self, kind: str, **body: Any) -> Mapping[str, Any]:
            raise Refused(f"{kind}: no (error 403)", 403)

    one = service()
    one.refresh(Server(host()).session, 0)
    one.refresh(Refusing().session, 1)
    assert one.problem == "the server refuses SubscribeServiceRequest: no (error 403)"
    assert (one.found, one.due_at, one.is_answered) == (("h",), 6, True)


@pytest.mark.parametrize(
    "said",
    [
        "h:1",
        host(ip=7),
        host(port="1"),
        host(port=True),
        host(metadata=[]),
        host(metadata={"protocol": 1}),
        host(weight=-1),
        host(weight="1"),
        host(weight=json.loads("NaN")),
        host(weight=json.loads("1e999")),
        host(metadata={"protocol": "tri", "x": "x" * 65_536}),
        host(metadata={"protocol": "tri", "x": "\x1b[2J"}),
        host(metadata={"protocol": "tri", "weight": "1e30"}),
        host(metadata={}),
        host(ip="no host"),
        host(port=0),
        host(port=70000),
        host(metadata={"protocol": "tri", "weight": "heavy"}),
        host(ip="x" * 100_000, weight="x" * 100_000),
    ],
)
def test_an_instance_that_makes_no_sense_is_an_error_of_bearable_length(said: object) -> None:
    """Whatever a server says."""
    with pytest.raises(ProviderDataError) as caught:
        provider(read_instance(said))
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("own", "factor", "weight"),
    [("", 1.0, 100), ("50", 1.0, 50), ("", 0.25, 25), ("0", 9.0, 0), ("", 0.0, 0), ("", 0.001, 1), ("", 1e9, 10_000)],
)
def test_weights_are_multiplied(own: str, factor: float, weight: int) -> None:
    """In Nacos 1 is what one has of which nothing was said; here it is 100."""
    metadata = {"protocol": "tri", **({"weight": own} if own else {})}
    endpoint = provider(read_instance(host(weight=factor, metadata=metadata)))
    assert endpoint is not None
    assert endpoint.weight == weight


def test_metadata_are_the_parameters_of_the_provider() -> None:
    """Protocol and path among them, as in Dubbo."""
    endpoint = provider(read_instance(host(metadata={"protocol": "DUBBO", "path": "a.B", "timeout": "9"})))
    assert endpoint is not None
    assert (str(endpoint), endpoint.path, endpoint.parameters["timeout"]) == ("dubbo://h:1", "a.B", "9")


@pytest.mark.parametrize("metadata", [{"category": "consumers"}, {"disabled": "true"}, {"enabled": "false"}])
def test_what_is_no_provider_makes_no_endpoint(metadata: dict[str, str]) -> None:
    """Nor does one that says itself that it is switched off."""
    assert provider(read_instance(host(metadata={"protocol": "tri", **metadata}))) is None


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (ServiceKey("a.B"), "providers:a.B::"),
        (ServiceKey("a.B", "g", "1.0"), "providers:a.B:1.0:g"),
        (ServiceKey("a.B", "g"), "providers:a.B::g"),
    ],
)
def test_a_service_has_dubbos_name(key: ServiceKey, name: str) -> None:
    """With the colons of what is empty."""
    assert name_of(key) == name
    assert key_of(name) == key


@pytest.mark.parametrize(
    "name",
    [
        "shop",
        "consumers:a.B::",
        "providers:a.B",
        "providers:::",
        "providers:a:b:c:d",
        "providers:*::",
        "providers:a.B:*:",
        "providers:a.B::g,h",
        "",
    ],
)
def test_other_names_are_of_no_provider(name: str) -> None:
    """Applications stand beside interfaces, and a list of all names may hold anything."""
    assert key_of(name) is None


def test_a_comma_list_means_each_of_its_services() -> None:
    """Groups and versions in every pair; a star needs the list of all services."""
    key = ServiceKey("a.B", "g, h", "1,2")
    assert [str(each) for each in meant_by(key)] == ["g/a.B:1", "g/a.B:2", "h/a.B:1", "h/a.B:2"]
    assert not is_open(key)
    assert is_open(ServiceKey("a.B", "*"))


def test_all_names_are_asked_for_page_by_page_and_again_later() -> None:
    """Nothing tells of a service that is new."""
    told: list[list[str]] = []

    class Pages(Server):
        def ask(self, kind: str, **body: Any) -> Mapping[str, Any]:
            self.asked.append(body)
            return {"serviceNames": ["full"] * 1000 if body["pageNo"] < 3 else ["last", 7]}

    pages, names = Pages(), Names(SETTINGS, told.append)
    names.refresh(pages.session, 0)
    assert [body["pageNo"] for body in pages.asked] == [1, 2, 3]
    assert [len(each) for each in told] == [2001]
    assert names.due_at == 5


def test_a_page_of_names_is_no_longer_than_was_asked_for() -> None:
    """A hundred pages of any length would fill the memory."""
    told: list[list[str]] = []

    class Long(Server):
        def ask(self, kind: str, **body: Any) -> Mapping[str, Any]:
            return {"serviceNames": ["name"] * (5000 if body["pageNo"] == 1 else 1)}

    Names(SETTINGS, told.append).refresh(Long().session, 0)
    assert [len(each) for each in told] == [1001]

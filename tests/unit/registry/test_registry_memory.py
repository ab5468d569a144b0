"""The memory registry: the fake that users test with."""

from collections.abc import Iterator

import pytest

from callahead.config.errors import ConfigError
from callahead.config.policy import RegistryPolicy
from callahead.registry import (
    Endpoint,
    MemoryRegistry,
    ProviderDataError,
    RecordingListener,
    RegistryUnavailable,
    ServiceKey,
    Url,
)
from callahead.registry.memory import MemorySpace
from callahead.registry.url_lists import UrlsKey


@pytest.fixture
def shop() -> Iterator[MemorySpace]:
    with MemoryRegistry.named("unit-shop") as space:
        yield space


@pytest.fixture
def registry() -> Iterator[MemoryRegistry]:
    one = opened()
    yield one
    one.close()


def opened() -> MemoryRegistry:
    return MemoryRegistry(RegistryPolicy(id="main", address="memory://unit-shop"))


def addresses(space: MemorySpace, service: str) -> list[str]:
    return [endpoint.address for endpoint in space.providers(service)]


def test_one_name_is_one_space() -> None:
    """A test and the consumer that it tests meet by name."""
    assert MemoryRegistry.named("unit-shop") is MemoryRegistry.named("unit-shop")
    assert MemoryRegistry.named("unit-shop") is not MemoryRegistry.named("unit-other")


def test_publish_replaces_the_list_of_the_service(shop: MemorySpace) -> None:
    """Texts, URLs and endpoints are all providers; another service is left alone."""
    shop.publish("a.C", ["tri://c:1"])
    shop.publish("a.B", ["tri://h:1"])
    shop.publish("a.B", ["tri://h:2", Url.parse("tri://h:3"), Endpoint(protocol="tri", host="h", port=4)])
    assert addresses(shop, "a.B") == ["h:2", "h:3", "h:4"]
    assert addresses(shop, "a.C") == ["c:1"]


def test_register_adds_or_renews_one_provider(shop: MemorySpace) -> None:
    """One protocol and address stands in the list once."""
    shop.register("a.B", "tri://h:1")
    shop.register("a.B", "tri://h:2")
    shop.register("a.B", "tri://h:1?weight=5")
    assert {endpoint.address: endpoint.weight for endpoint in shop.providers("a.B")} == {"h:1": 5, "h:2": 100}


def test_withdraw_takes_out_one_provider_or_all(shop: MemorySpace) -> None:
    """The address says which; without one the service has no provider left."""
    shop.publish("a.B", ["tri://h:1", "tri://h:2", "tri://h:3"])
    shop.withdraw("a.B", "tri://h:2")
    assert addresses(shop, "a.B") == ["h:1", "h:3"]
    shop.withdraw("a.B")
    assert addresses(shop, "a.B") == []


def test_a_bad_provider_changes_nothing(shop: MemorySpace) -> None:
    """A list is taken whole or not at all."""
    shop.publish("a.B", ["tri://h:1"])
    with pytest.raises(ProviderDataError, match="it has no port"):
        shop.publish("a.B", ["tri://h:2", "tri://h"])
    assert addresses(shop, "a.B") == ["h:1"]


def test_bad_lists_of_urls_change_nothing(shop: MemorySpace) -> None:
    """One that is no URL, and more than a registry may list."""
    key = UrlsKey("a.B", "routers")
    shop.list_urls(*key, ["condition://0.0.0.0/a.B"])
    for bad in (["no url"], ["condition://0.0.0.0/a.B"] * 1001):
        with pytest.raises(ProviderDataError):
            shop.list_urls(*key, bad)
    assert len(shop.urls(key)) == 1


def test_a_switched_off_provider_is_not_seen(shop: MemorySpace) -> None:
    """``disabled=true`` means here what it means in every registry."""
    shop.publish("a.B", ["tri://h:1?disabled=true", "tri://h:2"])
    shop.register("a.B", "tri://h:3?enabled=false")
    assert addresses(shop, "a.B") == ["h:2"]


def test_every_registry_of_the_name_is_told_before_publish_returns(shop: MemorySpace, registry: MemoryRegistry) -> None:
    """A test need not wait for anything."""
    one, two = RecordingListener(), RecordingListener()
    other = opened()
    registry.subscribe(ServiceKey("a.B"), one)
    other.subscribe(ServiceKey("a.B"), two)
    shop.publish("a.B", ["tri://h:1"])
    other.close()
    assert one.addresses == two.addresses == ["h:1"]


def test_closing_a_registry_leaves_the_space(shop: MemorySpace, registry: MemoryRegistry) -> None:
    """The providers belong to the test, the subscriptions to the consumer."""
    registry.subscribe(ServiceKey("a.B"), RecordingListener())
    shop.publish("a.B", ["tri://h:1"])
    assert shop.subscriptions == 1
    registry.close()
    assert shop.subscriptions == 0
    assert addresses(shop, "a.B") == ["h:1"]


def test_during_an_outage_a_subscription_fails_and_the_old_ones_live(
    shop: MemorySpace, registry: MemoryRegistry
) -> None:
    """How a consumer starts and runs without its registry can be tested."""
    heard = RecordingListener()
    registry.subscribe(ServiceKey("a.B"), heard)
    with shop.outage("being moved"):
        with pytest.raises(RegistryUnavailable, match=r"^memory://unit-shop: being moved$"):
            registry.subscribe(ServiceKey("a.C"), RecordingListener())
        shop.publish("a.B", ["tri://h:1"])
    assert heard.addresses == ["h:1"]
    registry.subscribe(ServiceKey("a.C"), RecordingListener())


def test_the_block_empties_the_space_at_its_end() -> None:
    """No test leaves providers to the next."""
    with MemoryRegistry.named("unit-shop") as shop:
        shop.publish("a.B", ["tri://h:1"])
    assert addresses(shop, "a.B") == []


def test_the_reason_of_an_empty_list_names_what_there_is(shop: MemorySpace, registry: MemoryRegistry) -> None:
    """A mistyped interface, group or version is found from the error alone."""
    heard = RecordingListener()
    shop.publish("g/com.FooService:1.0", ["tri://h:1"])
    for asked in ("com.FoService", "com.FooService", "g/com.FooService:1.0"):
        registry.subscribe(ServiceKey.parse(asked), heard)
    assert [one.reason for one in heard.snapshots] == [
        'memory://unit-shop: no provider of com.FoService (did you mean "com.FooService"?)',
        "memory://unit-shop: no provider of com.FooService (but of g/com.FooService:1.0)",
        "memory://unit-shop: 1 provider of g/com.FooService:1.0",
    ]


def test_the_representations_show_the_state(shop: MemorySpace, registry: MemoryRegistry) -> None:
    """A failing test's output says what was published."""
    registry.subscribe(ServiceKey("a.B"), RecordingListener())
    shop.publish("a.B", ["tri://h:1"])
    assert repr(registry) == "<MemoryRegistry <MemorySpace unit-shop: 1 providers, 1 subscriptions>>"


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("memory://", 'address: "memory://" names no space (write it like memory://shop)'),
        ("memory://x?interval=3", 'address: a memory registry has no setting "interval"'),
    ],
)
def test_a_wrong_address_is_a_config_error(address: str, what: str) -> None:
    """With the line that it stands on."""
    policy = RegistryPolicy(id="main", address=address, origins={"address": "conf/x.yml:3"})
    with pytest.raises(ConfigError) as caught:
        MemoryRegistry(policy)
    assert str(caught.value) == f"conf/x.yml:3: registries.main.{what}"


def test_a_provider_says_what_only_its_service_says() -> None:
    """Who asks for any group learns which one to name in a call; what the provider itself says stays."""
    with MemoryRegistry.named("told") as space:
        space.publish("blue/a.Foo:2.0", ["dubbo://h:1", "dubbo://h:2?group=own"])

        said = [dict(endpoint.parameters) for endpoint in space.providers("*/a.Foo:*")]

    assert [{"group": "blue", "version": "2.0"}, {"group": "own", "version": "2.0"}] == said

"""Reading the address of a zookeeper registry, with no server in sight."""

import subprocess
import sys

import pytest

from callahead.config.errors import ConfigError
from callahead.config.policy import RegistryPolicy, SslPolicy
from callahead.registry import open_registry
from callahead.registry.zookeeper.settings import Settings


def policy(address: str, **parameters: str) -> RegistryPolicy:
    return RegistryPolicy(id="main", address=address, parameters=parameters, origins={"address": "conf/x.yml:3"})


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("zookeeper://h", "zookeeper://h:2181/dubbo"),
        ("zookeeper://h:1?backup=i:2,j", "zookeeper://h:1,i:2,j:2181/dubbo"),
        ("zookeeper://h:1,i:2/estate/shop?group=live", "zookeeper://h:1,i:2/estate/shop/live"),
        ("zookeeper://[::1]:1?group=/", "zookeeper://[::1]:1"),
        ("zookeeper://me:p%40w@h:1", "zookeeper://h:1/dubbo"),
    ],
)
def test_an_address_names_servers_and_a_root(address: str, shown: str) -> None:
    """What is shown of it has no secret."""
    assert Settings.of(policy(address)).address == shown


def test_name_and_password_stand_in_the_address_or_in_parameters() -> None:
    """Parameters win; neither is in the repr."""
    written = Settings.of(policy("zookeeper://me:p%40w@h:1"))
    assert (written.username, written.password) == ("me", "p@w")
    assert Settings.of(policy("zookeeper://me:x@h:1", password="other")).password == "other"
    assert "p@w" not in repr(written)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("zookeeper://", 'address: "zookeeper://" names no server'),
        ("zookeeper://h:0", 'address: "zookeeper://h:0": its port is not a number in 1..65535'),
        ("zookeeper://h?backup=a b", 'address: "zookeeper://a b": its host holds a character that no host has'),
        ("zookeeper://h?register=maybe", 'address: register "maybe" is neither true nor false'),
        ("zookeeper://h?session=soon", "address: session "),
        ("zookeeper://h?ssl=true", 'address: a zookeeper registry has no setting "ssl"'),
        ("zookeeper://h?gruop=x", 'address: a zookeeper registry has no setting "gruop" (did you mean "group"?)'),
    ],
)
def test_what_cannot_be_meant_is_an_error_with_its_line(address: str, problem: str) -> None:
    """When the registry is made, before anything is connected to."""
    with pytest.raises(ConfigError) as caught:
        open_registry(policy(address))
    assert str(caught.value).startswith(f"conf/x.yml:3: registries.main.{problem}")


@pytest.mark.parametrize("address", ["memory://shop", "file:providers.yml"])
def test_a_registry_without_servers_has_no_tls(address: str) -> None:
    """At the line of ``ssl``, which alone would be accepted and ignored."""
    origins = {"address": "conf/x.yml:3", "ssl": "conf/x.yml:4"}
    with pytest.raises(ConfigError) as caught:
        open_registry(RegistryPolicy(id="main", address=address, ssl=SslPolicy(), origins=origins))
    assert str(caught.value).startswith("conf/x.yml:4: registries.main.ssl: a ")
    assert str(caught.value).endswith(' registry has no setting "ssl" (remove it)')


def test_without_kazoo_the_error_says_what_to_install() -> None:
    """The extra of our own distribution."""
    program = (
        "import sys; sys.modules['kazoo'] = None\n"
        "from callahead.config.policy import RegistryPolicy\n"
        "from callahead.registry import open_registry\n"
        "try: open_registry(RegistryPolicy(id='main', address='zookeeper://h:1'))\n"
        "except ValueError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert run.stdout.rstrip().endswith('(pip install "callahead[zookeeper]")')

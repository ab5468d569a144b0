"""Reading the address of a nacos registry, with no server in sight."""

import subprocess
import sys

import pytest

from callahead.config.errors import ConfigError
from callahead.config.policy import RegistryPolicy
from callahead.registry import open_registry
from callahead.registry.nacos.settings import Server, Settings


def policy(address: str, **parameters: str) -> RegistryPolicy:
    return RegistryPolicy(id="main", address=address, parameters=parameters, origins={"address": "conf/x.yml:3"})


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("nacos://h", "nacos://h:8848/public/DEFAULT_GROUP"),
        ("nacos://h:1?backup=i:2,j", "nacos://h:1,i:2,j:8848/public/DEFAULT_GROUP"),
        ("nacos://h:1,i:2?namespace=live&group=shop", "nacos://h:1,i:2/live/shop"),
        ("nacos://[::1]:1?namespace=public&group=", "nacos://[::1]:1/public/DEFAULT_GROUP"),
        ("nacos://me:p%40w@h:1", "nacos://h:1/public/DEFAULT_GROUP"),
    ],
)
def test_an_address_names_servers_namespace_and_group(address: str, shown: str) -> None:
    """What is shown of it has no secret."""
    assert Settings.of(policy(address)).address == shown


def test_the_public_namespace_has_a_name_for_services_only() -> None:
    """Texts of it are asked for without."""
    settings = Settings.of(policy("nacos://h?namespace=public"))
    assert (settings.naming_namespace, settings.namespace) == ("public", "")


def test_grpc_is_a_thousand_ports_above_http() -> None:
    """By the rule of Nacos, for an IPv6 host too."""
    assert Server("::1", 8848).grpc_target == "[::1]:9848"


def test_name_and_password_stand_in_the_address_or_in_parameters() -> None:
    """Parameters win; neither is in the repr."""
    written = Settings.of(policy("nacos://me:p%40w@h:1"))
    assert (written.username, written.password) == ("me", "p@w")
    assert Settings.of(policy("nacos://me:x@h:1", password="other")).password == "other"
    assert "p@w" not in repr(written)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("nacos://", 'address: "nacos://" names no server'),
        ("nacos://h:0", 'address: "nacos://h:0": its port is not a number in 1..65535'),
        ("nacos://h:65000", 'address: "h:65000": gRPC has the port 1000 above that of HTTP, which would be 66000'),
        ("nacos://h?backup=a b", 'address: "nacos://a b": its host holds a character that no host has'),
        ("nacos://h?settle=soon", "address: settle "),
        ("nacos://h?gruop=x", 'address: a nacos registry has no setting "gruop" (did you mean "group"?)'),
    ],
)
def test_what_cannot_be_meant_is_an_error_with_its_line(address: str, problem: str) -> None:
    """When the registry is made, before anything is connected to."""
    with pytest.raises(ConfigError) as caught:
        open_registry(policy(address))
    assert str(caught.value).startswith(f"conf/x.yml:3: registries.main.{problem}")


def test_without_grpcio_the_error_says_what_to_install() -> None:
    """The extra of our own distribution."""
    program = (
        "import sys; sys.modules['grpc'] = None\n"
        "from callahead.config.policy import RegistryPolicy\n"
        "from callahead.registry import open_registry\n"
        "try: open_registry(RegistryPolicy(id='main', address='nacos://h:1'))\n"
        "except ValueError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert run.stdout.rstrip().endswith('(pip install "callahead[nacos]")')

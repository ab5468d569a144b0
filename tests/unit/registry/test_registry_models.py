"""Service keys, endpoints and the facade."""

import subprocess
import sys

import pytest

import callahead.registry
from callahead.registry import Endpoint, ServiceKey
from callahead.registry.models import unique


@pytest.mark.parametrize("text", ["a.B", "g/a.B", "a.B:1.0", "g/a.B:1.0"])
def test_a_service_key_is_read_back_from_its_text(text: str) -> None:
    """Parse and str are each other's inverse."""
    assert str(ServiceKey.parse(text)) == text


def test_the_address_of_an_ipv6_endpoint_has_brackets() -> None:
    """Host and port stay apart."""
    assert str(Endpoint(protocol="tri", host="::1", port=5)) == "tri://[::1]:5"


def test_of_equal_addresses_the_first_endpoint_is_kept() -> None:
    """Protocol and address make an endpoint, whatever its weight."""
    first = Endpoint(protocol="tri", host="h", port=1, weight=1)
    again = Endpoint(protocol="tri", host="h", port=1, weight=2)
    other = Endpoint(protocol="dubbo", host="h", port=1)
    assert unique([first, again, other]) == (first, other)


def test_every_public_name_is_there_and_sorted() -> None:
    """The facade keeps what ``__all__`` promises."""
    names = callahead.registry.__all__
    assert names == sorted(names)
    assert all(getattr(callahead.registry, name) is not None for name in names)
    assert dir(callahead.registry) == names


def test_an_unknown_name_is_an_attribute_error() -> None:
    """The lazy facade behaves as any module."""
    with pytest.raises(AttributeError, match="no attribute 'Zookeeper'"):
        callahead.registry.Zookeeper  # noqa: B018


def test_importing_the_facade_imports_none_of_its_modules() -> None:
    """YAML, and our own modules, wait for their first use."""
    code = (
        "import sys, callahead.registry; print([m for m in sys.modules if m == 'yaml' or 'callahead.registry.' in m])"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout == "[]\n"

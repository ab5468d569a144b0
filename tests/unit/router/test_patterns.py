"""How rules compare values and addresses."""

from __future__ import annotations

import pytest

from callahead.config.values.quantity import Unfit
from callahead.consumer.router.pattern import AddressPattern, check_pattern, fits


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("find", "find", True),
        ("find", "findAll", False),
        ("find*", "findAll", True),
        ("*All", "findAll", True),
        ("f*All", "findAll", True),
        ("f*one", "findAll", False),
        ("*", "", True),
        ("", "", True),
        ("a*", "", False),
        ("a*b*c", "a*bxc", True),  # only the last star counts
        ("a*b*c", "axbxc", False),
        ("10~20", "10", True),
        ("10~20", "21", False),
        ("~20", "3", True),
        ("10~", "9", False),
        ("10~", "11", True),
        ("0~5", "no number", True),  # which Dubbo takes for 0
        ("$host", "10.1.1.1", True),
        ("$host", "10.1.1.2", False),
        ("$unknown", "x", False),
        ("$unknown", "", True),
    ],
)
def test_a_value_is_compared_as_dubbo_does(pattern: str, value: str, expected: bool) -> None:
    """Globs, ranges of numbers, and values of the caller."""
    assert fits(pattern, value, {"host": "10.1.1.1"}) is expected


def test_a_dollar_is_itself_where_there_is_no_caller() -> None:
    """Before => nothing is referred to."""
    assert fits("$host", "$host")
    assert not fits("$host", "10.1.1.1")


@pytest.mark.parametrize("pattern", ["~", "a~b", "1~2~3", "1~b"])
def test_a_range_that_is_none_is_refused(pattern: str) -> None:
    """Rather than being true or false whatever the value is."""
    with pytest.raises(Unfit, match="is no range"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    ("written", "host", "port", "expected"),
    [
        ("*", "any", 1, True),
        ("*.*.*.*", "10.0.0.1", 1, True),
        ("10.0.0.1", "10.0.0.1", 7, True),
        ("10.0.0.1:7", "10.0.0.1", 7, True),
        ("10.0.0.1:7", "10.0.0.1", 8, False),
        ("10.0.0.*", "10.0.0.200", 7, True),
        ("10.0.0.*", "10.0.1.200", 7, False),
        ("10.0.0.*:7", "10.0.0.200", 8, False),
        ("10.0.0.1-5", "10.0.0.5", 7, True),
        ("10.0.0.1-5", "10.0.0.6", 7, False),
        ("10.0.0.0/8", "10.200.0.6", 7, True),
        ("10.0.0.0/8", "11.0.0.6", 7, False),
        ("10.0.0.9/8", "10.200.0.6", 7, True),
        ("0.0.0.0:7", "10.0.0.1", 7, True),
        ("0.0.0.0:7", "10.0.0.1", 8, False),
        ("0.0.0.0", "10.0.0.1", 7, False),
        ("127.0.0.1", "127.0.0.1", 7, True),  # Java cannot
        ("shop-1.internal", "shop-1.internal", 7, True),
        ("shop-1.internal:7", "shop-1.internal", 7, True),
        ("10.0.0.1", "shop-1.internal", 7, False),
        ("[::1]:7", "::1", 7, True),
        ("[::1]", "0:0:0:0:0:0:0:1", 7, True),
        ("234e:0:4567:0:0:0:3d:*", "234e:0:4567::3d:ff", 7, True),
        ("234e:0:4567:0:0:0:3d:0-f", "234e:0:4567::3d:ff", 7, False),
        ("fe80::/10", "fe80::1", 7, True),
        ("fe80::/10", "10.0.0.1", 7, False),
    ],
)
def test_an_address_is_compared_as_dubbo_does(written: str, host: str, port: int, expected: bool) -> None:
    """Addresses, masks, ranges, networks and names, with and without a port."""
    assert AddressPattern.parse(written).matches(host, port) is expected


@pytest.mark.parametrize(
    "written", ["", "10.0.0", "10.0.0.1:0", "10.0.0.1:x", "10.0.0.0/99", "10.0.0.x", "[::1", "a b"]
)
def test_an_address_that_is_none_is_refused(written: str) -> None:
    """When the rule is read, not at each call."""
    with pytest.raises(Unfit):
        AddressPattern.parse(written)

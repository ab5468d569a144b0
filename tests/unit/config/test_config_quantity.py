"""Durations, sizes, counts and flags."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callahead.config.values.quantity import (
    LARGEST_BYTES,
    LONGEST_MS,
    Substituted,
    Unfit,
    count,
    duration_ms,
    flag,
    show,
    size_bytes,
)

MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
BYTES = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
SIZE = size_bytes(1, LARGEST_BYTES)


@given(st.integers(1, LONGEST_MS))
def test_a_bare_number_is_milliseconds(number: int) -> None:
    """Dubbo's unit needs no letter."""
    assert duration_ms(1)(number) == number


@given(st.sampled_from(sorted(MS)), st.integers(1, 500), st.sampled_from(["", " "]))
def test_a_duration_is_its_number_times_its_unit(unit: str, number: int, space: str) -> None:
    """Each unit multiplies exactly."""
    assert duration_ms(1)(f"{number}{space}{unit}") == number * MS[unit]


@given(st.integers(0, LONGEST_MS // 1000))
def test_fractions_of_a_second_are_exact(thousandths: int) -> None:
    """1.001s is 1001 ms, without the error of a binary float."""
    assert duration_ms(0)(f"{thousandths / 1000:.3f}s") == thousandths


@given(st.sampled_from(sorted(BYTES)), st.integers(1, 1))
def test_a_size_is_its_number_times_its_unit(unit: str, number: int) -> None:
    """KB counts by thousands, KiB by 1024; capitals do not matter."""
    assert SIZE(f"{number}{unit}") == SIZE(f"{number}{unit.lower()}") == BYTES[unit]


@given(st.integers(1, LARGEST_BYTES))
def test_a_bare_number_is_bytes(number: int) -> None:
    """A size without a unit is taken as it is."""
    assert SIZE(number) == number


_ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()) | st.binary()


@given(_ANYTHING)
def test_a_conversion_gives_a_value_in_range_or_is_unfit(value: object) -> None:
    """No other exception comes out of any value."""
    for convert, most in (
        (duration_ms(0), LONGEST_MS),
        (SIZE, LARGEST_BYTES),
        (size_bytes(1, 9), 9),
        (count(0, 7), 7),
        (flag, True),
    ):
        with suppress(Unfit):
            assert 0 <= convert(value) <= most


@pytest.mark.parametrize("convert", [duration_ms(0), SIZE, count(0, 7)])
def test_true_is_not_the_number_one(convert: object) -> None:
    """A bool is refused where a number is meant, although Python would take it."""
    with pytest.raises(Unfit, match="not true"):
        convert(True)  # type: ignore[operator]


def test_a_number_too_long_to_print_is_named_by_its_length() -> None:
    """A message never meets Python's limit on printing integers."""
    assert show(10**5000) == "a number of more than 20 digits"


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "nothing"), (False, "false"), (1.5, "1.5"), (b"x", "a value of type bytes")]
)
def test_a_value_is_named_as_yaml_spells_it(value: object, shown: str) -> None:
    """What a message quotes is what the user wrote."""
    assert show(value) == shown


def test_a_long_text_is_cut_in_a_message() -> None:
    """A message stays on one line."""
    assert show("x" * 100) == f'"{"x" * 57}..."'


def test_text_of_a_whole_placeholder_is_read_with_its_yaml_type() -> None:
    """What came from the environment is text for a text, and a number for a number."""
    value = Substituted("7")
    value.typed = 7
    assert (count(0, 7)(value), str(value)) == (7, "7")

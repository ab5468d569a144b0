"""The soak tells growth from noise."""

from __future__ import annotations

from ledger.soak import Trend


def trend(memory_mib: list[float], threads: list[int] | None = None, descriptors: list[int] | None = None) -> Trend:
    """One look in ten minutes."""
    steady = [3] * len(memory_mib)
    at_s = [600.0 * number for number in range(len(memory_mib))]
    return Trend(at_s, memory_mib, threads or steady, descriptors or steady)


def test_a_slope_is_found() -> None:
    """Memory that grows with every look is said to, by the hour."""
    growing = trend([50 + 5 * number for number in range(20)])
    assert round(growing.mib_per_hour, 6) == 30.0
    assert growing.faults() == ["memory grows by 30.0 MiB an hour"]


def test_what_goes_up_and_down_is_no_slope() -> None:
    """Nor is what an allocator keeps in less than half an hour."""
    assert trend([50.0, 58.0, 50.0, 58.0, 57.0, 51.0, 50.0]).faults() == []
    assert trend([50.0, 51.0, 52.0]).faults() == []


def test_threads_and_descriptors_that_stay_are_found() -> None:
    """Where there are always more of them in the second half of the time than in the first."""
    found = trend([50.0] * 6, threads=[3, 4, 3, 5, 6, 7], descriptors=[9, 12, 9, 12, 9, 12]).faults()
    assert found == ["threads grow: [3, 4, 3, 5, 6, 7]"]


def test_what_is_loaded_at_first_does_not_count() -> None:
    """The first half of the time is left out."""
    settled = trend([20.0, 35.0, 50.0, 50.0, 50.0, 50.0]).settled()
    assert settled.memory_mib == [50.0, 50.0, 50.0]
    assert settled.faults() == []

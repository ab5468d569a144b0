"""Which files of tests begin first, so that no worker ends minutes after the others."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["LONGEST", "TESTS", "rank"]

TESTS: Final = Path(__file__).parents[1]

LONGEST: Final = (
    "interop/test_faults.py",  # builds the Java side, for which the others of its folder wait
    "integration/test_exit.py",
    "integration/test_tri_processes.py",
    "estate/test_java_faults.py",
    "integration/test_benchmarks_run.py",
    "integration/test_registry_sizes.py",
    "interop/test_rules.py",
    "interop/test_nacos.py",
    "estate/test_java_restarts.py",
    "interop/test_zookeeper_applications.py",
    "estate/test_providers_die.py",
    "integration/test_nacos.py",
    "integration/test_zookeeper_servers.py",
    "interop/test_java_providers_start.py",
    "interop/test_rules_by_address.py",
    "interop/test_rules_mesh.py",
    "interop/connectconformance/test_connectconformance.py",
    "integration/test_registry_dies.py",
    "integration/test_tri_parallel.py",
    "interop/testservice/test_unfinished.py",
    "integration/test_tri_traced.py",
    "interop/test_rules_urls.py",
    "contract/test_registry_contract.py",
    "integration/test_zookeeper.py",
)
"""The files that take longest, below the folder of the tests: the longest first, but no two estates side by side."""

_RANKS: Final = {TESTS / name: number for number, name in enumerate(LONGEST)}


def rank(path: Path) -> int:
    """Tell where a file stands among those that begin first; all others are behind them and equal."""
    return _RANKS.get(path, len(LONGEST))

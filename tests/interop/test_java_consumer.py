"""The Java consumer is a peer of the benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def test_both_consumers_are_measured_on_one_java_provider(java: None) -> None:
    """Each has its calls/s and its processor time, one at a time and with many in flight."""
    command = [sys.executable, "-m", "benchmarks", "java", "--calls", "200", "--in-flight", "10", "--rounds", "1"]
    done = subprocess.run([*command, "--json"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=120)
    parts = json.loads(done.stdout)["parts"]

    assert list(parts) == ["one at a time", "10 in flight"]
    for rows in parts.values():
        assert [row["variant"] for row in rows] == ["callahead dubbo", "Java Dubbo consumer"]
        assert all(row["calls_per_s"] > 0 and row["cpu_us_per_call"] > 0 for row in rows)

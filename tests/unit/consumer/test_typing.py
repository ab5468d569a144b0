"""The public interface as a type checker sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_mypy_agrees_with_the_declared_types() -> None:
    """tests/typing/api.py passes mypy --strict, its expected errors included."""
    pytest.importorskip("mypy")
    config = ROOT / "setup.cfg"
    command = [sys.executable, "-m", "mypy", "--config-file", str(config), "tests/typing/api.py"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    said = [line for line in run.stdout.splitlines() if line.startswith("tests/typing/")]
    assert said == [], run.stdout
    assert run.returncode in (0, 1), run.stderr

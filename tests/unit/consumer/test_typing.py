"""The public interface as a type checker sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.source
def test_mypy_agrees_with_the_declared_types(tmp_path: Path) -> None:
    """tests/typing/api.py passes mypy --strict, its expected errors included."""
    (tmp_path / "callahead").mkdir()
    for part in ("config", "registry", "consumer", "conf", "package/__init__.py"):  # mypy does not see package_dir
        (tmp_path / "callahead" / Path(part).name).symlink_to(ROOT / part)
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "setup.cfg"), "tests/typing/api.py"]
    environment = {**os.environ, "MYPYPATH": str(tmp_path)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    said = [line for line in run.stdout.splitlines() if line.startswith("tests/typing/")]
    assert said == [], run.stdout
    assert run.returncode in (0, 1), run.stderr

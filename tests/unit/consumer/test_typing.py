"""The public interface as type checkers see it: the files in tests/typing, their expected errors included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SEEN = sorted((ROOT / "tests" / "typing").glob("*.py"))
pytestmark = [pytest.mark.slow, pytest.mark.source]


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder that has the package as an installation has it; no type checker sees package_dir."""
    (tmp_path / "callahead").mkdir()
    for part in ("config", "registry", "consumer", "conf", "package/__init__.py", "package/py.typed"):
        (tmp_path / "callahead" / Path(part).name).symlink_to(ROOT / part)
    return tmp_path


def test_mypy_agrees_with_the_declared_types(packages: Path) -> None:
    """They pass mypy --strict."""
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "setup.cfg"), *map(str, SEEN)]
    environment = {**os.environ, "MYPYPATH": str(packages)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    said = [line for line in run.stdout.splitlines() if line.startswith("tests/typing/")]
    assert said == [], run.stdout
    assert run.returncode in (0, 1), run.stderr


@pytest.mark.long
def test_pyright_agrees_with_the_declared_types(packages: Path) -> None:
    """They pass pyright in its strict mode, and each error that mypy is told to expect is one of pyright's, too."""
    (packages / "seen").symlink_to(ROOT / "tests" / "typing")
    settings = {
        "include": ["seen"],
        "extraPaths": [str(packages)],
        "typeCheckingMode": "strict",
        "reportUnnecessaryTypeIgnoreComment": True,
    }
    (packages / "pyrightconfig.json").write_text(json.dumps(settings))
    said = _pyright(packages)
    assert [(one["file"], one["range"]["start"]["line"], one["message"]) for one in said["generalDiagnostics"]] == []
    assert said["summary"]["filesAnalyzed"] == len(SEEN)


def _pyright(folder: Path) -> Any:
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "--project", "."]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    return json.loads(run.stdout)

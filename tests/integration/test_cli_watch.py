"""``callahead providers --watch`` as people and programs use it: a line for each change, until Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

FOO = "com.alibaba.foo.FooService"
CONFIG = f"""
registries: {{main: {{address: "file:providers.yml"}}}}
references: {{foo: {{interface: {FOO}, module: callahead.conf.foo_pb2, registry: main}}}}
"""
LISTED = f"{FOO}: ['tri://10.0.0.1:1?application=shop', 'tri://10.0.0.2:1?application=shop']\n"
RULE = f"rules: {{'{FOO}::.condition-router': {{conditions: ['=> host=10.0.0.2']}}, RULE}}"
BAD = "'shop.tag-router': {tags: 1}"


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A watch, in the folder of its configuration."""
    (tmp_path / "consumer.yml").write_text(CONFIG)
    (tmp_path / "providers.yml").write_text(LISTED)
    command = [sys.executable, "-m", "callahead", "providers", "consumer.yml", "foo", "--watch", "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True) as process:
        yield process
        process.kill()


def seen(watching: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for the next line."""
    assert watching.stdout is not None
    found: dict[str, Any] = json.loads(watching.stdout.readline())
    return found


def change(folder: Path, text: str) -> None:
    """Replace the list at once, as the manual says."""
    (folder / "new").write_text(text)
    os.replace(folder / "new", folder / "providers.yml")


def dropped(found: dict[str, Any]) -> list[str]:
    return [one["dropped_by"] for one in found["providers"]]


def test_each_change_is_a_line_until_ctrl_c(watching: subprocess.Popen[str], tmp_path: Path) -> None:
    """What is wrong with a rule is said once, and the end is no failure."""
    assert dropped(seen(watching)) == ["", ""]
    change(tmp_path, LISTED + RULE.replace("RULE", BAD))
    by_condition = [f"condition => host=10.0.0.2 ({FOO}::.condition-router)", ""]
    found = seen(watching)
    while dropped(found) != by_condition or not found["problems"]:  # two keys of one file may be two changes
        found = seen(watching)
    change(tmp_path, LISTED.replace("10.0.0.1", "10.0.0.3") + RULE.replace("RULE", BAD))
    assert seen(watching)["providers"][1]["provider"] == "tri://10.0.0.3:1"
    watching.send_signal(signal.SIGINT)
    _, errors = watching.communicate(timeout=30)
    assert watching.returncode == 0
    said = "registry main: rule shop.tag-router: it cannot be understood, so none is obeyed"
    assert errors.splitlines() == [f"{said}: shop.tag-router:1: tags: must be a list, not a number"]

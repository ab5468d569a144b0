"""Large configurations load in a time that grows with their size, and no faster."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from support.work import calls_in

from callahead.config import ConfigError, load_file

HEAD = "references:\n  foo: {interface: a.B, url: 'tri://h:1'}\n"
FOO = "references:\n  foo:\n    interface: a.B\n    url: tri://h:1\n"
SHAPES: dict[str, Callable[[int], str]] = {
    "parameters": lambda n: FOO + "    parameters:\n" + "".join(f"      k{i}: v\n" for i in range(n)),
    "one line": lambda n: FOO + "    parameters: {" + ", ".join(f"k{i}: v" for i in range(n)) + "}\n",
    "methods": lambda n: FOO + "    methods:\n" + "".join(f"      m{i}: {{timeout: 5}}\n" for i in range(n)),
    "listed methods": lambda n: FOO + "    methods:\n" + "".join(f"      - {{name: m{i}}}\n" for i in range(n)),
    "references": lambda n: HEAD + "".join(f"  r{i}: {{interface: a.B, url: 'tri://h:1'}}\n" for i in range(n)),
    "registries": lambda n: (
        HEAD + "registries:\n" + "".join(f"  r{i}: {{address: 'memory://{i}'}}\n" for i in range(n))
    ),
    "addresses": lambda n: FOO.replace("tri://h:1", ";".join(f"tri://h{i}:1" for i in range(n))),
    "merged": lambda n: "x-a: &a {timeout: 5}\n" + HEAD + "".join(f"  r{i}: {{<<: *a}}\n" for i in range(n)),
    "placeholders": lambda n: FOO + "    parameters:\n" + "".join(f"      k{i}: '${{X:1}}'\n" for i in range(n)),
    "twice": lambda n: FOO + "    parameters:\n" + "      k: v\n" * n,
    "unknown": lambda n: FOO + "".join(f"    unknown{i}: v\n" for i in range(n)),
}


def work(text: str, path: Path) -> int:
    """Load *text* and count the functions that are entered, which no busy machine changes."""
    path.write_text(text, encoding="utf-8")

    def load() -> None:
        with contextlib.suppress(ConfigError):
            load_file(str(path))

    return calls_in(load)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_work_grows_with_the_size(shape: str, tmp_path: Path) -> None:
    """Four times as many keys are four times the work, right or wrong."""
    path = tmp_path / "large.yml"
    make = SHAPES[shape]
    work(make(1), path)  # what is made once for all
    few, many = work(make(100), path), work(make(400), path)
    assert many < 4.1 * few

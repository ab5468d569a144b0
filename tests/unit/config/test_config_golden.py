"""Each ``tests/golden/*.yml`` gives exactly the text beside it: errors of a bad file, settings of a good one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from callahead.config import ConfigError, ConsumerConfig, load_file
from callahead.config.explain import explain

GOLDEN = Path(__file__).parents[2] / "golden"


def cases(kind: str) -> list[str]:
    return sorted(path.stem for path in GOLDEN.glob(f"{kind}_*.yml"))


def settings_of(config: ConsumerConfig) -> Iterator[str]:
    """Write every setting that is not built-in, one a line."""
    threads = config.callback_executor.threads
    yield f"application {config.application!r} {config.shutdown_timeout_ms} ms, {threads} threads"
    for registry in config.registries.values():
        more = "".join(f" {name} {value}" for name in ("file", "ssl") if (value := getattr(registry, name)))
        yield f"registry {registry.id}: {registry.address} {dict(registry.parameters)}{more}"
    for reference in config.references.values():
        for method in (None, *reference.methods):
            yield f"{reference.id}.{method or '*'}"
            for setting in explain(reference, method):
                if setting.origin not in ("", "built-in"):
                    yield f"  {setting.key} = {setting.value!r} {setting.unit}".rstrip() + f"  [{setting.origin}]"


@pytest.fixture(autouse=True)
def _folder_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)
    monkeypatch.setenv("CALLAHEAD_TIMEOUT", "250")
    monkeypatch.setenv("CALLAHEAD_GROUP", "007")
    for name in ("CALLAHEAD_UNSET", "CALLAHEAD_NOT_SET", "CALLAHEAD_PORT", "CALLAHEAD_T"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("case", cases("bad"))
def test_a_bad_file_is_refused_with_every_problem_in_it(case: str) -> None:
    """All problems come at once, by line, in the exact words of the golden text."""
    with pytest.raises(ConfigError) as caught:
        load_file(f"{case}.yml")
    assert str(caught.value) == (GOLDEN / f"{case}.txt").read_text(encoding="utf-8").rstrip("\n")


@pytest.mark.parametrize("case", cases("good"))
def test_a_good_file_gives_these_settings_from_these_lines(case: str) -> None:
    """Every value that the file sets survives, with the line that it came from."""
    text = "\n".join(settings_of(load_file(f"{case}.yml")))
    assert text == (GOLDEN / f"{case}.txt").read_text(encoding="utf-8").rstrip("\n")


def test_there_is_a_golden_text_for_each_file_and_none_besides() -> None:
    """No golden text is left without its file."""
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == cases("bad") + cases("good")

"""Reading files and text: what PyYAML and the operating system raise never gets through."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from callahead.config import ConfigError, load_file, load_text
from callahead.config.read.loader import MAX_BYTES, parse
from callahead.config.read.place import DEEPEST, MOST_VALUES
from callahead.config.read.report import Report

GOOD = "references: {foo: {interface: a.Foo, url: 'tri://127.0.0.1:50051'}}\n"


def message_of(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    return str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is a ConfigError with its path as given."""
    path = tmp_path / "no.yml"
    with pytest.raises(ConfigError) as caught:
        load_file(path)
    assert str(caught.value) == f"{path}: the file does not exist"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """A folder in place of the file says so."""
    with pytest.raises(ConfigError) as caught:
        load_file(tmp_path)
    assert str(caught.value) == f"{tmp_path}: is a folder, not a file"


def test_a_path_that_the_system_refuses_is_an_error_of_ours() -> None:
    """A NUL in the path is no ValueError from below."""
    with pytest.raises(ConfigError) as caught:
        load_file("a\0b")
    assert str(caught.value) == "a\0b: is not the path of a file"


def test_a_path_below_a_file_gives_the_systems_reason(tmp_path: Path) -> None:
    """An OSError is passed on in words."""
    path = tmp_path / "x.yml"
    path.touch()
    with pytest.raises(ConfigError) as caught:
        load_file(path / "y.yml")
    assert str(caught.value) == f"{path / 'y.yml'}: the file cannot be read: Not a directory"


def test_bytes_that_are_not_utf8_are_found_by_line(tmp_path: Path) -> None:
    """The first bad byte is given with its line and offset."""
    path = tmp_path / "latin.yml"
    path.write_bytes(b"consumer:\n  group: caf\xe9\n")
    with pytest.raises(ConfigError) as caught:
        load_file(path)
    assert str(caught.value) == f"{path}:2: is not UTF-8: byte 0xe9 at offset 22 (save the file as UTF-8)"


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    """A file saved with a byte order mark loads."""
    path = tmp_path / "bom.yml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert list(load_file(path).references) == ["foo"]


def test_a_file_too_large_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    """The size is bounded, so that an endless device cannot fill the memory."""
    path = tmp_path / "large.yml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError) as caught:
        load_file(path)
    assert str(caught.value) == f"{path}: is larger than 4194304 bytes"


def test_a_control_character_is_named_with_its_line() -> None:
    """What YAML does not allow in a text is a clear error."""
    assert message_of("consumer:\n  group: a\x07b\n") == "<text>:2: not YAML: character U+0007 is not allowed"


def test_nesting_past_the_limit_is_refused() -> None:
    """A deep file is an error, not a RecursionError."""
    deep = "consumer: " + "{a: " * (DEEPEST + 1) + "1" + "}" * (DEEPEST + 1)
    assert message_of(deep).endswith(f"is nested deeper than {DEEPEST} levels")


def test_nesting_past_the_interpreters_stack_is_refused() -> None:
    """Nesting that the YAML parser itself cannot follow is the same kind of error."""
    assert message_of("[" * 600) == "<text>: is nested too deeply"


def test_aliases_of_aliases_cannot_ask_for_endless_work() -> None:
    """The billion laughs stop at a fixed number of values."""
    laughs = "x: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    laughs += "".join(f"x{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    assert f"holds more than {MOST_VALUES} values" in message_of(laughs)


def test_numbers_in_escapes_that_the_parser_does_not_check_are_errors_of_ours() -> None:
    """An escape beyond Unicode is a ConfigError."""
    assert message_of('consumer: {group: "\\UFFFFFFFF"}').startswith("<text>: not YAML: ")


def test_every_key_knows_its_line() -> None:
    """The tree keeps the line of each key and of each item of a list."""
    tree = parse("a:\n  b: 1\n  c:\n  - x\n  - y\n", Report("f"))
    lines = [tree.find(path).line for path in (["a"], ["a", "b"], ["a", "c"], ["a", "c", 1])]
    assert lines == [1, 2, 3, 5]


def test_method_names_are_not_respelt() -> None:
    """FindFoo and find_foo are two methods: under methods keys are the user's own."""
    text = "references: {fooBar: {interface: a.F, url: 'tri://h:1', methods: {findFoo: {}, find_foo: {}, on: {}}}}"
    reference = load_text(text).references["fooBar"]
    assert list(reference.methods) == ["findFoo", "find_foo", "on"]


def test_a_method_may_be_called_like_a_group_of_settings() -> None:
    """A key that is wrong in it is held against those of methods."""
    text = (
        "references: {foo: {interface: a.Foo, url: 'tri://h:1', methods: {batch: {asynk: true}, ssl: {sents: true}}}}"
    )
    message = message_of(text)
    assert 'asynk: unknown key (did you mean "async"?)' in message
    assert 'sents: unknown key (did you mean "sent"?)' in message


def test_parameter_keys_are_not_respelt() -> None:
    """Keys under parameters travel as written, and so do their values."""
    text = "references: {f: {interface: a.F, url: 'tri://h:1', parameters: {traceId: 010, x-y: 1_000, No: no}}}"
    attachments = load_text(text).references["f"].default.attachments
    assert dict(attachments) == {"traceId": "010", "x-y": "1_000", "No": "no"}


def test_root_keys_for_anchors_are_skipped() -> None:
    """What begins with x- at the root is not read, whatever it holds."""
    assert list(load_text("x-any: ['${NO_SUCH_VARIABLE}', {deep: !odd 1}]\n" + GOOD).references) == ["foo"]


def problems_of(text: str) -> int | None:
    """Count the problems of *text*; None for a configuration."""
    try:
        load_text(text)
    except ConfigError as error:
        return len(error.problems)
    return None


@given(st.text())
def test_any_text_is_a_configuration_or_a_config_error(text: str) -> None:
    """Nothing but ConfigError comes out of any text."""
    assert problems_of(text) != 0


_KEYS = st.sampled_from(
    [
        *("dubbo", "application", "registries", "registry", "consumer", "references", "reference", "methods", "<<"),
        *("parameters", "name", "id", "address", "interface", "url", "timeout", "async", "return", "ssl", "cert"),
        *("payload", "max-request-bytes", "maxRequestBytes", "interceptors", "onreturn", "proto", "x-a", "shutwait"),
    ]
)
_TEXTS = st.text(max_size=8) | st.sampled_from(
    ["tri://h:1", "a:b", "-default", "-a:b", "${HOME}", "${A:}", "memory://a"]
)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS
_YAML = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5), max_leaves=12
)
_ROOT = st.fixed_dictionaries({}, optional=dict.fromkeys(("registries", "consumer", "application", "registry"), _YAML))


@given(_ROOT, st.dictionaries(_KEYS, st.dictionaries(_KEYS, _YAML, max_size=6), max_size=3))
def test_any_yaml_is_a_configuration_or_a_config_error(root: dict[str, object], references: dict[str, object]) -> None:
    """Nothing but ConfigError comes out of any arrangement of the known keys."""
    assert problems_of(yaml.safe_dump({**root, "references": references})) != 0

"""What ``callahead.config`` promises: cheap to import, and a mapping means what the same YAML means."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import callahead.config as facade
from callahead.config import ConfigError, Problem, load_file, load_mapping, load_text

FOO: dict[str, Any] = {"interface": "a.Foo", "url": "tri://127.0.0.1:50051"}


def test_importing_the_facade_imports_neither_pydantic_nor_yaml() -> None:
    """Importing is cheap; the first load pays."""
    code = "import sys, callahead.config; print({'pydantic', 'yaml', 'asyncio', 'grpc'} & sys.modules.keys())"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


def test_all_is_sorted_and_every_name_is_there() -> None:
    """The public names are those of __all__."""
    assert facade.__all__ == sorted(facade.__all__)
    assert all(hasattr(facade, name) for name in facade.__all__)


def test_a_mapping_means_what_the_same_yaml_means() -> None:
    """Only the origins differ."""
    mapping = {
        "consumer": {"maxRequestBytes": "1KiB", "retries": 0},
        "references": {"foo": {**FOO, "methods": [{"name": "find", "async": True, "timeout": "2s"}]}},
    }
    text = """
        consumer: {max-request-bytes: 1KiB, retries: 0}
        references:
          foo: {interface: a.Foo, url: "tri://127.0.0.1:50051", methods: {find: {async: true, timeout: 2s}}}
    """
    from_code, from_text = load_mapping(mapping), load_text(text, "<mapping>")
    assert from_code == from_text
    assert from_code.references["foo"].methods["find"].origin("timeout_ms") == "<mapping>"


def test_none_in_a_mapping_is_not_set() -> None:
    """In code None is the way to say nothing; false and 0 say something."""
    config = load_mapping({"consumer": {"retries": 5, "sent": True}, "references": {"foo": {**FOO, "retries": None}}})
    assert (config.references["foo"].default.retries, config.references["foo"].default.sent) == (5, True)


def test_paths_and_tuples_are_taken_in_a_mapping(tmp_path: Path) -> None:
    """Python's own types stand for what YAML would write."""
    proto = tmp_path / "foo.proto"
    proto.touch()
    reference = {**FOO, "proto": proto, "proto_path": (tmp_path,)}
    declared = load_mapping({"references": {"foo": reference}}).references["foo"].transport
    assert (declared.proto, declared.proto_path) == (str(proto), (str(tmp_path),))


def test_parameters_of_other_types_become_text() -> None:
    """Attachments are text; a truth value is spelt as in Java and YAML."""
    parameters = {"n": 5, "ratio": 1.5, "on": True, "text": "x"}
    policy = load_mapping({"references": {"foo": {**FOO, "parameters": parameters}}}).references["foo"].default
    assert dict(policy.attachments) == {"n": "5", "ratio": "1.5", "on": "true", "text": "x"}


def test_a_bad_mapping_gets_all_its_problems_without_lines() -> None:
    """The same validation, and as many errors at once."""
    with pytest.raises(ConfigError) as caught:
        load_mapping({1: 2, "consumer": {"timeout": object(), "maxRequestByte": 1}}, source="settings.py")
    assert str(caught.value) == (
        "settings.py: a key must be text, not int\n"
        'settings.py: consumer.timeout: must be a duration such as 500, "50ms", "1.5s" or "2m", '
        "not a value of type object\n"
        'settings.py: consumer.maxRequestByte: unknown key (did you mean "maxRequestBytes"?)'
    )


@pytest.mark.parametrize("wrong", [None, [], "text", 5])
def test_what_is_no_mapping_is_refused(wrong: Any) -> None:
    """A configuration in code is a mapping."""
    with pytest.raises(ConfigError, match=r"^<mapping>: must be a mapping, not "):
        load_mapping(wrong)


def test_a_mapping_that_holds_itself_is_refused() -> None:
    """A cycle is an error, not an endless walk."""
    endless: dict[str, Any] = {}
    endless["consumer"] = endless
    with pytest.raises(ConfigError, match="is nested deeper than 50 levels"):
        load_mapping(endless)


def test_policies_are_read_only() -> None:
    """A configuration is shared by threads, so that nothing of it changes."""
    config = load_mapping({"references": {"foo": {**FOO, "parameters": {"a": "b"}}}})
    reference = config.references["foo"]
    for mapping in (config.references, config.registries, reference.methods, reference.default.attachments):
        with pytest.raises(TypeError, match="does not support item assignment"):
            mapping["x"] = 1  # type: ignore[index]


def test_the_total_timeout_is_that_of_all_attempts() -> None:
    """Built-in: the timeout times one more than the retries, of that very method."""
    methods = {"find": {"timeout": 300}, "touch": {"retries": 0}, "slow": {"total_timeout": 7}}
    reference = load_mapping({"references": {"foo": {**FOO, "timeout": 100, "methods": methods}}}).references["foo"]
    totals = [policy.total_timeout_ms for policy in (reference.default, *reference.methods.values())]
    assert totals == [300, 900, 100, 7]


def test_a_policy_knows_the_line_that_names_its_method() -> None:
    """In a mapping that of its key, in a list that of its name, whatever is set before it."""
    text = """
references:
  foo: {interface: a.Foo, url: "tri://127.0.0.1:50051", methods: {find: {
    async: true}}}
  bar:
    interface: a.Bar
    url: tri://127.0.0.1:50051
    methods:
      - async: true
        name: find
"""
    references = load_text(text, "x.yml").references
    assert references["foo"].methods["find"].origin("method") == "x.yml:3"
    assert references["bar"].methods["find"].origin("method") == "x.yml:10"
    assert "method" not in references["foo"].default.origins


def test_paths_start_at_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths do not depend on where the program runs."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "foo.proto").touch()
    (folder / "c.yml").write_text(
        "registries: {main: {address: 'file:lists/my providers.yml'}, near: {address: 'file://x.yml?a=b'},"
        " far: {address: 'file:///etc/p.yml'}}\n"
        "references: {foo: {interface: a.Foo, proto: foo.proto, proto_path: .}}\n"
    )
    monkeypatch.chdir(tmp_path)
    config = load_file("a folder/c.yml")
    assert config.references["foo"].transport.proto == os.path.join("a folder", "foo.proto")
    assert config.references["foo"].transport.proto_path == ("a folder",)
    where = f"file://{tmp_path}/a%20folder"
    assert {name: registry.address for name, registry in config.registries.items()} == {
        "main": f"{where}/lists/my%20providers.yml",
        "near": f"{where}/x.yml?a=b",
        "far": "file:///etc/p.yml",
    }


def test_secrets_stay_out_of_repr() -> None:
    """What may hold a password does not get into a log by %r."""
    config = load_mapping(
        {
            "registries": {"main": {"address": "memory://me:hunter2@shop", "parameters": {"password": "hunter2"}}},
            "references": {
                "foo": {"interface": "a.Foo", "url": "tri://me:hunter2@h:1", "parameters": {"token": "hunter2"}}
            },
        }
    )
    assert "hunter2" not in repr(config)


def test_a_config_error_survives_pickling_and_copying() -> None:
    """The problems travel between processes."""
    error = ConfigError([Problem(file="c.yml", line=3, key="consumer.x", text="unknown key", hint="known: y")])
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert again.problems == error.problems
        assert str(again) == "c.yml:3: consumer.x: unknown key (known: y)"

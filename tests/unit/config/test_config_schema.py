"""The JSON Schema, held against a real validator and against the loader."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from callahead.config import ConfigError, json_schema, load_file, load_mapping
from callahead.config.check.listing import listing
from callahead.config.check.models import (
    ApplicationModel,
    MethodModel,
    RegistryModel,
    SslModel,
    yaml_keys,
)

CONF = Path(__file__).parents[3] / "conf"
GOLDEN = Path(__file__).parents[2] / "golden"
TRIS = ["keepalive", "keepalive_timeout", "max_metadata_bytes", "module", "proto", "proto_path"]
SAMPLES = [CONF / "consumer.yml", CONF / "minimal.yml"]


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", [*SAMPLES, *sorted(GOLDEN.glob("good_*.yml"))], ids=lambda path: path.stem)
def test_a_good_file_is_valid(validator: Draft202012Validator, path: Path) -> None:
    """An editor marks nothing in a file that loads."""
    assert list(validator.iter_errors(yaml.safe_load(path.read_text()))) == []


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_loads(path: Path) -> None:
    """The sample configurations have no problem."""
    assert load_file(path).references


FOO = {"interface": "a.Foo", "url": "tri://127.0.0.1:50051"}
FAULTS: dict[str, dict[str, Any]] = {
    "unknown root key": {"reference_s": {}},
    "unknown key": {"references": {"foo": {**FOO, "asinc": True}}},
    "unknown key of a method": {"references": {"foo": {**FOO, "methods": {"find": {"url": "x"}}}}},
    "no interface": {"references": {"foo": {"url": "tri://127.0.0.1:50051"}}},
    "no address": {"registries": {"main": {}}},
    "no name": {"references": {"foo": {**FOO, "methods": [{"async": True}]}}},
    "number for a flag": {"consumer": {"async": 1}},
    "text for a flag": {"consumer": {"async": "yes please"}},
    "negative retries": {"consumer": {"retries": -1}},
    "no timeout at all": {"consumer": {"timeout": 0}},
    "unknown unit": {"consumer": {"timeout": "5 days"}},
    "size without a unit": {"consumer": {"maxRequestBytes": "8M"}},
    "list for a mapping": {"consumer": []},
    "cert without key": {"consumer": {"ssl": {"cert": "x.pem"}}},
    "beside dubbo": {"dubbo": {}, "consumer": {}},
    "wrong under dubbo": {"dubbo": {"consumer": {"timeoutt": 1}}},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_the_schema_and_by_the_loader(validator: Draft202012Validator, fault: str) -> None:
    """What an editor marks is what a load refuses."""
    assert not validator.is_valid(FAULTS[fault])
    with pytest.raises(ConfigError):
        load_mapping(FAULTS[fault])


@pytest.mark.parametrize("key", ["max_request_bytes", "max-request-bytes", "maxRequestBytes"])
def test_each_spelling_of_a_key_is_valid(validator: Draft202012Validator, key: str) -> None:
    """snake_case, kebab-case and camelCase are checked alike."""
    assert validator.is_valid({"consumer": {key: "1KB"}})
    assert not validator.is_valid({"consumer": {key: "1K"}})


def test_a_placeholder_may_stand_for_any_value(validator: Draft202012Validator) -> None:
    """An editor does not mark a value that the environment will give."""
    values = {
        "timeout": "${T:500}",
        "async": "${A}",
        "retries": "${R}",
        "max_request_bytes": "${M}",
        "ssl": "${S:true}",
    }
    assert validator.is_valid({"consumer": values})


@pytest.mark.parametrize(
    "keys",
    [
        *(listing(section) for section in ("consumer", "reference")),
        *(yaml_keys(model).values() for model in (ApplicationModel, MethodModel, RegistryModel, SslModel)),
    ],
)
def test_the_full_sample_shows_every_key(keys: Iterable[str]) -> None:
    """conf/consumer.yml names each setting, in force or in a comment."""
    text = (CONF / "consumer.yml").read_text()
    missing = [key for key in keys if not re.search(rf"[\s{{]{key}:", text)]
    assert missing == []


def test_every_setting_has_a_description() -> None:
    """An editor has something to show for each key."""
    sections = json_schema()["$defs"].values()
    bare = [key for section in sections for key, schema in section["properties"].items() if len(schema) == 0]
    assert bare == []


def test_a_setting_of_one_protocol_says_so() -> None:
    """To who reads the description in an editor, and to a program; any other setting is of every protocol."""
    properties = json_schema()["$defs"]["ReferenceModel"]["properties"]
    only = {key: schema["x-only-protocol"] for key, schema in properties.items() if "x-only-protocol" in schema}
    assert only == {
        **dict.fromkeys(
            ["keepalive", "keepalive_timeout", "max_metadata_bytes", "module", "proto", "proto_path"], "tri"
        ),
        "heartbeat": "dubbo",
        **dict.fromkeys(["target", "arguments", "clients", "close", "threads", "queue", "when_full"], "python"),
    }
    assert properties["heartbeat"]["description"].startswith("Only dubbo: silence before a heartbeat")

"""The JSON Schema, held against a real validator and against the loader."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

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
TRIS = [
    "carrier", "keepalive", "keepalive_timeout", "max_metadata_bytes", "max_frame_bytes", "http_proxy", "module",
    "proto", "proto_path",
]  # fmt: skip
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


def bad_files() -> list[Path]:
    """Those that are YAML for a reader without rules of its own."""
    found = sorted(GOLDEN.glob("bad_*.yml"))
    return [path for path in found if not isinstance(_read(path), yaml.YAMLError)]


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        return error


def place_of(error: ValidationError) -> str:
    """The key that is blamed, as the loader writes it."""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    return re.sub(r"(interceptors|url)\[\d\]$", r"\1", place.removeprefix("."))


@pytest.mark.parametrize("path", bad_files(), ids=lambda path: path.stem)
def test_an_error_points_at_one_cause(validator: Draft202012Validator, path: Path) -> None:
    """Each is of one key, which the loader blames too, and has no alternatives of which none is meant."""
    errors = list(validator.iter_errors(_read(path)))
    blamed = [line.split(": ")[1] for line in path.with_suffix(".txt").read_text().splitlines()]
    assert [error.message for error in errors if error.context] == []
    assert [place_of(error) for error in errors if not any(key.startswith(place_of(error)) for key in blamed)] == []
    causes = [(tuple(error.absolute_path), error.validator) for error in errors]
    assert len(set(causes)) == len(causes)
    assert not errors or best_match(errors) in errors


def test_most_bad_files_are_marked(validator: Draft202012Validator) -> None:
    """What needs more than one key, a file or the environment is left to the loader."""
    marked = [path for path in bad_files() if not validator.is_valid(_read(path))]
    assert len(marked) >= 25


@pytest.mark.parametrize(
    ("section", "key", "name", "known"),
    [
        ("consumer", "cluster", "failovr", "failover"),
        ("consumer", "loadbalance", "randm", "random"),
        ("consumer", "protocol", "grpc", "tri"),
        ("consumer", "serialization", "kryo", "hessian2"),
        ("consumer", "unobserved", "shout", "log"),
    ],
)
def test_a_name_is_one_of_those_that_are_installed(
    validator: Draft202012Validator, section: str, key: str, name: str, known: str
) -> None:
    """An editor offers them, and any other is told apart by the list of them."""
    [error] = validator.iter_errors({section: {key: name}})
    assert error.validator == "enum"
    assert known in error.validator_value
    assert validator.is_valid({section: {key: known}})
    assert validator.is_valid({section: {key: "${NAME}"}})


@pytest.mark.parametrize("url", ["tri://h:1", "TRI://h:1", "h:1", "${URL}", ["tri://h:1", "h:2"], " dubbo://h:1;h:2"])
def test_an_address_is_of_a_known_protocol(validator: Draft202012Validator, url: Any) -> None:
    """Or of none, or is still to come."""
    assert validator.is_valid({"references": {"foo": {"interface": "a.Foo", "url": url}}})
    assert not validator.is_valid({"references": {"foo": {"interface": "a.Foo", "url": "http://h:1"}}})


def test_the_schema_has_an_identifier_of_its_own() -> None:
    """By which an editor knows it from that of another version."""
    assert json_schema()["$id"] == f"urn:callahead:configuration:{version('callahead')}"


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


def nodes(schema: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in *schema* that stands for something in a file, and where."""
    yield place, schema
    for keyword in ("$defs", "properties", "patternProperties"):
        for key, inner in schema.get(keyword, {}).items():
            yield from nodes(inner, f"{place}/{keyword}/{key}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield from nodes(schema[keyword], f"{place}/{keyword}")


def test_every_node_has_a_description() -> None:
    """An editor has something to show wherever the pointer stands."""
    schema = json_schema()
    found = dict([*nodes(schema), *nodes(schema["then"], "/then")])
    bare = [place for place, node in found.items() if not {"description", "$ref"} & node.keys()]
    assert bare == ["/then"]
    assert len(found) > 100


def test_a_setting_of_one_protocol_says_so() -> None:
    """To who reads the description in an editor, and to a program; any other setting is of every protocol."""
    properties = json_schema()["$defs"]["ReferenceModel"]["properties"]
    only = {key: schema["x-only-protocol"] for key, schema in properties.items() if "x-only-protocol" in schema}
    assert only == {
        **dict.fromkeys(TRIS, "tri"),
        "heartbeat": "dubbo",
        **dict.fromkeys(["target", "arguments", "clients", "close", "threads", "queue"], "python"),
    }
    assert properties["heartbeat"]["description"].startswith("Only dubbo: silence before a heartbeat")

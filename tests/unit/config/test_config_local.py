"""References of a transport that serves in this process: without addresses, with settings of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from support.outside import install, run

from callahead.config import ConfigError, ReferencePolicy, json_schema, load_mapping, load_text
from callahead.config.explain import explain
from callahead.consumer.cli.main import main


def loaded(reference: str, before: str = "") -> ReferencePolicy:
    """Load one reference, which stands on line 3 (and 4) of ``c.yml``."""
    return load_text(f"{before}\nreferences:\n  s3: {{{reference}}}", "c.yml").references["s3"]


def test_a_local_reference_needs_nothing_but_its_protocol() -> None:
    """Neither interface nor address; the registry of others is none of its."""
    policy = loaded("protocol: python", before="registries: {main: {address: 'memory://x'}}")
    assert policy.is_local
    assert (policy.interface, policy.urls, policy.registries) == ("s3", (), ())
    assert (policy.transport.threads, policy.transport.queue) == (10, 1000)


def test_the_protocol_may_be_the_consumers() -> None:
    """As any other setting of references."""
    assert loaded("target: json", before="consumer: {protocol: python, threads: 3}").transport.threads == 3


@pytest.mark.parametrize(
    ("consumer", "reference", "is_valid"),
    [
        ("python", {}, True),
        ("python", None, True),
        ("python", {"protocol": "dubbo"}, False),
        ("dubbo", {}, False),
        ("dubbo", {"protocol": "python"}, True),
    ],
)
def test_the_schema_asks_for_interfaces_by_the_protocol_of_either_level(
    consumer: str, reference: dict[str, str] | None, is_valid: bool
) -> None:
    """The reference's own goes before; under the root dubbo likewise."""
    config = {"consumer": {"protocol": consumer}, "references": {"s3": reference}}
    validator = Draft202012Validator(json_schema())
    assert validator.is_valid(config) is is_valid
    assert validator.is_valid({"dubbo": config}) is is_valid


def test_other_references_are_not_local() -> None:
    """They need an interface and an address, as ever."""
    assert not loaded("interface: a.Foo, url: 'tri://h:1'").is_local
    with pytest.raises(ConfigError, match="needs interface") as caught:
        loaded("methods: {}")
    assert "needs url or registry" in str(caught.value)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("url: 'python://h:1'", "url: has no meaning where the provider is in this process (remove it)"),
        ("registry: main", "registry: has no meaning where the provider is in this process (remove it)"),
        ("ssl: true", "ssl: has no meaning where the provider is in this process (remove it)"),
        ("parameters: {a: b}", "parameters: has no meaning where the provider is in this process (remove it)"),
        ("maxQueuedBytes: 1", "maxQueuedBytes: is of connections, and there is none (set queue)"),
        ("arguments: {a: 1}", "arguments: needs target beside it"),
        ("clients: per_thread", "clients: needs a target that makes one for each thread"),
        ("target: json, arguments: 7", "arguments: must be a mapping of keywords or a list, not 7"),
        ("target: json, arguments:", "arguments: has no value (write one, or remove the key)"),
        ("target: 'a b'", 'target: must be the name of a module, or of the form package.module:name, not "a b"'),
        ("threads: 0", "threads: must be from 1 to 1000, not 0"),
        ("whenFull: wait", 'whenFull: must be block, reject, delay or shed_oldest, not "wait"'),
        ("clients: many", 'clients: must be one or per_thread, not "many"'),
        ("retryOn: ClientError", 'retryOn: must be of the form package.module:Class, not "ClientError"'),
        ("tragets: json", 'tragets: unknown key (did you mean "target"?)'),
    ],
)
def test_what_is_wrong_is_said_at_file_and_line(written: str, message: str) -> None:
    """In the words that any setting would get."""
    with pytest.raises(ConfigError) as caught:
        loaded(f"protocol: python,\n    {written}")
    assert str(caught.value).splitlines()[-1] == f"c.yml:4: references.s3.{message}"


def test_the_keys_of_arguments_are_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """However deep and however spelt; values have the types that YAML gives them, those of placeholders too."""
    monkeypatch.setenv("PORT", "9000")
    text = "arguments: {region_name: x, endPoint-url: {aB: '${PORT}'}, many: [1, true, null, {c-D: 1.5}], a.b: 1}"
    policy = loaded(f"protocol: python, target: json, {text}")
    assert policy.transport.arguments == {
        "region_name": "x",
        "endPoint-url": {"aB": 9000},
        "many": [1, True, None, {"c-D": 1.5}],
        "a.b": 1,
    }
    assert loaded("protocol: python, target: json, arguments: [a, 1]").transport.arguments == ("a", 1)


def test_a_secret_among_the_arguments_is_not_shown() -> None:
    """Neither by ``explain`` nor in the ``repr`` of the policy, however deep it stands."""
    secret = "{aws_secret_access_key: hunter2, config: {proxies: [{password: 12345678}], url: 'http://me:hunter2@h'}}"
    policy = loaded(f"protocol: python, target: boto3:client, arguments: {secret}")
    [shown] = [setting for setting in explain(policy) if setting.key == "arguments"]
    assert shown.value["aws_secret_access_key"] == "***"
    assert shown.value["config"]["proxies"] == [{"password": "***"}]
    text = f"{shown} {policy!r} {policy.transport!r}"
    assert "hunter2" not in text
    assert "12345678" not in text


@pytest.mark.parametrize("as_json", [True, False])
def test_explain_lists_the_settings(tmp_path: Path, as_json: bool) -> None:
    """As text, and as JSON, with the lines that set them."""
    file = tmp_path / "c.yml"
    file.write_text("references:\n  s3:\n    protocol: python\n    target: json\n    arguments: {a: [1, {b: 2}]}\n")
    told = CliRunner().invoke(main, ["explain", *(["--json"] if as_json else []), str(file), "s3"])
    assert told.exit_code == 0, told.output
    if as_json:
        settings = json.loads(told.output)["settings"]
        assert settings["arguments"]["value"] == {"a": [1, {"b": 2}]}
        assert settings["target"]["origin"] == f"{file}:4"
    else:
        assert 'a: [1, {"b": 2}]' in told.output


def test_explain_lists_arguments_by_position(tmp_path: Path) -> None:
    """Whatever they are."""
    file = tmp_path / "c.yml"
    file.write_text("references: {s3: {protocol: python, target: json, arguments: [text, 1, {b: null}]}}")
    told = CliRunner().invoke(main, ["explain", str(file), "s3"])
    assert 'text, 1, {"b": null}' in told.output


@pytest.mark.parametrize(
    ("reference", "is_valid"),
    [
        ({"protocol": "python"}, True),
        ({"protocol": "python", "target": "boto3:client", "arguments": {"any": ["thing"]}}, True),
        ({"protocol": "python", "clients": "two"}, False),
        ({"protocol": "tri", "url": "tri://h:1"}, False),
        ({"url": "tri://h:1"}, False),
        ({"interface": "a.Foo", "url": "tri://h:1", "retry_on": ["a:B"]}, True),
    ],
)
def test_the_schema_knows_which_references_need_an_interface(reference: dict[str, Any], is_valid: bool) -> None:
    """An editor marks what a load refuses, and nothing else."""
    validator = Draft202012Validator(json_schema())
    assert validator.is_valid({"references": {"s3": reference}}) is is_valid
    if is_valid:
        load_mapping({"references": {"s3": reference}})
    else:
        with pytest.raises(ConfigError):
            load_mapping({"references": {"s3": reference}})


LOCAL = """
from typing import ClassVar

from callahead.config.settings import TransportSettings

class NestSettings(TransportSettings):
    is_local: ClassVar[bool] = True

class Owl:
    settings = NestSettings
"""


def test_any_transport_may_be_local(tmp_path: Path) -> None:
    """It is its settings that say so, not its name."""
    site = install(tmp_path)
    (site / "owl.py").write_text(LOCAL)
    (site / "c.yml").write_text(yaml.safe_dump({"references": {"nest": {"protocol": "owl"}}}))
    code = "from callahead.config import load_file\nprint(load_file('c.yml').references['nest'].is_local)"
    assert run(code, site) == "True\n"

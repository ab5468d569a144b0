"""Settings that a transport declares, one of a distribution that callahead knows nothing of."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from jsonschema import Draft202012Validator
from pydantic import Field, model_validator
from support.outside import install, run

from callahead.config.check.declared import Declaration
from callahead.config.settings import Duration, TransportSettings, setting

FOO = "interface: a.Foo, url: 'pigeon://roof:1'"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with the distribution, where configurations lie too."""
    return install(tmp_path)


def load(text: str, site: Path, shows: str) -> str:
    """Load *text* as ``c.yml`` and give what the expression *shows* prints of ``foo``, or the error."""
    (site / "c.yml").write_text(text)
    code = (
        "from callahead.config import ConfigError, load_file\n"
        f"try: foo = load_file('c.yml').references['foo']; print({shows})\n"
        "except ConfigError as error: print(error)"
    )
    return run(code, site).rstrip("\n")


def command(site: Path, *args: str) -> str:
    code = f"from callahead.consumer.cli.main import main\nmain({list(args)!r})"
    return run(code, site)


def test_a_setting_has_its_default_where_nothing_is_written(site: Path) -> None:
    """The declaration is the one place that has it."""
    text = f"references: {{foo: {{{FOO}}}}}"
    assert load(text, site, "foo.transport.rest_ms, foo.origin('rest_ms'), foo.transport.ring") == "500 built-in None"


def test_a_setting_is_taken_from_the_most_specific_level(site: Path) -> None:
    """Any spelling will do, and each value keeps the line that set it."""
    text = f"consumer: {{rest: 1s, wing-span: 70}}\nreferences:\n  foo: {{{FOO},\n    rest: 2s}}"
    shows = "foo.transport.rest_ms, foo.origin('rest_ms'), foo.transport.wing_span, foo.origin('wing_span')"
    assert load(text, site, shows) == "2000 c.yml:4 70 c.yml:1"


def test_a_default_of_all_references_is_passed_over_by_other_protocols(site: Path) -> None:
    """As one of dubbo's is by tri."""
    text = "consumer: {wingSpan: 70}\nreferences: {foo: {interface: a.Foo, url: 'tri://h:1'}}"
    assert load(text, site, "hasattr(foo.transport, 'wing_span')") == "False"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("rest: soon", 'rest: must be a duration such as 500, "50ms", "1.5s" or "2m", not "soon"'),
        ("rest:", "rest: has no value (write one, or remove the key)"),
        ("wingSpan: wide", 'wingSpan: must be a valid integer, unable to parse string as an integer, not "wide"'),
        ("colour: pink", "colour: must be 'grey' or 'white', not \"pink\""),
        ("ring: nosuch", "ring: cannot read nosuch: No such file or directory"),
        ("wing_spam: 1", 'wing_spam: unknown key (did you mean "wing_span"?)'),
        ("colour: white, wing_span: 99", "colour: is of no bird this large (make wing_span smaller)"),
        ("colour: white, wing_span: []", "wing_span: must be a valid integer, not a list"),
    ],
)
def test_what_is_wrong_is_said_at_file_and_line(site: Path, written: str, message: str) -> None:
    """In the words that any setting would get."""
    assert load(f"references:\n  foo: {{{FOO},\n    {written}}}", site, "foo") == f"c.yml:3: references.foo.{message}"


@pytest.mark.parametrize(
    "text",
    [
        f"consumer: {{colour: white}}\nreferences: {{foo: {{{FOO}}}}}",
        f"references: {{foo: {{{FOO}, methods: {{find: {{colour: white}}}}}}}}",
    ],
)
def test_a_key_in_a_wrong_section_is_told_where_it_belongs(site: Path, text: str) -> None:
    """A setting of references alone is none of the consumer's or a method's."""
    assert "colour: does not belong here (it is a setting of: reference)" in load(text, site, "foo")


def test_a_key_under_another_protocol_is_refused(site: Path) -> None:
    """It says who would honour it."""
    text = "references:\n  foo: {interface: a.Foo, url: 'h:1', wing_span: 7}"
    assert load(text, site, "foo") == (
        'c.yml:2: references.foo.wing_span: only protocol "pigeon" honours it, and this reference has "tri" '
        '(write "protocol: pigeon", or remove it)'
    )


def test_a_key_of_ours_is_refused_under_a_protocol_of_theirs(site: Path) -> None:
    """No transport is given what it does not declare."""
    text = f"references:\n  foo: {{{FOO},\n    heartbeat: 1}}"
    assert load(text, site, "foo") == (
        'c.yml:3: references.foo.heartbeat: only protocol "dubbo" honours it, and this reference has "pigeon" '
        "(remove it; the protocol is set at c.yml:2)"
    )


def test_a_key_that_two_transports_declare_is_read_by_each_in_its_own_way(site: Path) -> None:
    """What fits one of them may stand in the consumer, and is wrong where the other takes it."""
    owl = "consumer: {rest: at night}\nreferences: {foo: {interface: a.Foo, url: 'owl://h:1'}}"
    assert load(owl, site, "foo.transport.rest") == "at night"
    assert load(owl.replace("owl", "pigeon"), site, "foo") == (
        'c.yml:1: consumer.rest: must be a duration such as 500, "50ms", "1.5s" or "2m", not "at night"'
    )


def test_a_key_that_two_transports_declare_is_refused_with_both(site: Path) -> None:
    """A third protocol honours neither."""
    text = "references: {foo: {interface: a.Foo, url: 'h:1', rest: 7}}"
    assert 'only protocol "owl" or "pigeon" honours it, and this reference has "tri"' in load(text, site, "foo")


def test_check_and_explain_know_the_setting(site: Path) -> None:
    """With its value and line, or with the protocol that honours it."""
    (site / "c.yml").write_text(
        f"references:\n  foo: {{{FOO},\n    wing_span: 70}}\n  bar: {{interface: a.Bar, url: 'tri://h:1'}}"
    )

    assert command(site, "check", "c.yml") == "c.yml: ok, 2 references, 0 methods\n"
    foo, bar = (json.loads(command(site, "explain", "--json", "c.yml", name))["settings"] for name in ("foo", "bar"))
    assert foo["wing_span"] == {"value": 70, "unit": "", "origin": "c.yml:3", "only": "pigeon"}
    assert foo["rest"] == {"value": 500, "unit": "ms", "origin": "built-in", "only": "owl or pigeon"}
    assert bar["wing_span"] == {"value": None, "unit": "", "origin": "", "only": "pigeon"}


def test_the_schema_knows_the_setting(site: Path) -> None:
    """An editor completes and checks it, in each section that takes it."""
    schema: Any = json.loads(command(site, "schema"))
    reference, consumer = (schema["$defs"][name]["properties"] for name in ("ReferenceModel", "ConsumerModel"))
    foo = {"interface": "a.Foo", "url": "pigeon://roof:1"}
    validator = Draft202012Validator(schema)

    assert "pigeon" in reference["protocol"]["else"]["enum"]
    assert reference["wing_span"]["x-only-protocol"] == "pigeon"
    assert reference["rest"]["x-only-protocol"] == ["owl", "pigeon"]
    assert ("wing_span" in consumer, "colour" in consumer) == (True, False)
    assert validator.is_valid({"references": {"foo": {**foo, "wingSpan": 7, "rest": "2s", "colour": "white"}}})
    assert not validator.is_valid({"references": {"foo": {**foo, "colour": "pink"}}})


def test_a_transport_carries_calls_with_its_effective_setting(site: Path) -> None:
    """What the configuration says is what ``open`` gets."""
    (site / "c.yml").write_text(f"consumer: {{rest: 2s}}\nreferences: {{foo: {{{FOO}}}}}")
    code = (
        "from callahead.consumer import Consumer\n"
        "with Consumer.from_file('c.yml') as consumer: print(consumer.reference('foo').fly())"
    )
    assert run(code, site) == "2000\n"


class Taken(TransportSettings):
    timeout_ms: Duration = setting(1, "x", key="timeout")


class TakenAttribute(TransportSettings):
    urls: Duration = setting(1, "x", key="roofs")


class Camel(TransportSettings):
    rest: Duration = setting(1, "x", key="longRest")


class Required(TransportSettings):
    rest: Duration = Field(description="x")


class Together(TransportSettings):
    rest: Duration = setting(1, "x")
    seen: ClassVar[list[Self]] = []

    @model_validator(mode="after")
    def _see(self) -> Self:
        return self


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Taken, 'it declares "timeout", which is a setting of every reference'),
        (TakenAttribute, 'it declares "roofs", which is a setting of every reference'),
        (Camel, 'it declares "longRest", which is not in snake_case'),
        (Required, 'it declares "rest" without a default'),
        (Together, "its settings have a validator of the whole model, which is what conflicts is for"),
    ],
)
def test_a_declaration_that_cannot_be_obeyed_is_refused(model: type[TransportSettings], message: str) -> None:
    """Whoever writes a transport hears of it at the first load."""
    with pytest.raises(TypeError) as caught:
        Declaration("pigeon", model)
    assert str(caught.value) == message


@pytest.mark.parametrize("protocol", ["dubbo", "tri"])
def test_loading_a_configuration_imports_nothing_that_carries_calls(protocol: str) -> None:
    """The class of a transport is light: sockets and grpc wait until a consumer is made."""
    code = (
        "import sys\n"
        "from callahead.config import load_mapping\n"
        f"foo = {{'interface': 'a.Foo', 'url': '{protocol}://h:1', 'keepaliv': 1}}\n"
        "try: load_mapping({'references': {'foo': foo}})\n"
        "except ValueError: pass\n"
        "heavy = ('grpc', 'google.protobuf', 'ssl', 'asyncio')\n"
        "carries = [f'callahead.consumer.{name}' for name in ('future', 'codec', 'wire', 'transport.dubbo.pool')]\n"
        "print(sorted({*heavy, *carries} & sys.modules.keys()))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"

"""What the manual in docs/ shows is run, and its tables are compared with the code."""

from __future__ import annotations

import datetime as dt
import importlib
import re
import sys
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import click
import pytest
from support.manual import DOCS, ROOT, module_of_docs
from support.routing import call, providers

from callahead import consumer
from callahead.config import ConfigError, extension, load_file, load_text
from callahead.config.check.listing import listing
from callahead.config.check.models import yaml_keys
from callahead.config.check.refused import REFUSED
from callahead.consumer import errors, scope, testing
from callahead.consumer.cli.main import main
from callahead.consumer.codec import hessian2
from callahead.consumer.interceptor.order import ATTEMPT_ORDER, CALL_ORDER
from callahead.consumer.interface.java.annotations import JavaName, java_type_of
from callahead.consumer.testing import EmbeddedProvider
from callahead.registry.listing import read_listing

PAGES = sorted(path.stem for path in DOCS.glob("*.rst"))
pytestmark = pytest.mark.source

# A directive at any indentation, its options, and the indented lines below.
_BLOCK = re.compile(
    r"^(?P<margin> *)\.\. code-block:: (?P<language>\w+)\n(?P<options>(?:(?P=margin) +:.*\n)*)\n"
    r"(?P<body>(?:(?P=margin) {3}.*\n|\n)+)",
    re.MULTILINE,
)
_CAPTION = re.compile(r":caption: (\S+)")
# Providers are no configuration.
_LISTING = "providers.yml"
# Refused on purpose; the text block after it is what the error says.
_BROKEN = "broken.yml"
_ROW = re.compile(r"^``(.+?)`` +``(.+?)``", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One code block of a page; one with a caption is the file of that name."""

    language: str
    caption: str
    body: str


def text_of(page: str) -> str:
    return (DOCS / f"{page}.rst").read_text("utf-8")


def blocks(page: str, language: str = "") -> list[Block]:
    """The code blocks of a page, without their indentation."""
    found = []
    for match in _BLOCK.finditer(text_of(page)):
        margin = len(match["margin"]) + 3
        caption = _CAPTION.search(match["options"])
        body = "\n".join(line[margin:] for line in match["body"].splitlines()).strip() + "\n"
        found.append(Block(match["language"], "" if caption is None else caption[1], body))
    return [block for block in found if language in ("", block.language)]


def section(page: str, title: str) -> str:
    """What stands under a heading of a page, up to the next one of any kind."""
    found = re.search(
        rf"^{re.escape(title)}\n[-=~]+\n(.*?)(?=^[^\n]+\n[-=~]{{3,}}\n\n|\Z)", text_of(page), re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"{page} has no section {title}"
    return found[1]


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    """The module that makes the tables of the settings."""
    return module_of_docs("settings_table")


def shop() -> EmbeddedProvider:
    """Serve what the pages call over gRPC."""
    provider = EmbeddedProvider()
    provider.serve(
        "com.alibaba.foo.FooService",
        module="callahead.conf.foo_pb2",
        findFoo=lambda request: {"foo_id": request.foo_id, "name": f"foo {request.foo_id}"},
        listFoos=lambda request: [{"foo_id": foo_id, "name": f"foo {foo_id}"} for foo_id in request.foo_ids],
    )
    provider.serve("com.alibaba.bar.BarService", module="callahead.conf.bar_pb2", findBar={}, touch={})
    return provider


def java_shop() -> EmbeddedProvider:
    """Serve what docs/dubbo.rst calls."""
    provider = EmbeddedProvider(protocol="dubbo")
    provider.serve(
        "com.example.shop.FooService",
        {"of(int)": "int", "of(long)": "long", "of(java.lang.String)": "text"},
        findFoo=lambda name, delay: hessian2.JavaObject(
            "com.example.shop.Foo", {"fooId": 7, "name": f"foo {name}", "price": hessian2.Long(0)}
        ),
        count=3,
    )
    return provider


def folder(tmp_path: Path, page: str) -> Path:
    """Make the folder that a page's examples run in, with its files and those that it only mentions."""
    for name in ("ca.pem", "client.pem", "client.key"):
        (tmp_path / "tls").mkdir(exist_ok=True)
        kind = "PRIVATE KEY" if name.endswith(".key") else "CERTIFICATE"
        (tmp_path / "tls" / name).write_text(f"-----BEGIN {kind}-----")
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    for block in blocks(page):
        if block.caption:
            (tmp_path / block.caption).parent.mkdir(exist_ok=True)
            (tmp_path / block.caption).write_text(block.body, "utf-8")
    return tmp_path


@pytest.fixture
def importing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Run in a folder of its own, import from there, and forget afterwards what came from it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        module = sys.modules[name]
        places = [getattr(module, "__file__", None) or "", *(getattr(module, "__path__", None) or ())]
        if any(str(place).startswith(str(tmp_path)) for place in places):
            del sys.modules[name]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_the_examples_of_a_page_run(page: str, importing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python of each page runs from its first block to its last, and holds its own assertions."""
    folder(importing, page)
    names: dict[str, Any] = {"__name__": page}
    with shop() as over_tri, java_shop() as over_dubbo:
        monkeypatch.setenv("FOO_URL", over_tri.url)
        monkeypatch.setenv("BAR_URL", over_tri.url)
        monkeypatch.setenv("SHOP_URL", over_dubbo.url)
        for block in blocks(page, "python"):
            if not block.caption:
                exec(compile(block.body, f"docs/{page}.rst", "exec"), names)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "yaml")])
def test_the_configurations_of_a_page_load(page: str, importing: Path) -> None:
    """Each YAML block is a configuration that loads, or a list of providers."""
    here = folder(importing, page)
    for block in blocks(page, "yaml"):
        if block.caption == _LISTING:
            assert len(read_listing(block.body.encode(), _LISTING))
        elif block.caption != _BROKEN:
            loaded = load_file(here / block.caption) if block.caption else load_text(block.body)
            assert loaded.references


def test_the_broken_configuration_says_what_the_page_says() -> None:
    """The errors that the page shows are those of the file that it shows."""
    shown = blocks("configuration")
    at = next(number for number, block in enumerate(shown) if block.caption == _BROKEN)
    with pytest.raises(ConfigError) as caught:
        load_text(shown[at].body, _BROKEN)

    assert f"{caught.value}\n" == shown[at + 1].body


def known_keys(tables: ModuleType) -> set[str]:
    """All keys of a configuration."""
    models = {model for model, _, _ in tables.TABLES.values()}
    return {*listing("reference"), *(key for model in models for key in yaml_keys(model).values())}


def test_every_key_has_a_row(tables: ModuleType) -> None:
    """The tables of the page have all keys of the models, each once, and name no other."""
    page = tables.expand(text_of("configuration"))
    rows = re.findall(r"^   \* - ``(\w+)``$", page, re.MULTILINE)
    keys = {key for table in tables.TABLES for key in tables.own_keys(table)}
    assert keys == known_keys(tables)

    assert keys == set(rows)
    assert ".. settings::" not in page
    for table, renamed in tables.DUBBO.items():
        assert set(renamed) <= set(tables.own_keys(table)), f"DUBBO names keys that the table {table} does not have"


def test_the_defaults_are_those_of_the_policies(tables: ModuleType) -> None:
    """A default in a table comes from the policy that the consumer runs by."""
    assert tables.default_of("call", "timeout_ms") == "1,000 ms"
    assert tables.default_of("call", "returns") == "true"
    assert tables.default_of("interface", "max_request_bytes") == "8 MiB"
    assert tables.default_of("interface", "protocol") == "what ``url`` says, else ``tri``"
    assert tables.default_of("reference", "interface") == "required"
    assert tables.type_of("call", "retries") == "whole number, 0 to 1,000"
    assert tables.type_of("interface", "heartbeat_ms".removesuffix("_ms")) == "duration, 0 or more"


def test_every_refused_key_is_named(tables: ModuleType) -> None:
    """The page lists each setting of Dubbo that is refused by name."""
    page = tables.expand(text_of("configuration"))
    refused = {key for section_ in REFUSED.values() for key in section_}

    assert {key for key in refused if f"``{key}``" not in page} == set()


def test_the_order_of_the_interceptors() -> None:
    """The tables of the page have the slots of the chains, in their order."""
    slots = re.findall(r"^``(\w+)`` ", section("interceptors", "The order"), re.MULTILINE)

    assert [*CALL_ORDER, *ATTEMPT_ORDER] == slots


def test_every_error_is_in_the_tree_and_in_the_advice() -> None:
    """The page draws every class of errors, and says of each that can be caught what to do."""
    page = text_of("errors")
    tree = blocks("errors", "text")[0].body
    classes = [name for name in errors.__all__ if isinstance(getattr(errors, name), type) and name != "Problem"]
    above = {"CallaheadError", "RegistryError", "RpcError", "ProtocolError"}

    assert [name for name in classes if not re.search(rf"\b{name}\b", tree)] == []
    assert [name for name in classes if name not in above and not re.search(rf"^`+{name}`+ ", page, re.MULTILINE)] == []


def test_the_tree_of_errors_is_that_of_the_classes() -> None:
    """What stands under a class in the drawing is its subclass."""
    path: list[tuple[int, str]] = []
    for line in blocks("errors", "text")[0].body.splitlines():
        depth, name = len(line) - len(line.lstrip()), re.split(r"\W", line.strip())[0]
        path = [one for one in path if one[0] < depth]
        made = getattr(errors, name, None)
        if path and made is not None:
            assert issubclass(made, getattr(errors, path[-1][1]))
        path.append((depth, name))


def test_every_command_and_option_is_described() -> None:
    """The page has each command, and each option of it."""
    page = text_of("command-line")
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        assert f"``callahead {name}" in page
        options = [option for one in command.params if isinstance(one, click.Option) for option in one.opts]
        assert [option for option in options if f"``{option}" not in page] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_begins_with_what_it_is_about(page: str) -> None:
    """A sentence or two stand between its title and all else."""
    _, _, text = text_of(page).partition("====\n\n")

    assert re.match(r"[^.\n].*\n(.+\n)*\n", text)
    assert not re.match(r".+\n-{3,}\n", text)


def test_every_public_name_is_in_the_reference() -> None:
    """What callahead.consumer and callahead.consumer.testing offer, each once; other packages are listed by Sphinx."""
    listed = re.findall(r"^\.\. auto(?:class|data|exception|function):: ([\w.]+)$", text_of("api"), re.MULTILINE)
    names = [name.removeprefix("callahead.consumer.testing.") for name in listed]

    assert sorted(name for name in names if "." not in name) == sorted([*consumer.__all__, *testing.__all__])


def test_every_entry_point_group_is_described() -> None:
    """The page has each extension point."""
    groups = {value for name, value in vars(extension).items() if name.isupper() and isinstance(value, str)}

    assert groups == set(re.findall(r"^``(callahead\.\w+)``", text_of("extending"), re.MULTILINE))


ANNOTATIONS = {
    **vars(hessian2),
    "Annotated": typing.Annotated,
    "Any": Any,
    "Iterable": Iterable,
    "JavaName": JavaName,
    "Decimal": Decimal,
    "UUID": UUID,
    "UTC": dt.UTC,
    **{name: getattr(dt, name) for name in ("datetime", "date", "time", "timedelta")},
}


def test_annotations_stand_for_the_types_that_the_page_says() -> None:
    """The first table of docs/dubbo.rst is what the stubs' reader does."""
    rows = _ROW.findall(section("dubbo", "Annotations"))

    assert len(rows) > 20
    assert [(python, java) for python, java in rows if java_type_of(eval(python, ANNOTATIONS)).erased != java] == []


def test_values_come_back_as_the_page_says() -> None:
    """The second table of docs/dubbo.rst is what hessian2 does."""
    rows = _ROW.findall(section("dubbo", "Values"))

    assert len(rows) > 15
    for python, back in rows:
        expected = eval(back, ANNOTATIONS)
        got = hessian2.loads(hessian2.dumps(eval(python, ANNOTATIONS)))
        assert got == expected, python
        assert isinstance(got, type(expected)), python


def features() -> list[list[str]]:
    """The rows of the table of all features: from, feature, here, page."""
    cells = r"   \* - (.*)\n     - (.*)\n     - (.*)\n     -(.*)\n"
    return [list(row) for row in re.findall(cells, text_of("features"))[1:]]


def lacks(name: str, keys: set[str]) -> str:
    """Say what of *name*, as the table of all features has it, is not there; "" for nothing."""
    if name.startswith("callahead "):
        command, *options = name.split()[1:]
        found = main.get_command(click.Context(main), command)
        known = [] if found is None else [one for param in found.params for one in param.opts]
        return "" if found is not None and set(options) <= set(known) else f"no command {name}"
    if ":" in name:
        return "" if name.partition(":")[0] in keys else f"no key {name}"
    found = {"scope": scope}.get(name.partition(".")[0], consumer)
    for part in name.removeprefix("scope.").split("."):
        if not hasattr(found, part):
            return f"no name {name}"
        found = getattr(found, part)
    return ""


def test_every_name_among_the_features_is_there(tables: ModuleType) -> None:
    """A key, a command with its options, or a name of callahead.consumer; what is not there says so."""
    keys = known_keys(tables)
    for _, feature, here, page in features():
        names = re.findall(r"``(.+?)``", here)
        assert list(filter(None, (lacks(name, keys) for name in names))) == []
        assert (here == "not yet") == (not names), feature
        assert (page.strip() == "") == (here == "not yet"), feature


def test_the_features_are_those_of_all_five_clients() -> None:
    """In groups, each feature once in its group."""
    rows = features()
    assert list(dict.fromkeys(row[0] for row in rows)) == [
        "Dubbo",
        "Ice",
        "AWS",
        "Aerospike",
        "jclouds",
        "none of them",
    ]
    assert len({(row[0], row[1]) for row in rows}) == len(rows) > 60


@pytest.mark.parametrize("name", ["asynch:", "Consumer.nothing", "nothing", "callahead no", "callahead run --no"])
def test_a_name_that_is_not_there_is_found(name: str, tables: ModuleType) -> None:
    """So that the test above can fail."""
    assert lacks(name, known_keys(tables))


def test_the_router_of_the_page_routes(importing: Path) -> None:
    """The example of docs/extending.rst keeps what every router promises."""
    folder(importing, "extending")
    zone = importlib.import_module("shop.zone")
    near, far = providers("tri://10.0.0.1:1?region=east", "tri://10.0.0.2:1?region=west")
    (router,) = zone.Zone.routers(zone.ZoneRule(parameter="region"), {"region": "east"}, "here")

    assert router.name == "zone east (here)"
    assert router.route((near, far), call()) == (near,)
    assert router.route((far,), call()) == (far,)

"""Everything that README.rst shows is run."""

from __future__ import annotations

import io
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callahead.config import load_file, load_text
from callahead.consumer import Consumer, RpcContext
from callahead.consumer.interceptor import Interceptor, Observer
from callahead.consumer.testing import EmbeddedProvider

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.rst").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks of *language*, in order, without their indentation."""
    found = re.findall(rf"^\.\. code-block:: {language}\n\n((?:    .*\n|\n)+)", README, re.MULTILINE)
    return ["\n".join(line[4:] for line in block.splitlines()).strip() + "\n" for block in found]


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedProvider]:
    """Both services of the README, where conf/shop.yml finds them."""
    with EmbeddedProvider() as provider:
        provider.serve(
            "com.alibaba.foo.FooService",
            module="callahead.conf.foo_pb2",
            findFoo=lambda request: {"foo_id": request.foo_id, "name": f"foo {request.foo_id}"},
        )
        provider.serve(
            "com.alibaba.bar.BarService",
            module="callahead.conf.bar_pb2",
            findBar=lambda request: {"bar_id": request.bar_id, "name": f"bar {request.bar_id}"},
            touch=lambda request: {},
        )
        monkeypatch.setenv("FOO_URL", provider.url)
        monkeypatch.setenv("BAR_URL", provider.url)
        monkeypatch.chdir(ROOT)
        yield provider


def test_the_lines_at_the_top_bring_both_answers(shop: EmbeddedProvider) -> None:
    """The first example works word for word on the configuration of the README."""
    with Consumer.from_file("conf/shop.yml") as consumer:
        names: dict[str, Any] = {
            "RpcContext": RpcContext,
            "foo_service": consumer.reference("fooService"),
            "bar_service": consumer.reference("barService"),
        }
        exec(blocks("python")[0], names)

        assert ("foo 1", "bar 2") == (names["foo"].name, names["bar"].name)


def test_the_line_that_needs_no_change_brings_both_answers(
    shop: EmbeddedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It works word for word where the YAML says lazy, as that of the demo's third run does."""
    for name in ("CALLAHEAD_DEMO_FOO", "CALLAHEAD_DEMO_BAR"):
        monkeypatch.setenv(name, shop.url)
    [line] = re.findall(r"^``(foo, bar = .*)``$", README, re.MULTILINE)
    with Consumer.from_file("conf/demo-lazy.yml") as consumer:
        names: dict[str, Any] = {
            "foo_service": consumer.reference("fooService"),
            "bar_service": consumer.reference("barService"),
        }
        exec(line, names)

        assert ("foo 1", "bar 2") == (names["foo"].name, names["bar"].name)


def test_the_whole_program_runs(shop: EmbeddedProvider, capsys: pytest.CaptureFixture[str]) -> None:
    """The program prints both answers, and those of the other views."""
    exec(blocks("python")[1], {})
    printed = capsys.readouterr().out

    assert ["foo 1", "bar 2", "foo 3", "foo 4", "foo 5"] == re.findall(r"(?:foo|bar) \d", printed)


def test_the_generated_stub_runs_on_a_channel(shop: EmbeddedProvider, capsys: pytest.CaptureFixture[str]) -> None:
    """One changed line takes an unmodified stub through the chain."""
    exec(blocks("python")[2], {"Consumer": Consumer, "RpcContext": RpcContext})

    assert ["foo 1", "foo 2"] == re.findall(r"foo \d", capsys.readouterr().out)


def test_a_java_provider_is_called_as_the_example_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The annotated class and the YAML of the Java example reach a provider that speaks the dubbo protocol."""
    module = types.ModuleType("shop.stock")
    monkeypatch.setitem(sys.modules, "shop", types.ModuleType("shop"))
    monkeypatch.setitem(sys.modules, "shop.stock", module)
    exec(blocks("python")[3], module.__dict__)
    article = module.Article("a chair", 19.5)

    with EmbeddedProvider(protocol="dubbo") as provider:
        provider.serve("com.alibaba.stock.StockService", {"findArticle": article}, group="retail", version="1.0.0")
        written = blocks("yaml")[2].replace("dubbo://127.0.0.1:20880", provider.url)
        with Consumer(load_text(written)) as consumer:
            assert consumer.reference("stockService").find_article(7, None) == article


def test_the_testing_example_passes() -> None:
    """The embedded provider's example holds its own assertions."""
    exec(blocks("python")[4], {})


def test_the_interceptors_are_what_they_claim() -> None:
    """The two example classes are an observer and an interceptor."""
    names: dict[str, Any] = {}
    exec(blocks("python")[5], names)

    assert isinstance(names["Audit"](), Observer)
    assert isinstance(names["Fallback"](), Interceptor)


@pytest.mark.long
def test_the_package_index_can_show_it() -> None:
    """The index shows nothing at all of a page with one fault in it; its own renderer finds none."""
    rst = pytest.importorskip("readme_renderer.rst", reason="the extra full is needed: pip install -e '.[full]'")
    faults = io.StringIO()

    assert rst.render(README, stream=faults) is not None
    assert faults.getvalue() == ""
    rst.render(f"{README}\n:doc:`index`\n", stream=faults)
    assert 'Unknown interpreted text role "doc"' in faults.getvalue()


def test_a_client_of_any_library_is_called_as_the_example_says() -> None:
    """The examples hold their own assertions, and the configuration above them loads."""
    names: dict[str, Any] = {}
    exec(blocks("python")[6], names)
    exec(blocks("python")[7], names)
    assert load_text(blocks("yaml")[3]).references["s3"].is_local


def test_the_configuration_is_the_file_that_it_names() -> None:
    """The YAML in the README is that of conf/shop.yml."""
    written = [
        line for line in (ROOT / "conf" / "shop.yml").read_text("utf-8").splitlines() if not line.startswith("#")
    ]

    assert blocks("yaml")[0].splitlines() == written


def test_the_registry_example_is_valid() -> None:
    """The file registry's example loads."""
    assert ("shop",) == load_text(blocks("yaml")[1]).references["fooService"].registries


@pytest.mark.parametrize("path", sorted((ROOT / "conf").glob("*.yml")), ids=lambda path: path.name)
def test_every_sample_configuration_is_valid(path: Path) -> None:
    """Each file in conf/ that is a configuration loads; providers.yml is a registry's list."""
    if path.name != "providers.yml":
        assert load_file(path).references

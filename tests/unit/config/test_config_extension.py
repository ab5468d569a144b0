"""Names of extensions, from whatever distribution offers them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from callahead.config import extension

ENTRY_POINTS = """\
[callahead.transport]
carrier-pigeon = pigeon:Pigeon
passenger-pigeon = no_such_module_anywhere:Pigeon

[callahead.interceptor]
audit = shop.audit:Audit
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with another distribution's entry points in it."""
    metadata = tmp_path / "shop_extensions-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-extensions\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "pigeon.py").write_text("class Pigeon: pass\n")
    return tmp_path


def run(code: str, site: Path) -> str:
    """Run *code* in a process that finds the distribution in *site*, since each process looks them up once."""
    command = f"import sys; sys.path.insert(0, {str(site)!r})\n{code}"
    return subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout


def test_our_own_extensions_are_available() -> None:
    """What setup.cfg declares is found like any other."""
    assert {"failfast", "failover"} <= set(extension.available(extension.CLUSTER))


def test_an_unknown_name_ends_with_the_nearest() -> None:
    """The message offers the name that was probably meant."""
    with pytest.raises(LookupError) as caught:
        extension.load(extension.CLUSTER, "failovr")
    assert str(caught.value) == 'unknown cluster "failovr"; did you mean "failover"?'


@pytest.mark.parametrize(
    ("group", "name"),
    [
        *((extension.CLUSTER, name) for name in ("mock", "adaptive-service", "adaptiveService")),
        *((extension.LOADBALANCE, name) for name in ("aliasmethod", "aliasMethod", "consistenthashing")),
        *((extension.REGISTRY, name) for name in ("etcd", "service-discovery-registry")),
        *((extension.TRANSPORT, name) for name in ("rest", "native-thrift", "hessian")),
        (extension.INTERCEPTOR, "consumercontext"),
    ],
)
def test_a_name_of_dubbos_is_not_supported_yet(group: str, name: str) -> None:
    """Nobody who asks for what Dubbo has is sent to something that does another thing, however near its name is."""
    text, hint = extension.unknown(group, name)
    assert text.endswith(f' "{name}" is not supported yet')
    assert "did you mean" not in hint


@pytest.mark.parametrize(
    ("name", "names", "hint"),
    [
        ("on", ["one", "two"], 'did you mean "one"?'),
        ("xyz", ["two", "one"], "known: one, two"),
        (
            "xyz",
            [f"name{number:02}" for number in range(12)],
            f"known: {', '.join(f'name{n:02}' for n in range(10))} and 2 more",
        ),
        ("grpc", ["dubbo", "tri"], 'did you mean "tri"?'),
        ("xyz", [], ""),
    ],
)
def test_a_hint_is_the_nearest_name_or_the_first_or_nothing(name: str, names: list[str], hint: str) -> None:
    """Without a near name ten are listed; what others call ours is near."""
    assert extension.nearest(name, names) == hint


def test_an_object_is_found_by_module_and_name() -> None:
    """Dots after the colon go into classes."""
    assert extension.load_object("pathlib:Path.cwd") == Path.cwd


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("pathlib", '"pathlib" is not of the form "package.module:name"'),
        (":name", '":name" is not of the form "package.module:name"'),
        ("pathlib:Pth", '"pathlib:Pth": pathlib has no "Pth"; did you mean "Path"?'),
        ("types:NoneType.xyz", '"types:NoneType.xyz": types has no "xyz"'),
    ],
)
def test_an_object_that_is_not_there_is_a_lookup_error(path: str, message: str) -> None:
    """The message says what is wrong with the path."""
    with pytest.raises(LookupError) as caught:
        extension.load_object(path)
    assert str(caught.value) == message


def test_another_distributions_protocol_is_known_to_the_configuration(site: Path) -> None:
    """A protocol need only be installed, and one without settings declares none."""
    code = (
        "from callahead.config import load_mapping\n"
        "foo = {'interface': 'a.Foo', 'url': 'carrier-pigeon://roof:1', 'interceptors': ['audit']}\n"
        "policy = load_mapping({'references': {'foo': foo}}).references['foo']\n"
        "print(policy.protocol, *policy.default.interceptors)"
    )
    assert run(code, site) == "carrier-pigeon audit\n"


def test_a_protocol_that_cannot_be_imported_is_refused_where_it_is_named(site: Path) -> None:
    """Nobody knows what its references may set; a reference of another protocol is not concerned."""
    code = (
        "from callahead.config import ConfigError, load_mapping\n"
        "foo = {'interface': 'a.Foo', 'url': 'passenger-pigeon://roof:1'}\n"
        "bar = {'interface': 'a.Bar', 'url': 'tri://h:1', 'keepaliv': 1}\n"
        "try: load_mapping({'references': {'foo': foo, 'bar': bar}})\n"
        "except ConfigError as error: print(error)"
    )
    assert run(code, site) == (
        '<mapping>: references.bar.keepaliv: unknown key (did you mean "keepalive"?)\n'
        '<mapping>: references.foo.url: protocol "passenger-pigeon" cannot be used: '
        "ModuleNotFoundError: No module named 'no_such_module_anywhere'\n"
    )


def test_an_address_of_another_protocol_than_the_references_is_an_impossible_pair(site: Path) -> None:
    """Both protocols exist, but one reference speaks one."""
    code = (
        "from callahead.config import ConfigError, load_mapping\n"
        "foo = {'interface': 'a.Foo', 'url': 'carrier-pigeon://roof:1', 'protocol': 'tri'}\n"
        "try: load_mapping({'references': {'foo': foo}})\n"
        "except ConfigError as error: print(error)"
    )
    assert run(code, site) == (
        "<mapping>: references.foo.url: says carrier-pigeon, but protocol is tri (make them the same)\n"
    )


def test_the_consumers_protocol_gives_way_to_an_address(site: Path) -> None:
    """An address is the reference's own word, the consumer's protocol is only a default."""
    code = (
        "from callahead.config import load_mapping\n"
        "references = {'near': {'interface': 'a.A', 'url': 'tri://h:1'}, 'far': {'interface': 'a.B', 'url': 'h:1'}}\n"
        "config = load_mapping({'consumer': {'protocol': 'carrier-pigeon'}, 'references': references})\n"
        "print(*(url for reference in config.references.values() for url in (reference.protocol, *reference.urls)))"
    )
    assert run(code, site) == "tri tri://h:1 carrier-pigeon carrier-pigeon://h:1\n"


def test_an_extension_that_cannot_be_imported_is_an_import_error(site: Path) -> None:
    """A missing package of an extension is not mistaken for an unknown name."""
    code = (
        "from callahead.config import extension\n"
        "try: extension.load(extension.TRANSPORT, 'passenger-pigeon')\n"
        "except ImportError as error: print(error)"
    )
    assert run(code, site) == "No module named 'no_such_module_anywhere'\n"

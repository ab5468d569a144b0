"""From an address to a registry."""

import subprocess
import sys
from pathlib import Path

import pytest

from callahead.config.errors import ConfigError
from callahead.config.policy import RegistryPolicy
from callahead.registry import FileRegistry, MemoryRegistry, open_registry


def policy(address: str) -> RegistryPolicy:
    return RegistryPolicy(id="main", address=address, origins={"address": "conf/x.yml:3"})


@pytest.mark.parametrize(("address", "kind"), [("memory://shop", MemoryRegistry), ("FILE:p.yml", FileRegistry)])
def test_the_scheme_names_the_kind(address: str, kind: type) -> None:
    """Through the entry points, whatever the case of the letters."""
    registry = open_registry(policy(address))
    registry.close()
    assert isinstance(registry, kind)


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("memmory://shop", 'unknown registry "memmory" (did you mean "memory"?)'),
        ("etcd3://h:1", 'registry "etcd3" is not supported yet (known: '),
        ("gossip://h:1", 'unknown registry "gossip" (known: '),
        ("p.yml", 'the address "p.yml" has no scheme (write it like file:providers.yml or memory://name)'),
        ("", 'the address "" has no scheme (write it like file:providers.yml or memory://name)'),
        ("no scheme://me:pw@h", 'the address "no scheme://***@h" has no scheme (write it like file:'),
    ],
)
def test_an_unknown_scheme_is_a_config_error(address: str, what: str) -> None:
    """It names the registry, the line and the nearest scheme."""
    with pytest.raises(ConfigError) as caught:
        open_registry(policy(address))
    assert str(caught.value).startswith(f"conf/x.yml:3: registries.main.address: {what}")


PROGRAM = """
from callahead.config.policy import RegistryPolicy
from callahead.registry import open_registry
try:
    open_registry(RegistryPolicy(id="main", address="moon://h:1"))
except ValueError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("extra", "hint"),
    [("Provides-Extra: moon\n", 'pip install "moonbase[moon]"'), ("", "install the package that it names")],
)
def test_a_missing_package_names_what_to_install(tmp_path: Path, extra: str, hint: str) -> None:
    """The extra is that of the distribution which declares the entry point, ours or another."""
    info = tmp_path / "moonbase-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: moonbase\nVersion: 1.0\n{extra}")
    (info / "entry_points.txt").write_text("[callahead.registry]\nmoon = moonbase_registry:MoonRegistry\n")
    (tmp_path / "moonbase_registry.py").write_text("import moon_client_that_is_not_there\n")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{PROGRAM}"
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert run.stdout == (
        "<mapping>: registries.main.address: a moon registry cannot be loaded: "
        f"No module named 'moon_client_that_is_not_there' ({hint})\n"
    )

"""The shape of the source tree: what is packaged, who may import whom, and what importing costs."""

from __future__ import annotations

import ast
import configparser
import importlib
import importlib.metadata
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from support.order import LONGEST, TESTS

import callahead
import callahead.config
import callahead.consumer
import callahead.registry

ROOT = Path(__file__).parents[2]
PARTS = ("config", "registry", "consumer", "conf")
pytestmark = pytest.mark.source

# Floors of the source tree, lowest first: a module imports its own floor and lower ones, and no two of it in a circle.
# What only a type checker sees counts, too.
FLOORS = (
    ("config",),
    ("registry",),
    ("consumer.errors", "consumer.runtime", "consumer.wire"),
    ("consumer.call", "consumer.codec"),
    ("consumer.interface", "consumer.interceptor", "consumer.limit", "consumer.loadbalance", "consumer.router"),
    ("consumer.cluster", "consumer.transport"),
    ("consumer.reference",),
    ("consumer.scope",),
    (
        "consumer.bootstrap",
        "consumer.given",
        "consumer.living",
        "consumer.reloading",
        "consumer.channel",
        "consumer.discovery",
        "consumer.testing",
        "consumer.cli",
    ),
)
# Rooms inside config, likewise; its other modules are its doors, which import any of them.
CONFIG_FLOORS = (
    ("config.attempts", "config.errors", "config.extension", "config.values"),
    ("config.policy", "config.read", "config.settings"),
    ("config.check",),
    ("config.resolve",),
)
# Facades name what is above them, lazily; the samples are data.
FACADES = ("consumer", "consumer.codec.javaface", "conf")
NETWORK = ("grpc", "socket", "ssl", "selectors")
# Generated stubs are made on a channel.
NETWORK_ROOMS = (
    "consumer.transport", "consumer.testing", "consumer.channel",
    "consumer.interface.proto.recording",
    "registry.dns.resolving", "registry.host", "registry.nacos.connection", "registry.nacos.login",
    "registry.zookeeper.handler", "registry.zookeeper.session",
)  # fmt: skip


def modules() -> list[Path]:
    return sorted(path for part in PARTS for path in (ROOT / part).rglob("*.py") if not path.stem.endswith("_pb2"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def names() -> frozenset[str]:
    return frozenset(name_of(path) for path in modules())


@cache
def _import_statements(path: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """Find them wherever they stand in *path*, which is read once for all tests."""
    tree = ast.parse(path.read_text("utf-8"))
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))


@cache
def imports_of(path: Path) -> tuple[str, ...]:
    """Names of all that *path* imports anywhere in it: ours as ``consumer.x``, down to the module."""
    package = name_of(path).split(".") if path.stem == "__init__" else name_of(path).split(".")[:-1]
    found: list[str] = []
    for node in _import_statements(path):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        else:
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [f"{module}.{alias.name}" for alias in node.names]
    return tuple(_module_of(name.removeprefix("callahead.")) for name in found)


def _absolute(path: Path) -> list[str]:
    """Names of the modules from which *path* imports, where they are not relative."""
    froms = [node for node in _import_statements(path) if isinstance(node, ast.ImportFrom)]
    return [node.module for node in froms if not node.level and node.module]


def _module_of(name: str) -> str:
    """Cut the name of something in a module of ours down to that of the module."""
    parts = name.split(".")
    cut = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((one for one in cut if one in names()), name)


def _in_room(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def floor_of(name: str, floors: Sequence[Sequence[str]] = FLOORS) -> int | None:
    return next((n for n, floor in enumerate(floors) if any(_in_room(name, room) for room in floor)), None)


def room_of(name: str) -> str:
    """The room on the first level: ``consumer.transport`` for all that is in it."""
    return next((room for floor in FLOORS for room in floor if _in_room(name, room)), name)


def is_facade(name: str) -> bool:
    return name in FACADES or name.startswith("conf.")


def imports_upwards(path: Path, floors: Sequence[Sequence[str]]) -> list[str]:
    own = floor_of(name_of(path), floors)
    if own is None:
        return []
    return [one for one in imports_of(path) if (floor := floor_of(one, floors)) is not None and floor > own]


def circle_in(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """A circle of *graph*, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_every_folder_with_code_is_packaged() -> None:
    """A subpackage that setup.cfg forgets would pass every editable test and be absent from the wheel."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = set(setup["options"]["packages"].split())

    folders = {f"callahead.{name_of(path)}" for part in PARTS for path in (ROOT / part).rglob("__init__.py")}

    assert folders | {"callahead"} == listed


def test_every_folder_with_modules_is_a_package() -> None:
    """A folder without __init__.py would be left out of the wheel without a word."""
    bare = {path.parent for path in modules() if not (path.parent / "__init__.py").exists()}

    assert set() == bare


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_imports_only_its_own_floor_and_lower_ones(path: Path) -> None:
    """Layers import downwards only, in config/ too."""
    name = name_of(path)
    if is_facade(name):
        return
    assert floor_of(name) is not None, f"{name} has no floor: give it one in FLOORS"
    assert imports_upwards(path, FLOORS) + imports_upwards(path, CONFIG_FLOORS) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not even for types alone: what is in a circle can be neither read nor tested by itself."""
    graph = {name_of(path): imports_of(path) for path in modules() if not is_facade(name_of(path))}
    ours = {name: {one for one in found if one in graph and one != name} for name, found in graph.items()}
    assert circle_in(ours) == []


def test_no_rooms_import_each_other_in_a_circle() -> None:
    """Rooms on one floor have an order, too."""
    graph: dict[str, set[str]] = {}
    for path in modules():
        name = name_of(path)
        if not is_facade(name):
            rooms = {room_of(one) for one in imports_of(path) if floor_of(one) is not None}
            graph.setdefault(room_of(name), set()).update(rooms - {room_of(name)})
    assert circle_in(graph) == []


@pytest.mark.parametrize(
    "graph", [{"a": ["b"], "b": ["a"]}, {"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]}], ids=["two", "three"]
)
def test_a_circle_is_found(graph: dict[str, list[str]]) -> None:
    """The two tests above can fail."""
    assert set(circle_in(graph)) >= {"a", "b"}


def test_an_import_for_types_alone_counts() -> None:
    """What stands under TYPE_CHECKING only is seen like all else."""
    api = ROOT / "consumer" / "transport" / "api.py"

    assert "if TYPE_CHECKING:\n    from callahead.config.settings import" in api.read_text("utf-8")
    assert "config.settings" in imports_of(api)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_inside_a_package_imports_are_relative(path: Path) -> None:
    """One style: ``callahead.x`` is written only from one of the three packages to another."""
    package = name_of(path).partition(".")[0]
    if package == "conf":  # generated code
        return
    assert [name for name in _absolute(path) if _in_room(name, f"callahead.{package}")] == []


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_no_module_imports_a_package_by_its_folder(path: Path) -> None:
    """``import config`` from the root of the checkout would make a second copy of every class."""
    statements = _import_statements(path)
    plain = [alias.name for node in statements if isinstance(node, ast.Import) for alias in node.names]
    plain += _absolute(path)

    assert [] == [name for name in plain if name.partition(".")[0] in PARTS]


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_only_transports_know_the_network(path: Path) -> None:
    """Nothing above transports and sessions of registries sees a grpc or socket type, but for the gRPC facade."""
    name = name_of(path)
    if name.startswith((*NETWORK_ROOMS, "conf.")):
        return

    assert [] == [one for one in imports_of(path) if one.partition(".")[0] in NETWORK]


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_file_is_one_idea(path: Path) -> None:
    """A file stays under about 450 lines."""
    assert len(path.read_text("utf-8").splitlines()) <= 470


@pytest.mark.parametrize(
    "package", [callahead.config, callahead.registry, callahead.consumer], ids=lambda p: p.__name__
)
def test_all_names_of_a_facade_exist_and_are_sorted(package: object) -> None:
    """``__all__`` is the public interface: sorted, and every name in it can be had."""
    names = list(package.__all__)  # type: ignore[attr-defined]

    assert sorted(names) == names
    assert [] == [name for name in names if not hasattr(package, name)]


def test_every_module_can_be_imported() -> None:
    """No module is broken, not even one that nothing imports."""
    packages = [callahead.config, callahead.registry, callahead.consumer]
    names = [
        found.name for package in packages for found in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    ]

    for name in names:
        if not name.endswith("__main__"):
            importlib.import_module(name)

    assert len(names) > 50


def test_every_extension_point_of_ours_is_declared() -> None:
    """What setup.cfg declares can be loaded, and is found by the name that a configuration uses."""
    from callahead.config import extension

    groups = (extension.REGISTRY, extension.TRANSPORT, extension.LOADBALANCE, extension.CLUSTER, extension.ROUTER)
    for group in groups:
        names = extension.available(group)
        assert names, group
        for name in names:
            assert isinstance(extension.load(group, name), type)


def _in_fresh_python(code: str, folder: Path | None = None, **environment: str) -> str:
    command, env = [sys.executable, "-c", code], {**os.environ, **environment}
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder, env=env).stdout


def test_the_package_itself_offers_what_the_consumer_does() -> None:
    """``from callahead import Consumer`` gives the very class, and nothing else is public."""
    assert callahead.Consumer is callahead.consumer.Consumer
    assert callahead.__version__ == importlib.metadata.version("callahead")
    assert {*callahead.consumer.__all__, "__version__"} <= set(dir(callahead))
    with pytest.raises(AttributeError, match="module 'callahead' has no attribute 'Konsumer'"):
        callahead.Konsumer  # noqa: B018


@pytest.mark.parametrize("folder", [ROOT, ROOT.parent], ids=["in the checkout", "elsewhere"])
def test_the_package_can_be_run_and_imported_from_anywhere(folder: Path) -> None:
    """No folder of the checkout stands in the way of the installed package."""
    code = "import callahead, callahead.config; print(callahead.Consumer.__module__)"
    assert _in_fresh_python(code, folder).strip() == "callahead.consumer.bootstrap"
    command = [sys.executable, "-m", "callahead", "--version"]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    assert callahead.__version__ in run.stdout


def test_importing_the_consumer_imports_no_heavy_package() -> None:
    """The facades cost next to nothing: grpc, pydantic, yaml, asyncio and click wait until they are needed."""
    heavy = ("grpc", "pydantic", "yaml", "asyncio", "click", "rich", "wrapt", "google.protobuf")
    code = f"import callahead, callahead.consumer, sys; print([m for m in {heavy!r} if m in sys.modules])"

    assert "[]" == _in_fresh_python(code).strip()


def test_importing_the_consumer_class_stays_within_its_budget(tmp_path: Path) -> None:
    """``from callahead.consumer import Consumer, RpcContext`` takes four times the CPU of asyncio, and no grpc.

    That is 150 ms where asyncio, which is among it, takes some 38: on a busy machine both take longer.
    """
    code = (
        "import time; start = time.process_time()\n"
        "import asyncio; middle = time.process_time()\n"
        "from callahead.consumer import Consumer, RpcContext, InvocationFuture\n"
        "import sys; print('grpc' in sys.modules, (time.process_time() - start) / (middle - start))"
    )
    # As it is once installed, compiled: some environments keep no bytecode of a checkout.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    shares = []
    for _ in range(15):  # until one stays within it: a shared machine makes many look slow
        grpc, share = _in_fresh_python(code, **compiled).split()
        assert grpc == "False"
        shares.append(float(share))
        if shares[-1] < 4:
            break
    assert min(shares) < 4


def test_the_test_command_of_the_readme_is_the_one_that_ci_runs() -> None:
    """Two commands in README.rst do everything, and CI runs just these."""
    readme = (ROOT / "README.rst").read_text("utf-8")
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    commands = re.findall(r"^    (python3 -m venv .*)$", readme, re.MULTILINE)

    assert 2 == len(commands)
    assert all(command in ci for command in commands)


def test_the_tests_that_begin_first_are_there() -> None:
    """Whoever gives one of these files another name does so in their list, too."""
    assert [name for name in LONGEST if not (TESTS / name).is_file()] == []

"""``callahead check --types`` and ``--connect``: all that would fail at the first call, before there is one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from click.testing import CliRunner, Result
from support import tri_peers
from support.tri_peers import Peer

from callahead.config.policy import SslPolicy
from callahead.consumer.cli.main import main
from callahead.consumer.testing import EmbeddedProvider

GREETER = "interface: helloworld.Greeter"
MODULE = f"{GREETER}\n    module: helloworld_pb2"
ROUGH = """
def wrong(value): raise RuntimeError
number = 5
print("hello from the module")

class Fine:
    def on_start(self, invocation): ...
    def on_end(self, token, outcome): ...

class Neither: ...

class Greeter:
    def say_hello(self, name: str) -> str: ...
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    Path("rough_shop.py").write_text(ROUGH)
    Path("broken_shop.py").write_text("raise ValueError('not today')\n")
    yield
    sys.modules.pop("rough_shop", None)


def check(yaml: str, *options: str) -> Result:
    Path("shop.yml").write_text(yaml)
    return CliRunner().invoke(main, ["check", "shop.yml", *options])


def references(**named: str) -> str:
    return "references:\n" + "".join(f"  {name}:\n    {settings}\n" for name, settings in named.items())


def problems(result: Result) -> list[str]:
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return [line for line in result.stderr.splitlines() if line.startswith("shop.yml")]


def test_types_finds_all_that_cannot_be_imported_at_once() -> None:
    """Stubs, modules, protos, interceptors, callbacks, mocks and errors, each at its line, and the rest goes on."""
    Path("bad.proto").write_text("nonsense")
    result = check(
        references(
            one=f"{GREETER}\n    module: no_such_pb2\n    url: tri://h:1",
            two=f"{GREETER}\n    stub: broken_shop:Stub\n    url: dubbo://h:1\n    protocol: dubbo",
            three=f"{GREETER}\n    proto: bad.proto\n    url: tri://h:1",
            four=f"{MODULE}\n    url: tri://h:1\n    interceptors: [rough_shop:Neither, rough_shop:Gone]",
            five=f"{MODULE}\n    url: tri://h:1\n    onreturn: broken_shop:x\n    onthrow: rough_shop:number",
            six=f"{MODULE}\n    url: tri://h:1\n    methods: {{SayHelo: {{}}, SpellHello: {{async: true}}}}",
            seven=f"{MODULE}\n    url: tri://h:1\n    interceptors: [rough_shop:Fine]\n    oninvoke: rough_shop:wrong",
            eight=f"{MODULE}\n    url: tri://h:1\n    mock: 'fail:rough_shop:gone'\n    validation: rough_shop:number\n"
            "    idempotent: true\n    retry_on: [rough_shop:number, 'no.such:Error']",
        ),
        "--types",
    )
    found = problems(result)
    assert result.exit_code == 1
    for line, text in (
        (4, "references.one.module: cannot import"),
        (8, "references.two.stub: cannot import"),
        (13, "references.three.proto: "),
        (19, 'interceptor "rough_shop:Neither" is neither'),
        (19, 'has no "Gone"'),
        (24, 'references.five.methods.*.onreturn: cannot import "broken_shop:x": ValueError: not today'),
        (25, "references.five.methods.*.onthrow: "),
        (30, 'has no method "SayHelo"'),
        (30, "SpellHello"),
        (41, "references.eight.methods.*.mock: "),
        (42, "references.eight.methods.*.validation: "),
        (44, '"rough_shop:number" is no class of exceptions'),
        (44, "No module named"),
    ):
        assert any(one.startswith(f"shop.yml:{line}: ") and text in one for one in found), "\n".join([text, *found])
    assert "seven: ok, 4 declared methods" in result.stdout
    assert result.stdout.endswith(f"shop.yml: {len(found)} problems, 8 references, 2 methods\n")


def test_a_setting_that_many_methods_have_is_one_finding() -> None:
    """What the reference says for all of them is loaded, and found wrong, once."""
    methods = "methods: {SayHello: {}, SpellHello: {}, GatherHellos: {}}"
    result = check(
        references(one=f"{MODULE}\n    url: tri://h:1\n    interceptors: [no.such:A]\n    {methods}"), "--types"
    )
    assert len(problems(result)) == 1


def test_types_reads_certificates_and_files_of_providers(certificates: Path) -> None:
    """A key of another certificate, a missing list and a list without the service are found without a connection."""
    Path("providers.yml").write_text("- tri://127.0.0.1:1/a.B\n")
    registries = "registries:\n  here: {address: 'file:providers.yml'}\n  gone: {address: 'file:gone.yml'}\n"
    ssl = f"ssl: {{cert: {certificates}/client.pem, key: {certificates}/server.key}}"
    result = check(
        registries
        + references(
            keys=f"{MODULE}\n    url: tri://h:1\n    {ssl}",
            gone=f"{MODULE}\n    registry: gone",
            none=f"{MODULE}\n    registry: here",
        ),
        "--types",
    )
    found = problems(result)
    assert (result.exit_code, len(found)) == (1, 3)
    assert found[0].startswith("shop.yml:3: registries.gone.address: ")
    assert "gone.yml: the file does not exist" in found[0]
    assert "shop.yml:9: references.keys.ssl.key: " in found[1]
    assert found[2].startswith("shop.yml:17: references.none.registry: no provider is known: ")


def test_types_of_what_is_right_is_a_line_for_each_reference() -> None:
    """Status 0; what only a provider knows is no fault."""
    result = check(
        references(
            stub=f"{GREETER}\n    stub: rough_shop:Greeter\n    url: dubbo://h:1",
            module=f"{MODULE}\n    url: tri://h:1",
            asked=f"{GREETER}\n    url: tri://h:1",
        ),
        "--types",
    )
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "stub: ok, 1 declared method",
        "module: ok, 4 declared methods",
        "asked: ok, whose methods only a provider knows",
        "shop.yml: ok, 3 references, 0 methods",
    ]
    assert result.stderr == "hello from the module\n"


@pytest.fixture
def java(certificates: Path) -> Iterator[Callable[..., EmbeddedProvider]]:
    """Start providers of a Java interface over dubbo."""
    started: list[EmbeddedProvider] = []

    def start(**options: Any) -> EmbeddedProvider:
        provider = EmbeddedProvider(protocol="dubbo", **options)
        provider.serve("helloworld.Greeter", sayHello=lambda name: name)
        started.append(provider.start())
        return provider

    yield start
    for provider in started:
        provider.stop()


def test_connect_asks_every_provider_and_calls_no_method(
    make_provider: Callable[..., EmbeddedProvider], java: Callable[..., EmbeddedProvider]
) -> None:
    """GRPC with and without reflection, and dubbo: each is there, and nobody's method has run."""
    reflecting, plain, dubbo = make_provider(reflection=True, health=True), make_provider(), java()
    result = check(
        references(
            both=f"{MODULE}\n    url: [{reflecting.url}, {plain.url}]\n    interceptors: [rough_shop:Fine]",
            asked=f"{GREETER}\n    url: {reflecting.url}\n    methods: {{SayHello: {{async: true}}}}",
            java=f"{GREETER}\n    stub: rough_shop:Greeter\n    url: {dubbo.url}\n    return: false",
        ),
        "--connect",
    )
    assert result.exit_code == 0, result.stderr
    lines = [line.rpartition(", ")[0] if line.endswith(" ms") else line for line in result.stdout.splitlines()]
    assert lines == [
        "both: ok, 4 declared methods",
        f"  {reflecting.url}: ok, it serves and has the service, 4 methods",
        f"  {plain.url}: ok, it speaks gRPC, and does not tell its methods",
        "asked: ok, whose methods only a provider knows",
        f"  {reflecting.url}: ok, it serves and has the service, 4 methods",
        "java: ok, 1 declared method",
        f"  {dubbo.url}: ok, it has the service",
        "shop.yml: ok, 3 references, 1 method",
    ]
    assert [one.count() for one in (reflecting, plain, dubbo)] == [0, 0, 0]


def test_connect_finds_what_the_first_call_would(
    certificates: Path, make_provider: Callable[..., EmbeddedProvider], java: Callable[..., EmbeddedProvider]
) -> None:
    """Refused, unknown, wrong TLS, wrong protocol, no such service or method: each at the line of the address."""
    served = SslPolicy(cert=str(certificates / "server.pem"), key=str(certificates / "server.key"))
    reflecting, tls, dubbo = make_provider(reflection=True), make_provider(ssl=served), java()
    silent = make_provider()
    keys = f"{{cert: {certificates}/ca.pem, key: {certificates}/server.key}}"
    port = dubbo.url.rpartition(":")[2]
    result = check(
        references(
            closed=f"{MODULE}\n    url: tri://127.0.0.1:1",
            unknown=f"{MODULE}\n    url: tri://no-such-host.invalid:1",
            plain=f"{MODULE}\n    url: {tls.url}",
            authority=f"{MODULE}\n    url: {tls.url}\n    ssl: {{ca: {certificates}/other_ca.pem}}",
            grpc=f"{GREETER}\n    stub: rough_shop:Greeter\n    url: dubbo://{reflecting.url.removeprefix('tri://')}",
            java=f"{MODULE}\n    url: tri://127.0.0.1:{port}",
            service=f"interface: helloworld.Greter\n    url: {reflecting.url}",
            method=f"{GREETER}\n    url: {reflecting.url}\n    methods: {{SayHelo: {{}}}}",
            types=f"{GREETER}\n    url: {silent.url}",
            keys=f"{MODULE}\n    url: {tls.url}\n    ssl: {keys}",
            other=f"interface: a.Other\n    url: {dubbo.url}",
            good=f"{MODULE}\n    url: {reflecting.url}",
        ),
        "--connect",
        "--timeout=1500",
    )
    found = problems(result)
    assert result.exit_code == 1
    for name, text in (
        ("closed", "Connection refused"),
        ("unknown", "no-such-host.invalid"),
        ("plain", "it may speak TLS there, or not gRPC (ssl is not set; protocol tri, shop.yml:13; url, shop.yml:13)"),
        ("authority", "(ssl.ca, shop.yml:18; url, shop.yml:17)"),
        ("grpc", "it answers like HTTP/2, as gRPC does (protocol dubbo, shop.yml:22; url, shop.yml:22)"),
        ("java", "gRPC"),
        ("service", 'the server has no service "helloworld.Greter" (did you mean "helloworld.Greeter"?)'),
        ("method", 'has no method "SayHelo"'),
        ("types", "it serves no reflection (give stub:, module: or proto:)"),
        ("other", "a.Other"),
    ):
        assert any(f" references.{name}.url: " in one and text in one for one in found), (name, text, found)
    assert next(one for one in found if ".keys." in one).partition(": ")[2].startswith("references.keys.ssl.key: ")
    assert len(found) == 11
    assert "good: ok, 4 declared methods" in result.stdout


def test_connect_follows_registries() -> None:
    """Providers come from the file that the registry names, and their line is that of the reference's registry."""
    Path("providers.yml").write_text("- tri://127.0.0.1:1/helloworld.Greeter?token=hunter2\n")
    registries = "registries:\n  main: {address: 'file:providers.yml'}\n"
    result = check(registries + references(one=f"{MODULE}\n    registry: main"), "--connect")
    [problem] = problems(result)
    assert problem.startswith("shop.yml:7: references.one.registry: tri://127.0.0.1:1: no connection: ")
    assert "hunter2" not in result.output


def test_connect_says_which_registry_knows_no_applications() -> None:
    """Where a reference asks for just those, at the line of what it asks for."""
    Path("providers.yml").write_text("[]")
    registries = "registries:\n  main: {address: 'file:providers.yml'}\n"
    of_main = f"{MODULE}\n    registry: main\n    check: false"
    forced, named = f"{of_main}\n    migration_step: FORCE_APPLICATION", f"{of_main}\n    provided_by: shop"
    result = check(registries + references(one=forced, two=named), "--connect")
    why = 'registry "main" knows no applications, which'
    assert problems(result) == [
        f"shop.yml:9: references.one.migration_step: {why} FORCE_APPLICATION asks for alone",
        f"shop.yml:15: references.two.provided_by: {why} this asks for (remove it)",
    ]


def test_connect_asks_those_too_that_rules_keep_calls_from() -> None:
    """By their tag, or by a rule: whoever is listed is asked."""
    Path("providers.yml").write_text("- tri://127.0.0.1:1/helloworld.Greeter?dubbo.tag=gray\n")
    registries = "registries:\n  main: {address: 'file:providers.yml'}\n"
    routers = "routers: {condition: {conditions: ['=> ']}}"
    result = check(registries + references(one=f"{MODULE}\n    registry: main\n    {routers}"), "--connect")
    [problem] = problems(result)
    assert problem.startswith("shop.yml:7: references.one.registry: tri://127.0.0.1:1: no connection: ")


def test_a_mute_peer_costs_the_timeout_and_no_more() -> None:
    """One that accepts and never speaks is a finding, and the others are asked meanwhile."""
    with Peer(tri_peers.mute) as mute:
        port = mute.url.rpartition(":")[2]
        began = time.monotonic()
        result = check(
            references(
                grpc=f"{MODULE}\n    url: {mute.url}",
                dubbo=f"{GREETER}\n    url: dubbo://127.0.0.1:{port}",
            ),
            "--connect",
            "--timeout=300ms",
        )
    assert time.monotonic() - began < 20
    assert (result.exit_code, len(problems(result))) == (1, 2)
    assert "no answer within 300 ms" in result.stderr


def test_a_server_that_does_not_serve() -> None:
    """It answers, and says so by gRPC's health, as while it starts or stops."""
    health = {"Check": grpc.unary_unary_rpc_method_handler(lambda request, context: b"\x08\x02")}
    with ThreadPoolExecutor(2) as pool:
        handlers = [grpc.method_handlers_generic_handler("grpc.health.v1.Health", health)]
        server = grpc.server(pool, handlers=handlers)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        result = check(references(one=f"{MODULE}\n    url: tri://127.0.0.1:{port}"), "--connect")
        server.stop(0).wait()
    assert result.exit_code == 1
    assert "it says that it does not serve" in problems(result)[0]


def test_json_is_for_scripts(make_provider: Callable[..., EmbeddedProvider]) -> None:
    """One object on stdout with all findings and providers, and nothing on stderr."""
    provider = make_provider(reflection=True)
    url = f"url: ['{provider.url}', 'tri://127.0.0.1:1']"
    result = check(references(one=f"{MODULE}\n    {url}"), "--connect", "--json")
    document = json.loads(result.stdout)
    [problem] = document["problems"]
    [reference] = document["references"]
    assert (result.exit_code, result.stderr, document["status"]) == (1, "", "failed")
    assert (problem["file"], problem["line"], problem["key"]) == ("shop.yml", 5, "references.one.url")
    assert [one["status"] for one in reference["providers"]] == ["ok", "failed"]
    assert reference["methods"] == ["SayHello", "SpellHello", "GatherHellos", "ChatHello"]


def test_json_of_a_file_that_cannot_be_obeyed() -> None:
    """Its problems are in the object, with the status that they have without it."""
    result = check("references: {foo: {}}", "--json")
    assert result.exit_code == 2
    assert {one["line"] for one in json.loads(result.stdout)["problems"]} == {1}


def test_a_timeout_that_is_none() -> None:
    """It is a usage error."""
    result = check(references(one=f"{MODULE}\n    url: tri://h:1"), "--connect", "--timeout", "soon")
    assert result.exit_code == 2
    assert "--timeout" in result.stderr


@pytest.mark.slow
def test_the_command_itself(provider: EmbeddedProvider, tmp_path: Path) -> None:
    """As a program it prints what it prints here, finds modules of the current folder, and leaves nothing running."""
    (tmp_path / "shop.yml").write_text(
        references(one=f"{MODULE}\n    url: {provider.url}\n    interceptors: [rough_shop:Fine]")
        + references(two=f"{MODULE}\n    url: tri://127.0.0.1:1").removeprefix("references:\n")
    )
    command = [sys.executable, "-m", "callahead", "check", "shop.yml", "--connect"]
    path = str(Path(__file__).parents[1] / "support" / "protos")
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={"PYTHONPATH": path, "PATH": ""}
    )
    assert done.returncode == 1
    assert f"  {provider.url}: ok, it speaks gRPC" in done.stdout
    said, problem = done.stderr.splitlines()
    assert said == "hello from the module"
    assert problem.startswith("shop.yml:10: references.two.url: tri://127.0.0.1:1: no connection: ")

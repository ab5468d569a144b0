"""How an embedded provider is set up, and what it says of a wrong set-up; nothing here is called over the network."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any

import pytest

from callahead.config.errors import ConfigError
from callahead.config.policy import SslPolicy
from callahead.consumer.testing import EmbeddedProvider

FOO = "com.alibaba.foo.FooService"
MODULE = "callahead.conf.foo_pb2"


def refused(action: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        action()
    return str(caught.value)


def test_a_process_of_providers_is_started_without_grpc() -> None:
    """It is imported there, and who starts the process need not wait for that."""
    code = "import sys; from callahead.consumer.testing import ProviderProcess; print('grpc' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


def test_an_unknown_method_is_refused() -> None:
    """A misspelt function is told, with the nearest method."""
    provider = EmbeddedProvider()
    assert refused(lambda: provider.serve(FOO, module=MODULE, findFo=None)) == (
        'EmbeddedProvider: the interface "com.alibaba.foo.FooService" has no method "findFo" (did you mean "findFoo"?)'
    )


def test_an_unknown_interface_is_refused() -> None:
    """What a reference would be told, without its file."""
    provider = EmbeddedProvider()
    assert refused(lambda: provider.serve("com.alibaba.foo.Foo", module=MODULE)) == (
        'EmbeddedProvider: interface: "callahead.conf.foo_pb2" has no service "com.alibaba.foo.Foo" '
        '(did you mean "com.alibaba.foo.FooService"?)'
    )


def test_an_interface_without_a_source_must_be_imported() -> None:
    """Generated modules that are imported are known by themselves; others must be named."""
    import callahead.conf.bar_pb2  # noqa: F401

    assert EmbeddedProvider().serve("com.alibaba.bar.BarService").interface == "com.alibaba.bar.BarService"
    assert refused(lambda: EmbeddedProvider().serve("no.such.Service")) == (
        'EmbeddedProvider: no imported module has the service "no.such.Service" (give module=, stub= or proto=)'
    )


def test_a_function_of_three_arguments_is_refused() -> None:
    """A handler takes the request, or the request and the call."""
    message = refused(lambda: EmbeddedProvider().serve(FOO, module=MODULE, findFoo=lambda a, b, c: None))
    assert message.endswith("must take one argument, the request, or two, the request and the call")


def test_an_object_without_a_method_of_the_interface_is_refused() -> None:
    """An object that serves nothing is a mistake."""
    assert refused(lambda: EmbeddedProvider().serve(FOO, 5, module=MODULE)) == (
        "EmbeddedProvider: 5 has no method of com.alibaba.foo.FooService (one of: findFoo, listFoos)"
    )


def test_a_script_for_an_unserved_method_is_refused() -> None:
    """So is a look at its calls."""
    provider = EmbeddedProvider()
    provider.serve(FOO, module=MODULE, findFoo=None)
    text = 'EmbeddedProvider: no method "findFooo" is served (did you mean "findFoo"?)'
    assert refused(lambda: provider.script("findFooo", delay=1)) == text
    assert refused(lambda: provider.calls_of("findFooo")) == text


def test_a_script_for_no_call_is_refused() -> None:
    """Times counts calls."""
    provider = EmbeddedProvider()
    provider.serve(FOO, module=MODULE, findFoo=None)
    assert refused(lambda: provider.script("findFoo", times=0)) == "EmbeddedProvider: times must be 1 or more, not 0"


def test_a_method_of_two_services_must_be_told_apart(tmp_path: Any) -> None:
    """Where two services have the method, the interface before it decides."""
    for name in ("a", "b"):
        text = f'syntax = "proto3"; package {name}; message M {{}} service S {{ rpc Do(M) returns (M); }}'
        (tmp_path / f"{name}.proto").write_text(text)
    provider = EmbeddedProvider()
    for name in ("a", "b"):
        provider.serve(f"{name}.S", proto=str(tmp_path / f"{name}.proto"), do=None)
    assert refused(lambda: provider.script("Do", delay=1)) == (
        'EmbeddedProvider: "Do" is served by several services (one of: a.S.Do, b.S.Do)'
    )
    provider.script("b.S.Do", delay=1)


def test_there_is_no_address_before_the_start() -> None:
    """An address that nobody listens on is not given out."""
    assert refused(lambda: EmbeddedProvider().url) == (
        "EmbeddedProvider: it has no address: it was not started, or is stopped"
    )


def test_a_taken_port_is_refused() -> None:
    """A port that another socket listens on is not shared."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert refused(EmbeddedProvider(port=port).start) == (
            f"EmbeddedProvider: cannot listen on 127.0.0.1:{port}: Address already in use"
        )


def test_tls_needs_a_certificate_and_its_key() -> None:
    """Half of a pair is no identity."""
    assert refused(lambda: EmbeddedProvider(ssl=SslPolicy(cert="x.pem"))) == "EmbeddedProvider: ssl needs cert and key"


def test_a_file_that_cannot_be_read_is_named() -> None:
    """TLS files are read at once."""
    assert refused(lambda: EmbeddedProvider(ssl=SslPolicy(cert="/nowhere/c.pem", key="/nowhere/k.pem"))) == (
        "EmbeddedProvider: cannot read /nowhere/k.pem: No such file or directory"
    )


@pytest.mark.parametrize(
    ("option", "module", "package"),
    [
        ("reflection", "grpc_reflection", "grpcio-reflection"),
        ("health", "grpc_health", "grpcio-health-checking"),
    ],
)
def test_a_missing_package_is_named(option: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Extra services say what they need."""
    monkeypatch.setitem(sys.modules, module, None)
    assert refused(lambda: EmbeddedProvider(**{option: True})) == (  # type: ignore[arg-type]
        f"EmbeddedProvider: the package {package} is not installed (pip install {package})"
    )

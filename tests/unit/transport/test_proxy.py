"""Which proxy the environment names, and for whom; each line was tried with grpcio, too."""

from __future__ import annotations

import logging

import pytest

from callahead.consumer.transport.tcp.proxy import HttpProxy, proxy_to

HERE = "http://10.9.9.9:3128"


def named(host: str = "foo.internal", **environment: str) -> str:
    proxy = proxy_to(host, environment)
    return "" if proxy is None else proxy.variable


@pytest.mark.parametrize(
    ("environment", "variable"),
    [
        ({}, ""),
        ({"http_proxy": HERE}, "http_proxy"),
        ({"https_proxy": HERE, "http_proxy": "http://other:1"}, "https_proxy"),
        ({"grpc_proxy": HERE, "https_proxy": "http://other:1", "http_proxy": "http://other:1"}, "grpc_proxy"),
        ({"grpc_proxy": "", "http_proxy": HERE}, ""),
        ({"HTTP_PROXY": HERE, "all_proxy": HERE}, ""),
    ],
)
def test_the_first_variable_that_is_set_counts(environment: dict[str, str], variable: str) -> None:
    """One that is empty says that there is none; their names are lower case, as gRPC's are."""
    assert named(**environment) == variable


@pytest.mark.parametrize(
    ("written", "proxy"),
    [
        (HERE, HttpProxy("10.9.9.9", 3128, "http_proxy")),
        ("HTTP://Proxy.internal:1/path?x=1", HttpProxy("proxy.internal", 1, "http_proxy")),
        ("http://proxy", HttpProxy("proxy", 443, "http_proxy")),
        ("http://[::1]:3128", HttpProxy("::1", 3128, "http_proxy")),
        ("http://us%40er:p%3Aw@proxy:1", HttpProxy("proxy", 1, "http_proxy", "us@er:p:w")),
        ("http://user@proxy:1", HttpProxy("proxy", 1, "http_proxy", "user")),
    ],
)
def test_what_a_variable_says(written: str, proxy: HttpProxy) -> None:
    """A URL, with a user perhaps; the port is 443 where there is none."""
    assert proxy_to("foo.internal", {"http_proxy": written}) == proxy


@pytest.mark.parametrize(
    "written", ["proxy:3128", "https://u:secret@proxy:1", "http://", "http://proxy:99999", "http://[::1"]
)
def test_what_names_no_http_proxy_is_ignored(written: str, caplog: pytest.LogCaptureFixture) -> None:
    """As by gRPC; a warning names the variable, and shows nothing of what may be a secret."""
    with caplog.at_level(logging.WARNING, "callahead.consumer.tri"):
        assert proxy_to("foo.internal", {"https_proxy": written}) is None
    assert caplog.messages == ["https_proxy is not of the form http://[user:password@]host:port, and is ignored"]


@pytest.mark.parametrize(
    "entry", ["foo.internal", "internal", ".internal", "FOO.Internal", "bar, internal ", ",,internal"]
)
def test_a_name_or_a_domain_above_it_is_spared(entry: str) -> None:
    """Whatever the case, and with or without a dot before it."""
    assert named(http_proxy=HERE, no_proxy=entry) == ""


@pytest.mark.parametrize("entry", ["nternal", "*", "*.internal", "foo.internal:50051", " ", ",", "bar.foo.internal"])
def test_nothing_else_is_spared(entry: str) -> None:
    """A piece of a label, a wildcard and a port are not understood."""
    assert named(http_proxy=HERE, no_proxy=entry) == "http_proxy"


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/8"),
        ("10.1.2.3", "0.0.0.0/0"),
        ("::1", "::1"),
        ("fd00::1", "fd00::/8"),
    ],
)
def test_an_address_in_a_network_is_spared(host: str, entry: str) -> None:
    """Where it is written as an address; no name is looked up for that."""
    assert named(host, http_proxy=HERE, no_proxy=entry) == ""


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        ("10.1.2.3", "10.1.2.0/33"),
        ("10.1.2.3", "10.0.0.0/x"),
        ("10.1.2.3", "10.0.0.0/255.0.0.0"),
        ("10.1.2.3", "::/0"),
        ("::1", "[::1]"),
        ("foo.internal", "0.0.0.0/0"),
    ],
)
def test_other_networks_spare_nobody(host: str, entry: str) -> None:
    """What is no network, and those of the other family."""
    assert named(host, http_proxy=HERE, no_proxy=entry) == "http_proxy"


def test_grpcs_own_list_goes_before(caplog: pytest.LogCaptureFixture) -> None:
    """Where it is set at all: an empty one spares nobody."""
    assert named(http_proxy=HERE, no_grpc_proxy="", no_proxy="foo.internal") == "http_proxy"
    assert named(http_proxy=HERE, no_grpc_proxy="foo.internal", no_proxy="") == ""
    assert caplog.messages == []


def test_no_secret_is_shown() -> None:
    """Neither to a debugger nor in a message."""
    proxy = HttpProxy("::1", 3128, "grpc_proxy", "user:secret")
    assert repr(proxy) == "<the proxy [::1]:3128 (grpc_proxy)>"
    assert "secret" not in repr((proxy,))


def test_what_a_proxy_is_asked() -> None:
    """For a way to a host, which the proxy looks up, with user and password as RFC 7617 writes them."""
    assert HttpProxy("proxy", 1, "grpc_proxy", "us@er:p:w").request(b"foo.internal:50051") == (
        b"CONNECT foo.internal:50051 HTTP/1.1\r\n"
        b"Host: foo.internal:50051\r\n"
        b"User-Agent: callahead\r\n"
        b"Proxy-Authorization: Basic dXNAZXI6cDp3\r\n"
        b"\r\n"
    )
    assert b"Authorization" not in HttpProxy("proxy", 1, "grpc_proxy").request(b"foo.internal:50051")

"""The Dubbo URL grammar."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callahead.config.values.line import one_line
from callahead.registry.errors import ProviderDataError
from callahead.registry.models import Endpoint, ServiceKey
from callahead.registry.url import Url, endpoint_of, matches, parse_urls

PROVIDER = (
    "dubbo://10.0.0.7:20880/com.alibaba.foo.FooService?anyhost=true&application=shop&dubbo=2.0.2&group=g1"
    "&interface=com.alibaba.foo.FooService&methods=findFoo,findBar&findFoo.timeout=300&timestamp=1700000000000"
    "&version=1.0&weight=200"
)

plain_text = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
hosts = st.one_of(
    st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,10}[A-Za-z0-9])?", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.just("fe80::1%eth0"),
)
urls = st.builds(
    Url,
    protocol=st.text(string.ascii_lowercase, min_size=1, max_size=6),
    username=plain_text,
    password=plain_text,
    host=hosts,
    port=st.integers(0, 65535),
    path=plain_text,
    parameters=st.dictionaries(plain_text.filter(bool), plain_text, max_size=4),
)


def key(group: str = "", version: str = "", interface: str = "a.B") -> ServiceKey:
    return ServiceKey(interface, group, version)


@given(urls)
def test_a_formatted_url_is_read_back_equal(url: Url) -> None:
    """Whatever a URL holds survives format and parse."""
    assert Url.parse(url.format()) == url


@given(st.lists(urls, min_size=1, max_size=4), st.sampled_from([";", ",", " ; ", ",\n", ";;"]))
def test_formatted_urls_survive_in_a_list(several: list[Url], separator: str) -> None:
    """No part of a URL looks like the boundary to the next one."""
    assert parse_urls(separator.join(url.format() for url in several)) == tuple(several)


def test_a_url_inside_a_path_or_value_is_not_taken_for_the_next_of_a_list() -> None:
    """What looks like a boundary is escaped, and still readable otherwise."""
    url = Url(protocol="tri", host="h", port=1, path="p,tri://q;r", parameters={"k,x://": "v,tri://w;z"})
    assert parse_urls(f"{url.format()},{url.format()}") == (url, url)
    assert url.format() == "tri://h:1/p,tri%3A//q%3Br?k,x:%2F%2F=v,tri:%2F%2Fw%3Bz"


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_provider_data_error(text: str) -> None:
    """No other exception leaves the parser, and what it accepts can be written."""
    try:
        url = Url.parse(text)
    except ProviderDataError:
        return
    assert Url.parse(url.format()) == url


@given(st.text("tri:/[]@?&=;,%1aé \n", max_size=30).map("tri://".__add__))
def test_text_of_the_grammar_s_own_characters_is_a_url_or_provider_data_error(text: str) -> None:
    """The same for texts that come near to being URLs."""
    try:
        url = Url.parse(text)
    except ProviderDataError:
        return
    assert Url.parse(url.format()) == url


secrets = st.from_regex(r"S3cr3t[A-Za-z0-9?/@:#&=+ ]{0,8}", fullmatch=True)


@given(secrets, st.sampled_from(["h:1", "h", "h:x", "[::1", "h:1/p?a=b", "/x", "h,i:1"]))
def test_a_password_shows_in_no_text_but_format(secret: str, rest: str) -> None:
    """Even where the user forgot to escape it, or the URL is wrong elsewhere."""
    try:
        url = Url.parse(f"tri://me:{secret}@{rest}")
        shown = str(url) + repr(url)
    except ProviderDataError as error:
        shown = str(error)
    assert "S3cr3t" not in shown


def test_every_part_of_a_provider_url_is_read() -> None:
    """A URL as Java providers register it gives all of its parts."""
    url = Url.parse(PROVIDER)
    assert (url.protocol, url.host, url.port, url.path) == ("dubbo", "10.0.0.7", 20880, "com.alibaba.foo.FooService")
    assert url.parameters["methods"] == "findFoo,findBar"
    assert url.service == ServiceKey("com.alibaba.foo.FooService", "g1", "1.0")
    assert url.format() == PROVIDER


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("tri://h", "h", 0),
        ("tri://h/", "h", 0),
        ("tri://h:1", "h", 1),
        ("TRI://H:65535", "H", 65535),
        ("tri://[::1]:50051", "::1", 50051),
        ("tri://[::1]", "::1", 0),
        ("tri://[fe80::1%25eth0]:1", "fe80::1%eth0", 1),
        ("tri://me:pw@[::1]:1/p", "::1", 1),
        ("dubbo://fe80:0:0:0:894:aeec:f37d:23e1:20880/a.B", "fe80:0:0:0:894:aeec:f37d:23e1", 20880),
        ("file:///etc/providers.yml", "", 0),
        ("tri://my_service.shop:1", "my_service.shop", 1),
    ],
)
def test_host_and_port_are_taken_apart(text: str, host: str, port: int) -> None:
    """Names, addresses and both spellings of IPv6 are understood."""
    url = Url.parse(text)
    assert (url.host, url.port) == (host, port)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("127.0.0.1:1", "it has no protocol; write it like tri://host:port"),
        ("tri:/h:1", "it has no protocol; write it like tri://host:port"),
        ("", "it has no protocol; write it like tri://host:port"),
        ("3ri://h:1", "its protocol is not a lower-case name such as tri"),
        ("://h:1", "its protocol is not a lower-case name such as tri"),
        ("tri://h:", "its port is not a number in 1..65535"),
        ("tri://h:0", "its port is not a number in 1..65535"),
        ("tri://h:65536", "its port is not a number in 1..65535"),
        ("tri://h:-1", "its port is not a number in 1..65535"),
        ("tri://h:٣", "its port is not a number in 1..65535"),
        ("tri://h:8o80", "its port is not a number in 1..65535"),
        ("tri://::1:50051", "its IPv6 host is not written like [::1]:20880"),
        ("tri://[::1", "its IPv6 host is not written like [::1]:20880"),
        ("tri://[::1]50051", "its IPv6 host is not written like [::1]:20880"),
        ("tri://[::g]:1", "its host is not an IPv6 address"),
        ("tri://[1::2::3]:1", "its host is not an IPv6 address"),
        ("tri://[fe80::1%25a b]:1", "its host is not an IPv6 address"),
        ("tri://h1:1,h2:1", "its host is a list; write each address as a URL of its own, separated by ;"),
        ("tri://h1,h2:1", "its host is a list; write each address as a URL of its own, separated by ;"),
        ("tri://h h:1", "its host holds a character that no host has"),
        (f"tri://{'h' * 256}:1", "its host has 256 characters, and a host has at most 255"),
        ("tri://:1", "it has no host"),
        ("tri://h:1/%FF", "its percent-escapes are not UTF-8"),
        ("tri://h:1/a?k=%C3%28", "its percent-escapes are not UTF-8"),
        ("tri://h:1/a?=v", "it has a parameter without a name"),
        ("tri://h:1/a%00b", "it holds a control character or half a surrogate pair"),
        ("tri://h:1/a\ud800", "it holds a control character or half a surrogate pair"),
    ],
)
def test_what_is_no_url_is_quoted_and_explained(text: str, what: str) -> None:
    """The error repeats the text and names the part that is wrong."""
    with pytest.raises(ProviderDataError) as caught:
        Url.parse(text)
    assert str(caught.value) == one_line(f'"{text}": {what}')


def test_a_url_of_any_size_is_refused_unread_and_unquoted() -> None:
    """Ten megabytes from a registry are not taken apart, and no piece of a password is shown."""
    with pytest.raises(ProviderDataError, match=r"^a URL has 10000022 characters, and may have 65536$"):
        Url.parse(f"tri://user:secret@h:1?{'a=b&' * 2_500_000}")


def test_a_long_list_of_nothing_is_soon_taken_apart() -> None:
    """In time that grows with its length and no faster."""
    blank = " " * 500_000
    assert [str(url) for url in parse_urls(f"tri://h:1{blank};{blank};tri://h:2,{blank}tri://h:3")] == [
        "tri://h:1",
        "tri://h:2",
        "tri://h:3",
    ]


@pytest.mark.parametrize("fields", [{"port": 70000}, {"host": "a/b"}, {"protocol": "Tri"}, {"host": "", "port": 1}])
def test_a_url_that_could_not_be_written_cannot_be_made(fields: dict[str, object]) -> None:
    """The constructor holds the grammar too, so that format cannot lie."""
    with pytest.raises(ValueError, match=r"^it"):
        Url(**{"protocol": "tri", "host": "h", **fields})  # type: ignore[arg-type]


def test_parameters_cannot_be_changed() -> None:
    """A URL is immutable, its parameters included."""
    given_parameters = {"a": "1"}
    url = Url(protocol="tri", host="h", parameters=given_parameters)
    given_parameters["a"] = "2"
    assert url.parameters["a"] == "1"
    with pytest.raises(TypeError):
        url.parameters["a"] = "3"  # type: ignore[index]


def test_odd_queries_are_read_as_dubbo_reads_them() -> None:
    """Empty pieces are skipped, the last of two equal keys wins, and a key may have no value."""
    assert dict(Url.parse("tri://h?&a=1&&b&a=2=3&c=%26+%20x").parameters) == {"a": "2=3", "b": "", "c": "&+ x"}


def test_backup_hosts_stay_a_parameter() -> None:
    """Several addresses of one registry are for that registry to take apart."""
    url = Url.parse("zookeeper://h1:2181?backup=h2:2181,h3:2181")
    assert (url.host, url.parameters["backup"]) == ("h1", "h2:2181,h3:2181")
    assert url.format() == "zookeeper://h1:2181?backup=h2:2181,h3:2181"


def test_a_method_s_parameter_wins_over_the_plain_one_and_that_over_the_default_one() -> None:
    """``<method>.<key>``, then ``<key>``, then ``default.<key>``, then the caller's default."""
    url = Url.parse("tri://h?find.timeout=1&timeout=2&default.timeout=3&default.retries=4")
    assert url.parameter("timeout", method="find") == "1"
    assert url.parameter("timeout", method="save") == "2"
    assert url.parameter("retries") == "4"
    assert url.parameter("actives", "5") == "5"


@pytest.mark.parametrize(
    "text",
    ["tri://a:1;tri://b:2", "tri://a:1,tri://b:2", " tri://a:1 ;\n tri://b:2 ; ", "tri://a:1, tri://b:2", "a:1;b:2"],
)
def test_lists_are_separated_by_semicolon_or_comma(text: str) -> None:
    """Both of Dubbo's separators work, with white space round them, and a default protocol fills in."""
    assert [str(url) for url in parse_urls(text, default_protocol="tri")] == ["tri://a:1", "tri://b:2"]


def test_a_comma_inside_a_value_separates_nothing() -> None:
    """``methods=a,b`` is one value."""
    assert len(parse_urls("tri://h:1?methods=a,b,c")) == 1


@pytest.mark.parametrize("text", ["", "  ", ";", " ; ;"])
def test_an_empty_list_of_urls_is_an_error(text: str) -> None:
    """Nothing where a URL is expected is said so."""
    with pytest.raises(ProviderDataError, match=r"^there is no URL where one or more are expected$"):
        parse_urls(text)


def test_secret_parameters_are_masked() -> None:
    """A provider's token is no more for the log than a password."""
    url = Url.parse("tri://me:pw@h:1/a.B?token=t0ken&accessKey=k3y&version=1")
    assert str(url) == "tri://***@h:1/a.B?token=***&accessKey=***&version=1"
    assert repr(url) == "<Url tri://***@h:1/a.B?token=***&accessKey=***&version=1>"
    assert "t0ken" not in repr(endpoint_of(url))


def test_an_endpoint_has_the_url_s_values() -> None:
    """Protocol, address, path, weight and every parameter are carried over."""
    url = Url.parse(PROVIDER)
    assert endpoint_of(url) == Endpoint(
        protocol="dubbo",
        host="10.0.0.7",
        port=20880,
        path="com.alibaba.foo.FooService",
        weight=200,
        parameters=url.parameters,
    )


@pytest.mark.parametrize(
    ("query", "weight"), [("", 100), ("?weight=0", 0), ("?default.weight=7", 7), ("?weight=10000", 10000)]
)
def test_the_weight_is_read(query: str, weight: int) -> None:
    """100 where there is none, 0 included, and the spelling of Dubbo 2.6 understood."""
    endpoint = endpoint_of(Url.parse(f"tri://h:1{query}"))
    assert endpoint is not None
    assert endpoint.weight == weight


@pytest.mark.parametrize("weight", ["10001", "-1", "1.5", "x", "", "1" * 40])
def test_a_weight_out_of_range_is_an_error(weight: str) -> None:
    """The error shows the weight and the range."""
    with pytest.raises(ProviderDataError) as caught:
        endpoint_of(Url.parse(f"tri://h:1?weight={weight}"))
    assert str(caught.value) == f'"tri://h:1?weight={weight}": the weight "{weight}" is not a whole number in 0..10000'


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("tri://h", "it has no port; write tri://host:port"),
        ("tri:///a.B", "it has no host; write tri://host:port"),
    ],
)
def test_an_endpoint_needs_host_and_port(text: str, what: str) -> None:
    """No port is guessed."""
    with pytest.raises(ProviderDataError) as caught:
        endpoint_of(Url.parse(text))
    assert str(caught.value) == one_line(f'"{text}": {what}')


@pytest.mark.parametrize(
    "text",
    [
        "tri://h:1/a.B?enabled=false",
        "tri://h:1/a.B?disabled=true",
        "tri://h:1/a.B?category=configurators",
        "override://0.0.0.0/a.B?timeout=1",
        "empty://0.0.0.0/a.B?category=providers",
        "consumer://10.0.0.1/a.B?category=consumers",
    ],
)
def test_what_is_no_provider_or_switched_off_is_filtered(text: str) -> None:
    """Such entries give no endpoint, match nothing and are no error."""
    url = Url.parse(text)
    assert endpoint_of(url) is None
    assert not matches(url, key())


@pytest.mark.parametrize(
    ("provided", "asked", "answer"),
    [
        ("tri://h:1/a.B", key(), True),
        ("tri://h:1/a.C", key(), False),
        ("tri://h:1", key(), True),
        ("tri://h:1/x?interface=a.B", key(), True),
        ("tri://h:1/a.B?interface=a.C", key(), False),
        ("tri://h:1/a.C", key(interface="*"), True),
        ("tri://h:1/a.B?group=g", key(), False),
        ("tri://h:1/a.B?group=g", key("g"), True),
        ("tri://h:1/a.B", key("g"), False),
        ("tri://h:1/a.B?group=g", key("*"), True),
        ("tri://h:1/a.B", key("*"), True),
        ("tri://h:1/a.B?group=g", key("f, g"), True),
        ("tri://h:1/a.B?group=h", key("f,g"), False),
        ("tri://h:1/a.B?version=1.0", key(version="1.0"), True),
        ("tri://h:1/a.B?version=1.0", key(version="1.0.0"), False),
        ("tri://h:1/a.B?version=1.0", key(version="2.0,1.0"), True),
        ("tri://h:1/a.B?version=1.0", key(version="*"), True),
        ("tri://h:1/a.B?group=g&version=1.0", key("g", "*"), True),
        ("tri://h:1/a.B?group=g&version=1.0", key("*", ""), False),
    ],
)
def test_a_provider_matches_interface_group_and_version(provided: str, asked: ServiceKey, answer: bool) -> None:
    """Equal, in the comma list, or asked for with a star."""
    assert matches(Url.parse(provided), asked) is answer

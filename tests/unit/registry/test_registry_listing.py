"""What a file of providers may say."""

from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callahead.registry.errors import ProviderDataError
from callahead.registry.listing import MAX_BYTES, read_listing


def read(text: str) -> list[str]:
    services = read_listing(text.encode(), "p.yml").services
    return [f"{key} {one} {one.weight}" for key, endpoints in services.items() for one in endpoints]


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("[]", []),
        ("{}", []),
        ("a.B: []", []),
        ("- tri://h:1/a.B\n- tri://h:2\n", ["a.B tri://h:1 100", "* tri://h:2 100"]),
        ("- tri://h:1/x?interface=a.B&group=g&version=1.0&weight=3", ["g/a.B:1.0 tri://h:1 3"]),
        ("- {url: tri://h:1/a.B, weight: 7}", ["a.B tri://h:1 7"]),
        ("- url: tri://h:1/a.B?weight=9&group=g\n  weight: 7", ["g/a.B tri://h:1 7"]),
        ("a.B:\n- tri://h:1\na.C:\n- tri://h:2", ["a.B tri://h:1 100", "a.C tri://h:2 100"]),
        ("g/a.B:1.0: [tri://h:1]", ["g/a.B:1.0 tri://h:1 100"]),
        ("a.B:\n- tri://h:1/a.Other?group=g", ["g/a.B tri://h:1 100"]),
        ("- tri://h:1?disabled=true\n- tri://[::1]:2", ["* tri://[::1]:2 100"]),
        ("\ufeff# bars\n- tri://h:1/a.B # the first\n", ["a.B tri://h:1 100"]),
        ("x: &one [tri://h:1]\ny: *one", ["x tri://h:1 100", "y tri://h:1 100"]),
    ],
)
def test_a_list_or_a_mapping_of_lists_is_read(text: str, entries: list[str]) -> None:
    """Service, endpoint and weight come out of every form."""
    assert read(text) == entries


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "p.yml:1: it is empty; write [] for no providers"),
        ("# nothing\n", "p.yml:1: it is empty; write [] for no providers"),
        ("~", "p.yml:1: it is neither a list of provider URLs nor a mapping from services to such lists"),
        ("tri://h:1", "p.yml:1: it is neither a list of provider URLs nor a mapping from services to such lists"),
        ("a.B:\n", "p.yml:1: the providers of a.B are not a list; write [] for none"),
        ("a.B: tri://h:1", "p.yml:1: the providers of a.B are not a list; write [] for none"),
        ("- tri://h:1\n- tri://h\n", 'p.yml:2: "tri://h": it has no port; write tri://host:port'),
        ("- tri://u:pw@h:x", 'p.yml:1: "tri://***@h:x": its port is not a number in 1..65535'),
        ("- [tri://h:1]", "p.yml:1: a provider is not a URL or a mapping with url and weight"),
        ("-\n- tri://h:1", "p.yml:1: a provider is not a URL or a mapping with url and weight"),
        ('- {url: tri://h:1, weight: "\\0"}', "p.yml:1: it holds a control character or half a surrogate pair"),
        ("- {weight: 3}", "p.yml:1: a provider has no url"),
        ("- {url: tri://h:1, wieght: 3}", 'p.yml:1: a provider has no key "wieght"; did you mean "weight"?'),
        ("- {url: [tri://h:1]}", "p.yml:1: url is not one value"),
        (
            "- tri://h:2\n- url: tri://h:1\n  weight: 10001",
            'p.yml:2: "tri://h:1?weight=10001": the weight "10001" is not a whole number in 0..10000',
        ),
        ("a.B: []\na.B: []", 'p.yml:2: "a.B" stands there twice, first on line 1'),
        ("[a]: []", "p.yml:1: a key is not text"),
        ("'g/': []", 'p.yml:1: "g/" names no interface'),
        ("- tri://h:1\n\t- tri://h:2", "p.yml:2: a tab cannot indent YAML (use spaces)"),
        ("---\n[]\n---\n[]", "p.yml:3: a second document begins here, one is expected"),
        ("- a\x01b", "p.yml:1: not YAML: character U+0001 is not allowed"),
        ('- "\\U00110000"', "p.yml: not YAML: chr() arg not in range(0x110000)"),
        ("[" * 600, "p.yml: is nested too deeply"),
        ("- " * 600, "p.yml: is nested too deeply"),
        (
            "a.B: [tri://h:1?weight=3]",
            (
                "p.yml:1: not YAML: expected ',' or ']', but got '?', while parsing a flow sequence "
                "(put a URL with a ? between quotes)"
            ),
        ),
        ("#" * (MAX_BYTES + 1), "p.yml: is larger than 1048576 bytes, the most that a list may have"),
    ],
)
def test_a_fault_is_named_with_its_line(text: str, message: str) -> None:
    """File, line, what is wrong and, where it helps, what to write."""
    with pytest.raises(ProviderDataError) as caught:
        read(text)
    assert str(caught.value) == message


def test_bytes_that_are_not_utf_8_are_named_with_their_line() -> None:
    """A list saved in another encoding is not guessed at."""
    with pytest.raises(ProviderDataError) as caught:
        read_listing(b"- tri://h:1\n# caf\xe9\n", "p.yml")
    assert str(caught.value) == "p.yml:2: is not UTF-8: byte 0xe9 at offset 17 (save the file as UTF-8)"


def test_the_sample_file_is_read() -> None:
    """What conf/ shows to users works."""
    sample = files("callahead.conf") / "providers.yml"
    services = read_listing(sample.read_bytes(), "providers.yml").services
    assert {str(key): [(one.port, one.weight) for one in endpoints] for key, endpoints in services.items()} == {
        "com.alibaba.foo.FooService": [(50051, 100), (50052, 200)],
        "com.alibaba.bar.BarService": [(50061, 50)],
    }


@given(st.one_of(st.binary(max_size=80), st.text("[]{}-:,?&*! \n\"'%tri/h1#|>", max_size=60).map(str.encode)))
def test_any_bytes_are_a_list_or_provider_data_error(data: bytes) -> None:
    """No exception of YAML or of the codec leaves the reader."""
    try:
        read_listing(data, "p.yml")
    except ProviderDataError as error:
        assert str(error).startswith("p.yml")  # noqa: PT017


def test_rules_stand_beside_the_services() -> None:
    """As mappings, whose text is told again as YAML, or as texts."""
    listed = read_listing(
        b"a.B: [tri://h:1]\nrules:\n  a.B::.condition-router:\n    force: true\n    conditions: ['=> port=1']\n"
        b"  shop.tag-router: |\n    tags: []\n  mapping/a.B: shop\n  empty: ''\n",
        "p.yml",
    )
    assert listed.texts == {
        ("dubbo", "a.B::.condition-router"): "force: true\nconditions: ['=> port=1']\n",
        ("dubbo", "shop.tag-router"): "tags: []\n",
        ("mapping", "a.B"): "shop",
        ("dubbo", "empty"): "",
    }
    assert list(map(str, listed.services)) == ["a.B"]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("rules: [1]", "p.yml:1: the rules are not a mapping from keys to rules"),
        ("rules:\n  a.tag-router: [1]", "p.yml:2: a rule is neither a mapping nor the text of one"),
        ("rules: {a.tag-router: }", "p.yml:1: a rule is neither a mapping nor the text of one"),
        ("rules: {a: x, a: y}", 'p.yml:1: "a" stands there twice, first on line 1'),
    ],
)
def test_rules_of_another_shape_are_a_fault(written: str, problem: str) -> None:
    """With the line; what a rule says is for those who watch it."""
    with pytest.raises(ProviderDataError) as failure:
        read_listing(written.encode(), "p.yml")
    assert str(failure.value) == problem

"""Attachments as gRPC metadata, and back."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callahead.consumer import LocalProtocolError
from callahead.consumer.call.invocation import NO_ATTACHMENTS
from callahead.consumer.transport.identity import ServiceIdentity
from callahead.consumer.transport.tri.metadata import (
    checked_metadata,
    fixed_metadata,
    join_metadata,
    to_attachments,
    to_metadata,
)


def test_fixed_metadata_has_only_what_is_set() -> None:
    """Empty version, group, application name and token are left out."""
    assert fixed_metadata(ServiceIdentity("a.G", "", "", ""), "") == ()
    assert fixed_metadata(ServiceIdentity("a.G", "1", "g", "secret"), "shop") == (
        ("tri-service-version", "1"),
        ("tri-service-group", "g"),
        ("tri-consumer-appname", "shop"),
        ("token", "secret"),
    )


@pytest.mark.parametrize(
    ("identity", "application", "said"),
    [
        (ServiceIdentity("a.G", "ü", "", ""), "", '"ü" cannot travel as tri-service-version'),
        (ServiceIdentity("a.G", "", "ü", ""), "", '"ü" cannot travel as tri-service-group'),
        (ServiceIdentity("a.G", "", "", ""), "bücher", '"bücher" cannot travel as tri-consumer-appname'),
    ],
)
def test_fixed_metadata_that_cannot_travel(identity: ServiceIdentity, application: str, said: str) -> None:
    """A provider may say of itself what no configuration could."""
    with pytest.raises(LocalProtocolError, match=said) as caught:
        fixed_metadata(identity, application)
    assert caught.value.not_sent


@pytest.mark.parametrize(
    ("key", "value", "pair"),
    [
        ("Trace-Id", "abc", ("trace-id", "abc")),
        ("a.b_c", " x ", ("a.b_c", " x ")),
        ("city", "Zürich", ("city-bin", "Zürich".encode())),
        ("line", "a\nb", ("line-bin", b"a\nb")),
        ("raw", b"\0", ("raw-bin", b"\0")),
        ("raw-bin", b"\0", ("raw-bin", b"\0")),
        ("raw-bin", "text", ("raw-bin", b"text")),
        ("asynchronous", "1", ("asynchronous", "1")),
    ],
)
def test_one_attachment(key: str, value: str | bytes, pair: tuple[str, str | bytes]) -> None:
    """Keys are lowered; what is not printable ASCII goes under key-bin."""
    assert to_metadata({key: value}) == (pair,)


@pytest.mark.parametrize("key", ["", "a b", "ä", ":path", "grpc-x", "Tri-X", "async", "SENT", "return", "retries"])
def test_a_key_that_cannot_travel(key: str) -> None:
    """The message names the key and the rule."""
    with pytest.raises(LocalProtocolError) as caught:
        to_metadata({key: "1"})
    assert caught.value.message == (
        f'attachment "{key}" cannot travel as metadata; a key is letters, digits, _ . and -, not beginning with grpc-'
        " or tri-, and none of async, sent, return, retries"
    )
    assert caught.value.not_sent


@given(st.dictionaries(st.from_regex(r"\Ax-[a-z0-9_.]{0,8}\Z"), st.text() | st.binary()))
def test_every_value_survives(attachments: dict[str, str | bytes]) -> None:
    """Whatever the value, it arrives whole: as itself, or as bytes under key-bin."""
    back = join_metadata((), to_metadata(attachments))
    for key, value in attachments.items():
        data = value if isinstance(value, bytes) else value.encode()
        assert back.get(key) == value or back[f"{key}-bin"] == data
    assert checked_metadata(to_metadata(attachments)) == to_metadata(attachments)


def test_response_parts_are_joined() -> None:
    """A later value wins, and absent parts are nothing."""
    assert join_metadata((("a", "1"), ("b", "1")), None, (("b", "2"),)) == {"a": "1", "b": "2"}
    assert join_metadata(None, ()) == {}


def test_plain_metadata_are_the_attachments() -> None:
    """Nothing is copied where nothing is Dubbo's own; the details of a gRPC status are the user's."""
    metadata = {"a": "1", "grpc-status-details-bin": b""}
    assert to_attachments(metadata) is metadata


def test_dubbos_own_metadata_are_no_attachments() -> None:
    """Known ones and such as may come."""
    assert to_attachments({"tri-exception-code": "3", "a": "1", "tri-unit-info": "x"}) == {"a": "1"}
    assert to_attachments({"tri-exception-code": "3"}) is NO_ATTACHMENTS


def convert(spelled: object) -> dict[str, str]:
    """The header that says how keys were spelled."""
    return {"tri-header-convert": quote(json.dumps(spelled))}


def test_names_get_their_capitals_back() -> None:
    """As the provider's code spelled them; of bytes the name without -bin is told."""
    found = to_attachments(
        {"trace-id": "1", "b": "2", "raw-bin": b"3", **convert({"trace-id": "Trace-Id", "raw": "RAW"})}
    )
    assert found == {"Trace-Id": "1", "b": "2", "RAW-bin": b"3"}


@pytest.mark.parametrize(
    "header",
    [
        *map(convert, ([], {"a": 5}, {"a": "B"}, {"b": "B"}, {"a": ["A"]}, {"a": {}})),
        {"tri-header-convert": "%7B"},
        {"tri-header-convert": ""},
        {"tri-header-convert": "[" * 100_000},
        {"tri-header-convert": b"{}"},
    ],
    ids=lambda header: str(header)[:60],
)
def test_a_spelling_that_makes_no_sense_changes_nothing(header: dict[str, object]) -> None:
    """A peer may say anything, but only the case of a name can change, and a call never fails by it."""
    assert to_attachments({"a": "1", **header}) == {"a": "1"}


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (("Upper", "1"), 'metadata key "Upper" is not of lower-case letters, digits, _ . -'),
        (("", "1"), 'metadata key "" is not of lower-case letters, digits, _ . -'),
        (
            ("a", "ä"),
            'the value of metadata key "a" is not printable ASCII; only keys that end in -bin carry other bytes',
        ),
        (
            ("a", b"\0"),
            'the value of metadata key "a" is not printable ASCII; only keys that end in -bin carry other bytes',
        ),
    ],
)
def test_metadata_that_grpc_would_refuse(pair: tuple[str, str | bytes], message: str) -> None:
    """What grpcio fails as if the provider had said INTERNAL is refused before."""
    with pytest.raises(LocalProtocolError) as caught:
        checked_metadata([pair])
    assert caught.value.message == message


def test_metadata_of_a_stub_passes() -> None:
    """Lists of pairs become a tuple of pairs, binary values included."""
    assert checked_metadata([("a", "1"), ("b-bin", b"\xff")]) == (("a", "1"), ("b-bin", b"\xff"))


def test_what_servers_add_by_themselves_is_no_attachment() -> None:
    """HTTP's own fields, and what dubbo-go sends back of the request."""
    added = ("date", "trailer", "user-agent", "content-length", "interface", "path", "timeout", "version", "group")
    assert to_attachments({**dict.fromkeys(added, "x"), "trace-id": "7"}) == {"trace-id": "7"}
    assert to_attachments(dict.fromkeys(added, "x")) == {}

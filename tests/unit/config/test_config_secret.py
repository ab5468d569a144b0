"""What is shown of URLs and settings, wherever they are shown."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callahead.config import load_mapping
from callahead.config.explain import explain
from callahead.config.values.secret import masked, masked_value
from callahead.registry.errors import ProviderDataError
from callahead.registry.url import Url

SECRET = "s3cr3t"
NAMES = [
    "token",
    "accessKey",
    "access.key",
    "secret.key",
    "PASSWORD",
    "api_key",
    "private-key",
    "pwd",
    "to%6ben",
    "x.secret",
]
HARMLESS = st.lists(st.sampled_from(["version=1", "a", "b=", "owner=me@x", "weight=5", "list=a,b"]), max_size=3)
OPENINGS = st.sampled_from(["", "tri://", "dubbo://", "file:", "no scheme://", "://"])


def _with_user(opening: str, user: str, rest: str) -> str:
    return f"{opening}{user}{SECRET}@h:1{rest}"


def _with_parameter(opening: str, name: str, before: list[str], after: list[str]) -> str:
    return f"{opening}h:1/a.B?{'&'.join([*before, f'{name}={SECRET}', *after])}"


with_user = st.builds(
    _with_user,
    OPENINGS,
    st.sampled_from(["u:", ":", "u:p/", "u:p?", "u:p@"]),
    st.sampled_from(["", "/a?b=1", ";tri://h"]),
)
with_parameter = st.builds(_with_parameter, OPENINGS, st.sampled_from(NAMES), HARMLESS, HARMLESS)
texts = st.one_of(with_user, with_parameter)


@given(texts)
def test_no_secret_of_a_url_is_shown(text: str) -> None:
    """Wherever it stands, with a scheme or without, alone, escaped within another URL, or twice so."""
    assert SECRET not in masked(text)
    assert SECRET not in masked(f"tri://h:1?registry={quote(text, safe='')}")
    assert SECRET not in masked_value("registry", quote(quote(text, safe=""), safe=""))


@given(texts)
def test_no_secret_is_shown_by_who_shows_a_url(text: str) -> None:
    """A URL that can be read, the error of one that cannot, and what is explained."""
    try:
        shown = str(Url.parse(text))
    except ProviderDataError as error:
        shown = str(error)
    assert SECRET not in shown


@pytest.mark.parametrize(
    "text", ["", "h:1", "tri://h:1/a.B?version=1&group=a", "file:providers.yml", "zookeeper://h:1,h:2"]
)
def test_what_is_no_secret_is_shown(text: str) -> None:
    """All of it."""
    assert masked(text) == text


def test_any_text_is_masked_in_linear_time_and_depth() -> None:
    """A registry's entry may be anything."""
    for text in ("=" * 100_000, "a=" * 100_000, "a" * 100_000, "%25" * 50_000, "a=://@" * 20_000, "a=" + ":" * 100_000):
        masked(text)


def test_explain_shows_no_secret() -> None:
    """Neither one of the reference's addresses nor of its attachments."""
    url = f"dubbo://u:{SECRET}@h:1/a.B?token={SECRET}&accessKey={SECRET}&secret.key={SECRET}&version=2"
    reference: dict[str, Any] = {"interface": "a.B", "url": url, "parameters": {"api.key": SECRET, "channel": "web"}}
    settings = explain(load_mapping({"references": {"foo": reference}}).references["foo"])
    shown = {setting.key: setting.value for setting in settings}
    assert SECRET not in repr(shown)
    assert shown["url"] == ["dubbo://***@h:1/a.B?token=***&accessKey=***&secret.key=***&version=2"]
    assert shown["parameters"] == {"api.key": "***", "channel": "web"}


def test_a_registry_s_log_shows_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An entry without a scheme is quoted without its user."""
    from callahead.registry.listing import read_listing

    path = tmp_path / "providers.yml"
    path.write_text(f"- user:{SECRET}@host\n", encoding="utf-8")
    with caplog.at_level(logging.DEBUG), pytest.raises(ProviderDataError) as caught:
        read_listing(path.read_bytes(), str(path))
    assert SECRET not in str(caught.value) + caplog.text
    assert "***@host" in str(caught.value)

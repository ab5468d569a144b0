"""Texts that registries keep: whatever they hold, they are read in bounded time and refused in few words."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from support.work import calls_in

from callahead.config import ConfigError
from callahead.config.read.scalar import QuickComposer
from callahead.config.read.yaml_text import MOST_NODES, compose_of_others
from callahead.config.rules import MOST_CHARACTERS, read_rule

# So long a text is libyaml's.
LONG = f"#{'-' * 16 * 1024}\n"
PIECES = [
    *("a", "b1", "1", "true", "~", "${X:1}", "tri://h:1", "é", "=", "=>", "%", "`", "!x ", "|\n", ">\n", "\t", "\\"),
    *("- ", "-", ": ", ":", "\n", "\n  ", "{", "}", "[", "]", ", ", "'", '"', "#", " #", " ", "<<: ", "&a ", "*a"),
    *("\n- ", "k: v\n", "x: {a: b}\n", "---\n", "\n---\n", "...\n", "\n--- ", "  x\n"),
]


class Items(BaseModel):
    """What the rules of these tests are."""

    items: list[int] = []


def refusal(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read_rule(Items, text, "rule")
    return caught.value


def trees(text: str, first: int = 0) -> Any:
    """Write the documents of *text*, whose line numbers count from *first*."""

    def tree(node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return node.tag, node.value, node.start_mark.line - first
        items = [[tree(each) for each in item] if isinstance(item, tuple) else tree(item) for item in node.value]
        return node.tag, items, node.start_mark.line - first

    try:
        return [tree(node) for node in compose_of_others(text, "text")]
    except ConfigError:
        return "refused"


@pytest.mark.skipif(QuickComposer is None, reason="PyYAML is without libyaml here; install its wheel")
@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_a_long_text_says_what_a_short_one_does(text: str) -> None:
    """With any number of documents, and whatever character, unless one of the two parsers refuses it."""
    short, long = trees(text), trees(LONG + text, first=1)
    assert short == long or "refused" in (short, long)


@pytest.mark.skipif(QuickComposer is None, reason="PyYAML is without libyaml here; install its wheel")
@pytest.mark.parametrize("more", ["", "---\n", "# 100%\n", "k: 'method=find* => port=1'\n", "k: |\n  text\n"])
def test_no_character_makes_a_long_text_slow(more: str) -> None:
    """Some tens of functions for each key, as of a text of which all is plain; by PyYAML's own parser hundreds."""
    keys = 2000
    text = LONG + "".join(f"k{number}: v\n" for number in range(keys))
    assert calls_in(lambda: trees(text + more)) < 50 * keys


@pytest.mark.parametrize("item", ["1,", "*a,"])
def test_of_a_text_that_holds_too_much_no_more_is_read_than_may_be(item: str) -> None:
    """Nor is an alias free, which may stand for much, though it is but two characters."""
    count = (MOST_CHARACTERS - 100) // len(item)
    [problem] = refusal(f"x-a: &a [1]\nb: [{item * count}").problems  # what follows is not even looked at
    assert str(problem) == f"rule:2: holds more than {MOST_NODES} keys and values"


@pytest.mark.parametrize("opened", ["[", "{a: ", "- ", "? "])
@pytest.mark.parametrize("head", ["", LONG])
def test_a_text_that_is_nested_deeply_does_no_harm(head: str, opened: str) -> None:
    """Be it short or long, and the process goes on."""
    assert len(refusal(head + opened * 20_000).problems) == 1


def test_a_text_that_no_yaml_is_is_refused_where_that_is() -> None:
    """A character by its line, and a second document where there may be one, in a long text too."""
    for head, line in (("", 2), (LONG, 3)):
        assert str(refusal(f"{head}a: é\nb: \x01")) == f"rule:{line}: not YAML: character U+0001 is not allowed"
        text = f"{head}a: 1\n---\nb: 1"
        assert str(refusal(text)) == f"rule:{line + 1}: a second document begins here, one is expected"


def test_of_many_problems_the_first_are_told() -> None:
    """A hundred thousand take seconds to put in order, and nobody reads them."""
    assert len(refusal("".join("? [a]\n: b\n" for _ in range(5000))).problems) == 100

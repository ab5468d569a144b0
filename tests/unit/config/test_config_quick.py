"""Long texts are parsed by libyaml, and nobody can tell but by the time it takes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support.work import calls_in

from callahead.config import ConfigError, load_text
from callahead.config.read.scalar import Composer, QuickComposer
from callahead.config.read.yaml_text import READ_OTHERWISE

pytestmark = pytest.mark.skipif(QuickComposer is None, reason="PyYAML is without libyaml here; install its wheel")

COUNT = 3000  # more than 16 KiB
HEAD = "references:\n  foo:\n    interface: a.B\n    url: tri://h:1\n    parameters:\n"
LONG = HEAD + "".join(f"      key{number}: value {number}\n" for number in range(COUNT))
PIECES = [
    *("a", "b1", "1", "1.5", "true", "~", "${X:1}", "tri://h:1", "a.B", "é", "/", "=", ";", "<", "$", "_", "@", "`"),
    *("- ", "-", ": ", ":", "\n", "\n  ", "\n    ", "{", "}", "[", "]", ", ", ",", "'", '"', "#", " #", " ", "  "),
    *("<<: ", "&a ", "*a", "\n- ", "k: v\n", "x: {a: b}\n", "?", "!", "|\n", ">\n", "\t", "\\", "---\n", "...\n"),
]


def tree(node: yaml.Node | None) -> Any:
    """Write a node with its line; aliases make no circle here, as a text that makes one is long."""
    if node is None or isinstance(node, yaml.ScalarNode):
        return None if node is None else (node.tag, node.value, node.start_mark.line)
    items = [[tree(each) for each in item] if isinstance(item, tuple) else tree(item) for item in node.value]
    return node.tag, items, node.start_mark.line


def composed(composer: Any, text: str) -> Any:
    try:
        return tree(composer(text).get_single_node())
    except (yaml.YAMLError, ValueError, RecursionError):
        return "refused"


@settings(max_examples=500)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_what_libyaml_takes_it_reads_as_pyyaml_does(text: str) -> None:
    """Tags, values and lines are the same for every text that it is given, so it makes no difference who has it."""
    quick = "refused" if READ_OTHERWISE.search(text) else composed(QuickComposer, text)
    assert quick in ("refused", composed(Composer, text))


def test_a_long_text_takes_a_fraction_of_the_work() -> None:
    """Functions are counted, which no busy machine changes: of one for each key there are some tens, not hundreds."""
    load_text(LONG)  # what is made once for all
    assert calls_in(lambda: load_text(LONG)) < 100 * COUNT


@pytest.mark.parametrize(
    ("spoilt", "text"),
    [
        ("      bad: [1, 2\n", ":3007: not YAML: "),
        ("      bad: {a: tri://h:1?b=c}\n", ":3006: not YAML: "),
        ("      key7: again\n", ":3006: references.foo.parameters.key7: is set already on line 13"),
        ("    timeout: soon\n", ":3006: references.foo.timeout: "),
        (f"      bad: {'[' * 60}{']' * 60}\n", "nested"),
    ],
)
def test_a_fault_of_a_long_text_is_told_as_of_a_short_one(spoilt: str, text: str) -> None:
    """By PyYAML's own words, at the same line."""
    with pytest.raises(ConfigError, match="^<text>") as caught:
        load_text(LONG + spoilt)
    assert text in str(caught.value)


def test_a_long_text_that_is_nested_deeply_does_no_harm() -> None:
    """It is refused as a short one is, and the process goes on."""
    with pytest.raises(ConfigError, match="nested too deeply"):
        load_text(f"#{'-' * 70_000}\na: {'[' * 600}{']' * 600}")

"""A text that many references obey is read once, and forgotten with the last of them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from weakref import ref

import pytest

from callahead.config.errors import ConfigError
from callahead.config.policy import RegistryPolicy
from callahead.consumer.router.live import LiveRules
from callahead.consumer.router.reading import reading_of
from callahead.consumer.router.rules import ConditionRule, Rule
from callahead.consumer.router.telling import RuleLog
from callahead.registry import MemoryRegistry, ServiceKey

KEY = "shop.condition-router"
TEXT = "conditions: ['=> port=1']"


@pytest.fixture
def registry() -> Iterator[MemoryRegistry]:
    with MemoryRegistry.named("reading"):
        one = MemoryRegistry(RegistryPolicy(id="main", address="memory://reading"))
        yield one
        one.close()


def rules_of(registry: MemoryRegistry) -> LiveRules:
    """Watch the rules of one more reference."""
    log = RuleLog().of(["main"])
    live = LiveRules(registry, ServiceKey("a.B"), "shop", {}, lambda: None, log)
    live.follow(())
    return live


def test_references_obey_one_copy_of_a_rule(registry: MemoryRegistry) -> None:
    """Of a hundred that obey a rule of their application each would else read it, one after the other."""
    space = MemoryRegistry.named("reading")
    one, other = rules_of(registry), rules_of(registry)
    for text in (TEXT, "conditions: ['=> port=2']"):
        space.write(KEY, text)
        assert one.rules[0].rule is other.rules[0].rule


def test_what_is_no_rule_is_read_once_too() -> None:
    """It takes as long to find that out."""
    reading = reading_of(ConditionRule, "conditions: 1", KEY)
    assert reading_of(ConditionRule, "conditions: 1", KEY) is reading
    for _ in range(2):
        with pytest.raises(ConfigError, match=f"^{KEY}:1: conditions: must be a list, not a number$"):
            reading.result()


def test_another_text_or_kind_or_place_is_read_by_itself() -> None:
    """Since what is wrong with it names the place, and each kind has keys of its own."""
    reading = reading_of(ConditionRule, TEXT, KEY)
    others = [(ConditionRule, TEXT + " ", KEY), (Rule, TEXT, KEY), (ConditionRule, TEXT, "other")]
    assert all(reading_of(*other) is not reading for other in others)


def test_what_nobody_obeys_any_more_is_forgotten(registry: MemoryRegistry) -> None:
    """A large rule takes some memory, which nobody needs that has another."""
    live = rules_of(registry)
    MemoryRegistry.named("reading").write(KEY, TEXT)
    gone = ref(reading_of(ConditionRule, TEXT, KEY))
    assert gone() is not None
    MemoryRegistry.named("reading").write(KEY, None)
    gc.collect()
    assert gone() is None
    live.close()

"""Condition rules: of which calls they speak, where those may go, and what is refused."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from support.routing import call, condition_routers, provider, providers, routed

from callahead.config.errors import ConfigError
from callahead.config.rules import read_rule
from callahead.consumer.router.api import Split
from callahead.consumer.router.kinds import ConditionKind

LISTED = providers("1", "2", "tri://10.0.0.2:3?application=shop&region=east&methods=find,count")


def left(condition: str, *args: object, method: str = "find", rule: str = "", **attachments: str) -> str:
    text = f"{rule or 'force: true'}\nconditions: [{condition!r}]"
    return " ".join(routed(condition_routers(text), LISTED, call(method, *args, **attachments)))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("=> port=1", "1"),
        ("port=2", "2"),  # without => it is the right side
        ("=> port!=1", "2 10.0.0.2:3"),
        ("=> port=1,2", "1 2"),
        ("=> port=1~2", "1 2"),
        ("=> port!=1,2", "10.0.0.2:3"),
        ("=> port=1,2 & port!=2", "1"),
        ("=> port=* & port!=2", "1 10.0.0.2:3"),
        ("=> host=10.0.0.1 & port=2", "2"),
        ("=> host=10.0.0.* & port=2~", "2 10.0.0.2:3"),
        ("=> address=10.0.0.2:3", "10.0.0.2:3"),
        ("=> region=east", "10.0.0.2:3"),
        ("=> region!=east", ""),  # who says nothing of it is not different either
        ("=> application=shop", "10.0.0.2:3"),
        ("=> provider.port=1", "1"),
        ("=> protocol=tri & port=1", "1"),
        ("=> methods=find*", "10.0.0.2:3"),
        ("method=find => port=1", "1"),
        ("methods=find => port=1", "1"),
        ("method=fi*,get* => port=1", "1"),
        ("method!=find => port=1", "1 2 10.0.0.2:3"),
        ("method=get* => port=1", "1 2 10.0.0.2:3"),
        ("host=10.1.1.1 => port=1", "1"),
        ("consumer.host=10.1.* => port=1", "1"),
        ("host!=10.1.1.1 => port=1", "1 2 10.0.0.2:3"),
        ("application=shop-web & method=find => port=1", "1"),
        ("application=other => port=1", "1 2 10.0.0.2:3"),
        ("true => port=1", "1"),
        ("=> ", ""),
        ("=> false", ""),
        ("method=find =>", ""),
        ("method=get =>", "1 2 10.0.0.2:3"),
        ("=> host=$host", ""),
        ("=> port=9", ""),
    ],
)
def test_a_condition_selects_as_in_dubbo(condition: str, expected: str) -> None:
    """Of three providers those stay that Java would keep."""
    assert left(condition) == expected


def test_the_caller_can_be_referred_to() -> None:
    """``$host`` is the caller's own host, for providers on the same machine."""
    near = providers("tri://10.1.1.1:1", "tri://10.0.0.1:2")
    assert routed(condition_routers("conditions: ['=> host=$host']"), near, call()) == ["10.1.1.1:1"]


@pytest.mark.parametrize(
    ("condition", "args", "expected"),
    [
        ("arguments[0]=7 => port=1", (7,), "1"),
        ("arguments[0]=7 => port=1", ("8",), "1 2 10.0.0.2:3"),
        ("arguments[0]=vip* => port=1", ("vip-3",), "1"),
        ("arguments[0]=10~20 => port=1", (15,), "1"),
        ("arguments[1]=true => port=1", (0, True), "1"),
        ("arguments[0]=null => port=1", (None,), "1"),
        ("arguments[0]!=7 => port=1", (7,), "1 2 10.0.0.2:3"),
        ("arguments[0]!=7 => port=1", (), "1"),  # what is not there differs
        ("arguments[0]=7 => port=1", (), "1 2 10.0.0.2:3"),
    ],
)
def test_an_argument_is_compared_as_java_writes_it(condition: str, args: tuple[object, ...], expected: str) -> None:
    """By position, as ``String.valueOf`` would give it."""
    assert left(condition, *args) == expected


def test_an_attachment_that_is_not_there_is_neither_equal_nor_different() -> None:
    """Otherwise than an argument; and its name may hold dots."""
    assert left("attachments[user.id]=7 => port=1", user_id="7") == "1"
    assert left("attachments[user.id]!=7 => port=1", user_id="8") == "1"
    assert left("attachments[user.id]!=7 => port=1") == "1 2 10.0.0.2:3"


def test_conditions_narrow_one_after_the_other() -> None:
    """Each takes what the one before has left."""
    rule = "conditions: ['=> port=1,2', 'method=find => port!=1']"
    assert routed(condition_routers(rule), LISTED, call()) == ["2"]


def test_without_force_a_condition_that_leaves_nobody_does_not_count() -> None:
    """But one that names nobody does."""
    assert left("=> port=9", rule="force: false") == "1 2 10.0.0.2:3"
    assert left("=> ", rule="force: false") == ""


@pytest.mark.parametrize("off", ["enabled: false", "enabled: 'false'", "valid: false"])
def test_a_rule_that_is_switched_off_has_no_routers(off: str) -> None:
    """It stays where it is until it is switched on again."""
    assert condition_routers(f"{off}\nconditions: ['=> port=1']") == []


def test_shares_are_kept() -> None:
    """Rules of v3.1 give parts of the calls to several sets; an empty set takes none."""
    rule = """
        configVersion: v3.1
        conditions:
          - from: {match: method=find}
            to: [{match: port=1, weight: 75}, {match: port=2, weight: 25}, {match: port=9, weight: 1000}]
    """
    (router,) = condition_routers(rule)
    split = router.route(LISTED, call())
    assert isinstance(split, Split)
    random = Random(1)
    counts = Counter(split.parts[split.pick(random)][0].endpoint.port for _ in range(4000))
    assert counts.keys() == {1, 2}
    assert 2900 < counts[1] < 3100
    assert router.route(LISTED, call("get")) is LISTED


def test_a_set_without_a_match_is_everybody() -> None:
    """In v3.1, where in v3.0 it is nobody."""
    rule = "configVersion: v3.1\nconditions: [{from: {match: method=find}, to: [{match: ''}]}]"
    assert routed(condition_routers(rule), LISTED, call()) == ["1", "2", "10.0.0.2:3"]


def test_where_all_shares_are_nothing_all_are_equal() -> None:
    """Dubbo would let such a rule fail."""
    split = Split((LISTED[:1], LISTED[1:2]), (0, 0))
    assert Counter(split.pick(Random(seed)) for seed in range(200)).keys() == {0, 1}


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (
            "conditions: ['a => b=']",
            'rule:1: conditions[0]: "a": nothing is said of "a" (write key=value or key!=value)',
        ),
        ("conditions:\n  - '=> ,b'", 'rule:2: conditions[0]: ",b": "," before "b" makes no sense'),
        ("conditions: ['=> a=1 & = 2']", 'rule:1: conditions[0]: "a=1 & = 2": "&" before "=" makes no sense'),
        ("conditions: ['=> a=1 &']", 'rule:1: conditions[0]: "a=1 &" ends with "&"'),
        ("conditions: ['=> a==1']", 'rule:1: conditions[0]: "a==1": "==" before "1" makes no sense'),
        (
            "conditions: ['=> arguments[0]=1']",
            "arguments[0] stands behind => (it is of the call, and stands before =>)",
        ),
        ("conditions: ['arguments[x]=1 => a=1']", '"arguments[x]" is no key (write arguments[0] or attachments[name])'),
        ("conditions: ['=> port=1~x']", '"1~x" is no range (write 10~20, 10~ or ~20)'),
        ("conditions: [3]", 'rule:1: conditions[0]: must be text such as "method=find => port=20881", not 3'),
        ("conditions: ['']", "rule:1: conditions[0]: is empty"),
        ("force: often", 'rule:1: force: must be true or false, not "often"'),
        ("configVersion: v4.0", 'rule:1: configVersion: "v4.0" is not known (v3.1 is the newest)'),
        ("conditions: [{from: x}]", "must be text, or {from: {match: ...}, to: [{match: ..., weight: 100}]}"),
        ("conditions: [{from: {match: 'a=1'}, to: [{match: 'b=1', weight: -1}]}]", "from 0 to 1000000, not -1"),
        ("- a", "rule:1: must be a mapping, not a list"),
        ("a: &a [*a]", "rule:1: a[0]: holds itself"),
        ("conditions: ['" + "x" * 5000 + "=1']", "has 5002 characters, more than 4096"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(rule: str, problem: str) -> None:
    """The error names the rule and the line; nothing of the rule is obeyed."""
    with pytest.raises(ConfigError) as failure:
        read_rule(ConditionKind.rule, rule, "rule")
    assert problem in str(failure.value)


def test_rules_are_bounded() -> None:
    """In bytes, in values behind aliases, and in conditions."""
    with pytest.raises(ConfigError, match="more than the 1048576 of a rule"):
        read_rule(ConditionKind.rule, "x" * 1048577, "rule")
    with pytest.raises(ConfigError, match="conditions: has more than 1000 entries"):
        read_rule(ConditionKind.rule, f"conditions: [{'a=1,' * 1001}]", "rule")
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcde", "bcdef", strict=True)
    )
    with pytest.raises(ConfigError, match="holds more than 100000 values"):
        read_rule(ConditionKind.rule, bomb, "rule")


def test_placeholders_of_a_rule_stand_for_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of this process is no business of who writes rules."""
    monkeypatch.setenv("SECRET", "hunter2")
    read = read_rule(ConditionKind.rule, "conditions: ['=> a=${SECRET}']", "rule")
    assert read.rule.conditions[0].text == "=> a=${SECRET}"


def test_keys_that_are_not_known_are_passed_over_and_told() -> None:
    """Rules are shared with consumers of other kinds and versions."""
    read = read_rule(ConditionKind.rule, "conditions: ['=> port=1']\nnewThing: {x: 1}", "rule")
    assert read.passed_over == ("newThing",)
    assert len(read.rule.conditions) == 1


def test_a_condition_looks_only_at_what_it_speaks_of() -> None:
    """What it says of the caller is settled once, and calls that it treats alike are asked about once."""
    (plain,) = condition_routers("conditions: ['application=shop-web => port=1']")
    (by_method,) = condition_routers("conditions: ['method=find => port=1']")
    (by_call,) = condition_routers("conditions: ['attachments[a]=1 & arguments[0]=2 => port=1']")
    assert plain.looks == ()
    assert [look(call("find")) for look in by_method.looks] == ["find"]
    assert [look(call("find", 2, a="x")) for look in by_call.looks] == [False, True]


def test_a_parameter_may_hold_anything() -> None:
    """Values of providers are compared as they are."""
    odd = (provider("tri://10.0.0.1:1?region=%20%2A%3D"),)
    assert routed(condition_routers("force: true\nconditions: ['=> region=east']"), odd, call()) == []

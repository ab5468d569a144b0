"""Arguments of a call into the request message, and messages into plain values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.policies import tri_policy

from callahead.config.policy import MethodPolicy
from callahead.consumer.errors import SerializationError
from callahead.consumer.interface.proto.arguments import from_plain, request_builder, to_plain
from callahead.consumer.interface.proto.load import load_types
from callahead.consumer.interface.proto.service import MethodTypes, ServiceTypes

PROTOS = Path(__file__).parents[3] / "support" / "protos"
KIND = "callahead.tests.Kind"
UTC = dt.UTC


@cache
def service(file: str, interface: str) -> ServiceTypes:
    default = MethodPolicy(reference="r", method="*")
    policy = tri_policy(id="r", interface=interface, proto=str(PROTOS / file), default=default)
    return load_types(policy, lambda: pytest.fail("no server is asked"))


def types(name: str = "Echo") -> MethodTypes:
    return service("kinds.proto", "callahead.tests.Kinds").methods[name]


def build(name: str, *args: Any, **kwargs: Any) -> Any:
    return request_builder(types(name))(args, kwargs)


def error_of(name: str, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(SerializationError) as caught:
        build(name, *args, **kwargs)
    assert caught.value.not_sent
    assert not caught.value.in_doubt
    return str(caught.value)


def test_the_request_itself_is_passed_on() -> None:
    """A message of the request's class is not copied."""
    method = types()
    assert method.request_class is not None
    request = method.request_class(text="x")
    assert request_builder(method)((request,), {}) is request


def test_a_message_of_the_same_type_from_another_pool_is_taken() -> None:
    """The user's generated class fits types that come from a .proto file or from reflection."""
    from callahead.conf import foo_pb2

    default = MethodPolicy(reference="r", method="*")
    conf = Path(foo_pb2.__file__).parent
    policy = tri_policy(id="r", interface="com.alibaba.foo.FooService", proto=str(conf / "foo.proto"), default=default)
    method = load_types(policy, lambda: pytest.fail("no server is asked")).methods["findFoo"]
    request = request_builder(method)((foo_pb2.FindFooRequest(foo_id=7),), {})
    assert type(request) is method.request_class
    assert request.foo_id == 7


def test_keywords_set_their_fields() -> None:
    """Each keyword is a field."""
    request = build("Echo", small=-1, text="t", flag=True)
    assert (request.small, request.text, request.flag) == (-1, "t", True)


def test_a_mapping_sets_its_fields_by_either_name() -> None:
    """Names may be those of the .proto or those of JSON."""
    assert build("Echo", {"camelName": "a"}).camel_name == "a"
    assert build("Echo", {"camel_name": "a"}).camel_name == "a"


def test_positional_values_go_by_field_number() -> None:
    """The order is that of the numbers, not that of the lines."""
    request = build("Pair", 1, "two")
    assert (request.first, request.second) == (1, "two")


def test_one_message_may_be_the_value_of_the_only_field() -> None:
    """A request that wraps one message takes that message, or a mapping of the wrapper."""
    inner = build("Pair", 1, "two")
    assert build("Wrap", inner).two == inner
    assert build("Wrap", {"two": {"first": 1}}).two.first == 1
    assert build("Wrap", two=inner).two == inner


def test_no_argument_is_the_empty_request() -> None:
    """A method without fields, and one whose fields are all optional, may be called with nothing."""
    assert build("Nothing").ByteSize() == 0
    assert build("Echo").ByteSize() == 0


def test_none_leaves_a_field_unset() -> None:
    """None is the absence of a value."""
    assert not build("Echo", child=None).HasField("child")


def test_nested_repeated_and_mapped_values() -> None:
    """Messages nest as mappings, in lists and in maps, to any depth."""
    request = build(
        "Echo",
        child={"child": {"text": "deep"}},
        numbers=[1, 2],
        children=[{"small": 1}, build("Echo", small=2)],
        counts={"a": 1},
        table={5: {"text": "five"}},
        colors=["RED", 2],
    )
    assert request.child.child.text == "deep"
    assert list(request.numbers) == [1, 2]
    assert [child.small for child in request.children] == [1, 2]
    assert dict(request.counts) == {"a": 1}
    assert request.table[5].text == "five"
    assert list(request.colors) == [1, 2]


def test_an_empty_mapping_sets_a_nested_message() -> None:
    """A message that is given without fields is there all the same."""
    assert build("Echo", child={}).HasField("child")


def test_any_iterable_makes_a_repeated_field() -> None:
    """Tuples, sets and generators will do."""
    assert list(build("Echo", numbers=(n for n in (3, 4))).numbers) == [3, 4]


def test_well_known_types_take_their_python_values() -> None:
    """Times, documents, wrappers, masks and packed messages are given as Python has them."""
    request = build(
        "Echo",
        at=dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        lasts=dt.timedelta(milliseconds=1500),
        document={"a": [1, None, {"b": True}]},
        anything=[1, "x"],
        maybe=0,
        packed=build("Pair", 1, "two"),
        mask="text,child.small",
    )
    assert request.at.seconds == 1_767_323_045
    assert (request.lasts.seconds, request.lasts.nanos) == (1, 500_000_000)
    assert to_plain(request.document) == {"a": [1.0, None, {"b": True}]}
    assert to_plain(request.anything) == [1.0, "x"]
    assert request.HasField("maybe")
    assert request.packed.type_url == "type.googleapis.com/callahead.tests.TwoFields"
    assert list(request.mask.paths) == ["text", "child.small"]


def test_well_known_types_take_their_json_forms() -> None:
    """Times may be texts as in JSON, and their own fields as in Python's generated code."""
    request = build("Echo", at="2026-01-02T03:04:05Z", lasts="1.5s", maybe={"value": 3})
    assert (request.at.seconds, request.lasts.nanos, request.maybe.value) == (1_767_323_045, 500_000_000, 3)


MISFITS = [
    ({"small": "x"}, "small: expected int32, got str 'x'"),
    ({"small": True}, "small: expected int32, got bool True"),
    ({"small": 1.0}, "small: expected int32, got float 1.0"),
    ({"small": 2**31}, "small: expected int32 from -2147483648 to 2147483647, got int 2147483648"),
    ({"positive": -1}, "positive: expected uint32 from 0 to 4294967295, got int -1"),
    ({"huge": 2**64}, "huge: expected uint64 from 0 to 18446744073709551615, got int 18446744073709551616"),
    ({"single": 1e39}, "single: expected float up to 3.403e+38, got float 1e+39"),
    ({"real": "1.5"}, "real: expected double, got str '1.5'"),
    ({"real": 10**400}, f"real: expected double, got int {str(10**400)[:57]}..."),
    ({"flag": 1}, "flag: expected bool, got int 1"),
    ({"text": b"x"}, "text: expected str, got bytes b'x'"),
    ({"text": "\ud800"}, "text: expected str without lone surrogates, got str '\\ud800'"),
    ({"data": "x"}, "data: expected bytes, got str 'x'"),
    ({"color": "GREEN"}, 'color: Color has no value "GREEN" (known: BLUE, COLOR_UNSET, RED)'),
    ({"color": 1.5}, "color: expected Color, got float 1.5"),
    ({"child": 3}, "child: expected callahead.tests.Kind or a mapping of its fields, got int 3"),
    ({"child": {"child": {"small": "x"}}}, "child.child.small: expected int32, got str 'x'"),
    ({"numbers": 3}, "numbers: expected a list, got int 3"),
    ({"numbers": "12"}, "numbers: expected a list, got str '12'"),
    ({"numbers": [1, "x"]}, "numbers[1]: expected int32, got str 'x'"),
    ({"children": [{}, {"small": None, "text": 1}]}, "children[1].text: expected str, got int 1"),
    ({"counts": [1]}, "counts: expected a mapping, got list [1]"),
    ({"counts": {1: 1}}, "counts[1]: expected str, got int 1"),
    ({"counts": {"a": "b"}}, "counts['a']: expected int32, got str 'b'"),
    ({"table": {1: {"text": 2}}}, "table[1].text: expected str, got int 2"),
    (
        {"at": dt.datetime(2026, 1, 1)},  # noqa: DTZ001
        "at: expected an aware datetime or an RFC 3339 text, got datetime datetime.datetime(2026, 1, 1, 0, 0)",
    ),
    ({"at": "soon"}, "at: expected Timestamp, an aware datetime or an RFC 3339 text, got str 'soon'"),
    ({"lasts": 5}, 'lasts: expected Duration, a timedelta or a text such as "1.5s", got int 5'),
    ({"maybe": "5"}, "maybe.value: expected int64, got str '5'"),
    ({"packed": 5}, "packed: expected Any, a message to pack, got int 5"),
    ({"document": [1]}, "document: expected Struct, a mapping, got list [1]"),
]


@pytest.mark.parametrize(("values", "text"), MISFITS, ids=lambda value: str(value)[:40])
def test_a_value_that_does_not_fit_is_named(values: dict[str, Any], text: str) -> None:
    """The error has the path of the field, what it takes and what it got."""
    assert error_of("Echo", **values) == f"{KIND}.{text}"


def test_an_unknown_field_names_the_nearest() -> None:
    """A misspelt field is told, nested ones too."""
    assert error_of("Echo", smal=1) == f'{KIND} has no field "smal" (did you mean "small"?)'
    assert error_of("Echo", child={"smal": 1}) == f'{KIND}.child has no field "smal" (did you mean "small"?)'
    assert error_of("Nothing", x=1) == 'callahead.tests.Empty has no field "x": it has no fields'
    assert error_of("Pair", {3: 1}) == "callahead.tests.TwoFields has no field 3 (known: first, second)"


def test_a_field_given_twice_is_refused() -> None:
    """Two names of one field in one mapping would leave it open which wins."""
    assert error_of("Echo", {"camel_name": "a", "camelName": "b"}) == (
        f'{KIND}: "camel_name" and "camelName" cannot both be given'
    )


def test_two_fields_of_one_oneof_are_refused() -> None:
    """Protobuf would silently keep the last."""
    assert error_of("Choose", number=1, word="x") == 'callahead.tests.Choice: "number" and "word" cannot both be given'


def test_an_optional_field_is_no_oneof() -> None:
    """The oneof that protobuf makes for an optional field does not count."""
    assert build("Choose", number=1, note="n").note == "n"


def test_a_oneof_takes_no_positional_values() -> None:
    """Which field of a oneof is meant must be said."""
    assert error_of("Choose", 1) == (
        "callahead.tests.Choice: has a oneof, so it takes keywords (number, word, note), got 1 positional"
    )


def test_a_wrong_number_of_positional_values_is_refused() -> None:
    """Too few and too many are told with the fields in their order."""
    assert error_of("Pair", 1) == "callahead.tests.TwoFields: expected 2 positional (first, second), got 1"
    assert error_of("Pair", 1, "a", 2) == "callahead.tests.TwoFields: expected 2 positional (first, second), got 3"
    assert error_of("Nothing", 1) == "callahead.tests.Empty: expected no argument, got 1 positional"


def test_positional_values_and_keywords_do_not_mix() -> None:
    """Either order or names."""
    assert error_of("Pair", 1, second="a") == (
        "callahead.tests.TwoFields: give positional arguments or keywords, not both (1 and 1)"
    )


def test_a_message_of_another_type_is_refused() -> None:
    """The expected and the given type are in the message."""
    assert error_of("Echo", build("Pair", 1, "a")) == (
        f'{KIND}: expected {KIND} or a mapping of its fields, got TwoFields first: 1 second: "a"'
    )


def test_a_mapping_that_contains_itself_is_refused() -> None:
    """Endless nesting ends as an error of ours."""
    loop: dict[str, Any] = {}
    loop["child"] = loop
    assert error_of("Echo", loop) == f"{KIND}: the arguments are nested too deeply, or contain themselves"


def test_missing_required_fields_are_named() -> None:
    """proto2's required fields are checked before anything is sent."""
    method = service("required.proto", "callahead.tests.old.Old").methods["Ask"]
    with pytest.raises(SerializationError) as caught:
        request_builder(method)((), {"level": "LOW"})
    assert str(caught.value) == "callahead.tests.old.Question: required fields are missing: text"


def test_a_closed_enum_takes_only_its_numbers() -> None:
    """proto2's enums know no other numbers."""
    method = service("required.proto", "callahead.tests.old.Old").methods["Ask"]
    with pytest.raises(SerializationError) as caught:
        request_builder(method)((), {"text": "?", "level": 7})
    assert str(caught.value) == "callahead.tests.old.Question.level: expected a number of Level, got int 7"


def test_an_open_enum_takes_any_number() -> None:
    """proto3 keeps numbers that it has no name for."""
    assert build("Echo", color=7).color == 7


def opaque() -> MethodTypes:
    return MethodTypes(
        name="Say", path="/s.S/Say", request_class=None, response_class=None, serialize=bytes, deserialize=bytes
    )


def test_an_unknown_request_class_passes_one_value_on() -> None:
    """What a foreign stub serializes is the user's own."""
    thing = object()
    assert request_builder(opaque())((thing,), {}) is thing


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1, 2), {}), ((), {"a": 1})])
def test_an_unknown_request_class_takes_nothing_else(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """There is nothing to build a request from."""
    with pytest.raises(SerializationError) as caught:
        request_builder(opaque())(args, kwargs)
    assert str(caught.value) == (
        f"/s.S/Say: expected one request message, since its class is unknown, got {len(args)} positional arguments "
        f"and {len(kwargs)} keywords"
    )


def test_plain_values_keep_the_fields_names() -> None:
    """JSON out has the .proto's names, and fields that are zero."""
    plain = to_plain(build("Pair", 1, ""))
    assert plain == {"first": 1, "second": ""}


def test_what_is_no_message_stays_as_it_is() -> None:
    """An answer of a foreign stub is returned unchanged."""
    assert to_plain("text") == "text"


def test_json_that_does_not_fit_is_refused() -> None:
    """The command line's JSON gets the field in the error."""
    with pytest.raises(SerializationError) as caught:
        from_plain(types("Pair"), {"firs": 1})
    assert str(caught.value).startswith(
        'callahead.tests.TwoFields: Message type "callahead.tests.TwoFields" has no field'
    )
    assert caught.value.not_sent


def test_json_for_an_unknown_class_is_refused() -> None:
    """Without a class there is no JSON form."""
    with pytest.raises(SerializationError) as caught:
        from_plain(opaque(), {})
    assert str(caught.value) == "/s.S/Say: its request cannot be made of JSON, since its class is unknown"


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "small": st.integers(-(2**31), 2**31 - 1),
        "huge": st.integers(0, 2**64 - 1),
        "real": st.floats(allow_nan=False),
        "flag": st.booleans(),
        "text": st.text(st.characters(exclude_categories=["Cs"])),
        "data": st.binary(),
        "color": st.sampled_from([0, 1, 2]),
        "numbers": st.lists(st.integers(-5, 5)),
        "counts": st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 9)),
        "child": st.fixed_dictionaries({"zigzag": st.integers(-(2**63), 2**63 - 1)}),
    },
)


@given(VALUES)
def test_built_requests_survive_the_wire_and_json(values: dict[str, Any]) -> None:
    """A request is the same after its bytes, and after its plain form."""
    method = types()
    request = request_builder(method)((), values)
    assert method.deserialize(method.serialize(request)) == request
    assert from_plain(method, to_plain(request)) == request


@given(VALUES)
def test_our_checks_agree_with_protobuf(values: dict[str, Any]) -> None:
    """Where protobuf's own constructor takes the values, the message is the same."""
    method = types()
    assert method.request_class is not None
    assert request_builder(method)((), values) == method.request_class(**values)

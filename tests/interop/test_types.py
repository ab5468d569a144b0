"""Every kind of value, to Java and back, on each wire: exact equality, and what Java says that arrived."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from callahead.consumer import Consumer, Reference, SerializationError
from callahead.consumer.codec.hessian2 import (
    BigInteger,
    Byte,
    Char,
    DateMillis,
    Duration,
    Float,
    Instant,
    Int,
    JavaObject,
    LocalDateTime,
    Locale,
    LocalTime,
    Long,
    MonthDay,
    OffsetDateTime,
    OffsetTime,
    Period,
    Short,
    SqlDate,
    SqlTime,
    SqlTimestamp,
    TypedList,
    TypedMap,
    TypedSet,
    Year,
    YearMonth,
    ZonedDateTime,
    java_array,
)
from tests.interop.conftest import Providers
from tests.interop.services import Address, Color, Node, Person, Wide
from tests.interop.wires import JAVA_WIRES, Wire

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("bound")]

UTC = dt.UTC
MOMENT = dt.datetime(2024, 2, 29, 12, 34, 56, 789000, tzinfo=UTC)
INDIA = dt.timezone(dt.timedelta(hours=5, minutes=30))
LOCAL = MOMENT.replace(tzinfo=None)
EMOJI = "a\N{LATIN SMALL LETTER E WITH ACUTE}\u4f60\N{GRINNING FACE}\N{FAMILY}\0\t\uffff"
MEGABYTE = "0123456789abcdef" * 65536
LIGHT_YEAR = BigInteger(-(2**200) + 12345)
HOME = Address("Unter den Linden 1", 10117)
WIDE = Wide(
    id=2**62,
    version=-7,
    active=True,
    score=2.0,
    code="A-1",
    name=EMOJI,
    description="",
    owner=None,
    quantity=0,
    stock=5,
    visible=False,
    price=Decimal("12345678901234567890.1234567890"),
    created=MOMENT,
    changed=dt.datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
    color=Color.GREEN,
    address=HOME,
    tags=["a", "", "c"],
    branches=[HOME, Address(None, 0), HOME],
    labels={"k": "v", "": "empty"},
    digest=bytes(range(256)),
)


def zoned() -> ZonedDateTime:
    """A moment in Paris, with the name of the zone."""
    return ZonedDateTime.in_zone(LOCAL.replace(tzinfo=dt.timezone(dt.timedelta(hours=1))), "Europe/Paris")


# Method of TypesService, then values that must come back equal and of a type that is no wider.
ECHOES: list[tuple[str, list[Any]]] = [
    ("echo_boolean", [True, False]),
    ("echo_byte", [0, -128, 127]),
    ("echo_short", [0, -32768, 32767]),
    ("echo_char", ["x", "\u4f60", "\0", "\uffff", "\ud83d"]),
    ("echo_int", [0, -1, 47, 48, -16, -17, 2047, 2048, -2048, 262143, 262144, -(2**31), 2**31 - 1]),
    ("echo_long", [0, -8, 15, 16, -2048, 2047, 262143, -262144, 2**31, -(2**31), 2**63 - 1, -(2**63)]),
    ("echo_float", [0.0, 0.1, -1.5, 3.4028235e38, 1.17549435e-38, float("inf")]),
    ("echo_double", [0.0, 1.0, -128.0, 127.0, 32767.0, 0.1, 5e-324, 1.7976931348623157e308, float("-inf")]),
    ("echo_boolean_object", [True, False, None]),
    ("echo_byte_object", [5, -128, None]),
    ("echo_short_object", [5, -32768, None]),
    ("echo_char_object", ["x", None]),
    ("echo_int_object", [5, -(2**31), None]),
    ("echo_long_object", [5, 2**40, None]),
    ("echo_float_object", [0.5, None]),
    ("echo_double_object", [0.1, 3.0, None]),
    ("echo_string", ["", "plain", EMOJI, "\N{GRINNING FACE}" * 20_000, "x" * 65_536, None]),
    ("echo_big_decimal", [Decimal("0.10"), Decimal("-1E+30"), Decimal("1234567890.123456789012345678901"), None]),
    ("echo_big_integer", [0, 1, -1, 2**64, LIGHT_YEAR, None]),
    ("echo_uuid", [uuid.UUID("12345678-90ab-cdef-1234-567890abcdef"), uuid.UUID(int=2**128 - 1), None]),
    ("echo_locale", [Locale("zh_CN"), Locale("en"), None]),
    ("echo_color", [Color.RED, Color.GREEN, None]),
    ("echo_class", [JavaObject("java.lang.Class", {"name": "java.lang.String"}), None]),
    ("echo_date", [MOMENT, dt.datetime(1970, 1, 1, tzinfo=UTC), dt.datetime(1582, 10, 15, tzinfo=UTC), None]),
    ("echo_sql_date", [SqlDate(2024, 2, 29, tzinfo=UTC), None]),
    ("echo_sql_time", [SqlTime(1970, 1, 1, 12, 34, 56, tzinfo=UTC), None]),
    ("echo_timestamp", [SqlTimestamp(2024, 2, 29, 12, 34, 56, 789000, tzinfo=UTC), None]),
    ("echo_instant", [Instant.of(MOMENT, 789_012_345), Instant(1901, 1, 1, tzinfo=UTC), None]),
    ("echo_local_date", [dt.date(2024, 2, 29), dt.date(1, 1, 1), dt.date(9999, 12, 31), None]),
    ("echo_local_time", [LocalTime.of(23, 59, 59, 999_999_999), dt.time(0, 0), None]),
    ("echo_local_date_time", [LocalDateTime.of(LOCAL, 789_012_345), None]),
    ("echo_offset_time", [OffsetTime.of(12, 34, 56, 789_012_345, INDIA), None]),
    ("echo_offset_date_time", [OffsetDateTime.of(LOCAL.replace(tzinfo=INDIA), 789_012_345), None]),
    ("echo_zoned_date_time", [zoned(), None]),
    ("echo_zone_offset", [INDIA, UTC, dt.timezone(-dt.timedelta(hours=11)), None]),
    ("echo_duration", [dt.timedelta(days=3, microseconds=1), Duration.of(-1, 999_999_999), dt.timedelta(0), None]),
    ("echo_period", [Period(1, -2, 3), None]),
    ("echo_year", [Year(2024), None]),
    ("echo_year_month", [YearMonth(2024, 2), None]),
    ("echo_month_day", [MonthDay(2, 29), None]),
    ("echo_booleans", [[True, False], []]),
    ("echo_bytes", [b"", bytes(range(256)), b"\xff" * 100_000]),
    ("echo_shorts", [[1, -2, 32767], []]),
    ("echo_chars", ["", "chars \u4f60"]),
    ("echo_ints", [[1, -2, 2**31 - 1], [], list(range(1000))]),
    ("echo_longs", [[1, -2, 2**63 - 1], []]),
    ("echo_floats", [[0.5, 0.25, -1.0], []]),
    ("echo_doubles", [[0.5, 0.1, -1.0], []]),
    ("echo_strings", [["a", None, EMOJI], []]),
    ("echo_int_objects", [[1, None, 3], []]),
    ("echo_objects", [["a", 1, None, HOME, 2.5, True], []]),
    ("echo_int_table", [[[1, 2], [], [3]], []]),
    ("echo_addresses", [[HOME, Address("x", 2), HOME], []]),
    ("echo_colors", [[Color.GREEN, Color.RED], []]),
    ("echo_collection", [["a", "b"], []]),
    ("echo_list", [["a", "b"], [], None]),
    ("echo_int_list", [[1, -2], list(range(300))]),
    ("echo_long_list", [[1, 2**40]]),
    ("echo_linked_list", [["a", "b"], []]),
    ("echo_deque", [["a", "b"], []]),
    ("echo_set", [{"a", "b"}, set()]),
    ("echo_map", [{"a": 1, "b": -2}, {}]),
    ("echo_object_map", [{"a": 1, 2: "b", True: None, "n": [1, {"x": 2.5}]}, {}]),
    ("echo_linked_hash_map", [{"z": "1", "a": "2"}, {}]),
    ("echo_tree_map", [{"a": "1", "b": "2"}, {}]),
    ("echo_nested", [{"a": [HOME], "b": []}, {}]),
    ("echo_persons", [[Person("Anna", 34), Person("Bert", 41, married=True)], []]),
    ("echo_wide", [WIDE, Wide()]),
    ("echo_object", [None, True, "s", 5, 2**40, 2.5, [1, "a"], {"k": [1]}, HOME, Color.GREEN, MOMENT, b"\0\xff"]),
]

# A value given as Object, and what Java says it has become.
DESCRIPTIONS: list[tuple[Any, str]] = [
    (None, "null"),
    (True, "java.lang.Boolean=true"),
    (5, "java.lang.Integer=5"),
    (Long(5), "java.lang.Long=5"),
    (2**31, "java.lang.Long=2147483648"),
    (Int(-(2**31)), "java.lang.Integer=-2147483648"),
    (Byte(5), "java.lang.Integer=5"),
    (Short(-5), "java.lang.Integer=-5"),
    (2**63, "java.math.BigInteger=9223372036854775808"),
    (BigInteger(-5), "java.math.BigInteger=-5"),
    (LIGHT_YEAR, f"java.math.BigInteger={int(LIGHT_YEAR)}"),
    (2.0, "java.lang.Double=2.0"),
    (0.1, "java.lang.Double=0.1"),
    (Float(0.1), "java.lang.Double=0.1"),
    (float("nan"), "java.lang.Double=NaN"),
    ("", "java.lang.String="),
    ("\u4f60\N{GRINNING FACE}", "java.lang.String=\u4f60\N{GRINNING FACE}"),
    (Char("x"), "java.lang.String=x"),
    (Decimal("1.50"), "java.math.BigDecimal=1.50"),
    (b"\x01\xff", "[B=[1, -1]"),
    (uuid.UUID(int=1), "java.util.UUID=00000000-0000-0000-0000-000000000001"),
    (Locale("zh_CN"), "java.util.Locale=zh_CN"),
    (Instant.of(MOMENT, 789_012_345), "java.time.Instant=2024-02-29T12:34:56.789012345Z"),
    (dt.date(2024, 2, 29), "java.time.LocalDate=2024-02-29"),
    (dt.time(12, 34, 56, 789012), "java.time.LocalTime=12:34:56.789012"),
    (LOCAL, "java.time.LocalDateTime=2024-02-29T12:34:56.789"),
    (OffsetTime.of(1, 2, 3, 4, INDIA), "java.time.OffsetTime=01:02:03.000000004+05:30"),
    (OffsetDateTime.of(LOCAL.replace(tzinfo=INDIA)), "java.time.OffsetDateTime=2024-02-29T12:34:56.789+05:30"),
    (zoned(), "java.time.ZonedDateTime=2024-02-29T12:34:56.789+01:00[Europe/Paris]"),
    (INDIA, "java.time.ZoneOffset=+05:30"),
    (Duration.of(-1, 999_999_999), "java.time.Duration=PT-0.000000001S"),
    (dt.timedelta(days=1, seconds=1), "java.time.Duration=PT24H1S"),
    (Period(1, -2, 3), "java.time.Period=P1Y-2M3D"),
    (Year(2024), "java.time.Year=2024"),
    (YearMonth(2024, 2), "java.time.YearMonth=2024-02"),
    (MonthDay(2, 29), "java.time.MonthDay=--02-29"),
    (Color.RED, "org.callahead.interop.Color=RED"),
    (Color.GREEN, "org.callahead.interop.Color$1=GREEN"),
    (HOME, "org.callahead.interop.Address=Address(Unter den Linden 1, 10117)"),
    (JavaObject("org.callahead.interop.Address", {"street": "x"}), "org.callahead.interop.Address=Address(x, 0)"),
    ([1, "a"], "java.util.ArrayList=[1, a]"),
    (TypedList(["a"], "java.util.LinkedList"), "java.util.LinkedList=[a]"),
    ({"a"}, "java.util.HashSet=[a]"),
    (TypedSet(["b", "a"], "java.util.LinkedHashSet"), "java.util.LinkedHashSet=[b, a]"),
    ({"a": 1}, "java.util.HashMap={a=1}"),
    (TypedMap({"b": 1, "a": 2}, "java.util.TreeMap"), "java.util.TreeMap={a=2, b=1}"),
    (java_array("int", [1, 2]), "[I=[1, 2]"),
    (java_array("long", [1, 2]), "[J=[1, 2]"),
    (java_array("java.lang.String", ["a", None]), "[Ljava.lang.String;=[a, null]"),
    (java_array("int[]", [java_array("int", [1]), java_array("int", [])]), "[[I=[[1], []]"),
]  # fmt: skip


@pytest.fixture(scope="module", params=JAVA_WIRES, ids=lambda wire: wire.name)
def types(request: pytest.FixtureRequest, bound: None, providers: Providers) -> Iterator[Reference]:
    """TypesService over each wire; one connection for all tests of this file."""
    wire: Wire = request.param
    reference = wire.java(providers(wire.version), "TypesService", timeout=10_000, retries=0)
    with Consumer({"references": {"types": reference}}) as consumer:
        service = consumer.reference("types")
        assert service.echo_int(1) == 1  # connects, so that no test seems to leave the connection behind
        yield service


@pytest.mark.parametrize(("method", "values"), ECHOES, ids=[name for name, _ in ECHOES])
def test_echo(types: Reference, method: str, values: list[Any]) -> None:
    """What Java sends back is what was sent, of the same type, to the nanosecond."""
    for value in values:
        answer = getattr(types, method)(value)
        assert answer == value
        assert type(answer) is type(value) or isinstance(answer, type(value))
        assert getattr(answer, "nanosecond", 0) == getattr(value, "nanosecond", getattr(answer, "nanosecond", 0))


def test_describe(types: Reference) -> None:
    """Each value becomes the Java class that it stands for, with the same text."""
    told = types.describe_all([value for value, _ in DESCRIPTIONS])
    assert told == [text for _, text in DESCRIPTIONS]


def test_date_arrives_as_date(types: Reference) -> None:
    """An aware datetime is a java.util.Date of the same moment."""
    assert types.describe(MOMENT).startswith("java.util.Date=Thu Feb 29 ")


def test_nan(types: Reference) -> None:
    """NaN survives as double and as float."""
    for echo in (types.echo_double, types.echo_float):
        answer = echo(float("nan"))
        assert answer != answer


def test_negative_zero(types: Reference) -> None:
    """The sign of -0.0 arrives; Java itself writes 0.0 for it."""
    assert types.describe(-0.0) == "java.lang.Double=-0.0"
    assert types.echo_double(-0.0) == 0.0


def test_items_of_a_float_array(types: Reference) -> None:
    """Java writes the items of a float[] as doubles in full length, unlike a Float; the floats are the same."""
    answer = types.echo_floats([0.1, 3.4028235e38])
    assert [Float(item) for item in answer] == [Float(0.1), Float(3.4028235e38)]


def test_date_beyond_python(types: Reference) -> None:
    """A Date of the year 20000 is no datetime, but its milliseconds survive."""
    millis = DateMillis(568_971_820_800_000)
    assert types.echo_date(millis) == millis


def test_zone_survives(types: Reference) -> None:
    """A ZonedDateTime keeps its zone's name, the offset and the nanoseconds."""
    value = zoned()
    answer = types.echo_zoned_date_time(value)
    assert (answer.zone_id, answer.utcoffset(), answer.nanosecond) == ("Europe/Paris", value.utcoffset(), 789_000_000)


def test_calendar(types: Reference) -> None:
    """A Calendar, which Python has nothing for, comes and goes as the object that it is on the wire."""
    sent = JavaObject("com.alibaba.com.caucho.hessian.io.CalendarHandle", {"type": None, "date": MOMENT})
    answer = types.echo_calendar(sent)
    assert isinstance(answer, JavaObject)
    assert answer["date"] == MOMENT


def test_map_keeps_order_and_class(types: Reference) -> None:
    """A LinkedHashMap keeps its order, a TreeMap sorts; both tell their class where nothing else is declared."""
    assert list(types.echo_linked_hash_map({"z": "1", "a": "2", "m": "3"})) == ["z", "a", "m"]
    assert list(types.echo_tree_map({"z": "1", "a": "2"})) == ["a", "z"]


def test_megabyte(types: Reference) -> None:
    """A string of 1 MiB goes and comes back whole."""
    assert types.echo_string(MEGABYTE) == MEGABYTE


def test_megabyte_of_emoji(types: Reference) -> None:
    """So does one of surrogate pairs, whose chunks may not fall between the halves of one."""
    text = "x" + "\N{GRINNING FACE}" * 300_000
    assert types.length_of(text) == 600_001
    assert types.echo_string(text) == text


def test_length_is_counted_in_utf16(types: Reference) -> None:
    """Java sees the same number of UTF-16 units."""
    assert types.length_of(EMOJI) == len(EMOJI.encode("utf-16-le", "surrogatepass")) // 2


def test_lone_surrogate(types: Reference) -> None:
    """Half a pair, which no UTF-8 can hold, goes through unharmed."""
    assert types.echo_string("a\ud83db") == "a\ud83db"


def test_ring_from_java(types: Reference) -> None:
    """A ring that Java made is a ring here: the same objects, and one list shared by all."""
    first = types.make_ring(3)
    nodes = [first, first.next, first.next.next]
    assert [node.name for node in nodes] == ["0", "1", "2"]
    assert nodes[2].next is first
    assert all(node.peers is first.peers for node in nodes)
    assert all(one is other for one, other in zip(first.peers, nodes, strict=True))


def test_ring_to_java(types: Reference) -> None:
    """A ring made here is a ring there, and comes back as one."""
    nodes = [Node(str(number)) for number in range(3)]
    for number, node in enumerate(nodes):
        node.next = nodes[(number + 1) % 3]
        node.peers = nodes
    assert types.is_ring(nodes[0], 3) is True
    assert types.is_ring(nodes[0], 2) is False
    back = types.echo_node(nodes[0])
    assert back.next.next.next is back
    assert back.peers[1] is back.next


def test_node_that_is_its_own_next(types: Reference) -> None:
    """The smallest cycle."""
    node = Node("self")
    node.next = node
    node.peers = [node, node]
    back = types.echo_node(node)
    assert back.next is back
    assert back.peers == [back, back]


def test_person_from_java(types: Reference) -> None:
    """A person that Java made: a superclass' field, an enum with a body, a shared address, a list and a map."""
    anna = types.make_person()
    (bert,) = anna.friends
    assert anna == Person(
        name="Anna \N{GRINNING FACE} \u4f60\u597d",
        age=34,
        married=True,
        favourite=Color.BLUE,
        home=HOME,
        friends=[Person("Bert", 41, None, Color.GREEN, HOME, None, None, 500_000_000_041)],
        addresses={"home": HOME, "work": Address("Alexanderplatz 2", 10178)},
        born_at=500_000_000_034,
    )
    assert bert.home is anna.home
    assert anna.addresses["home"] is anna.home


def test_person_there_and_back(types: Reference) -> None:
    """The same person comes back equal, with the shared address still shared."""
    anna = types.make_person()
    back = types.echo_person(anna)
    assert back == anna
    assert back.friends[0].home is back.home


def test_person_as_object(types: Reference) -> None:
    """A subclass' object given as Object is the class that it says it is."""
    assert types.describe(Person("Anna", 34)) == "org.callahead.interop.Person=Person(Anna, 34)"


def test_identity_in_a_list(types: Reference) -> None:
    """One object twice in a list is one object at the other side and back here."""
    one = Person("Anna", 34)
    first, second = types.echo_persons([one, one])
    assert first is second


def test_dict_for_a_class(types: Reference) -> None:
    """A dict of fields does where a class is declared."""
    assert types.echo_person({"name": "Anna", "age": 34, "bornAt": 5}) == Person("Anna", 34, born_at=5)


@pytest.mark.parametrize(
    ("method", "value", "says"),
    [
        ("echo_byte", 128, "expected a Java byte (-128 to 127), got int 128"),
        ("echo_int", 2**31, "expected a Java int (-2147483648 to 2147483647), got int 2147483648"),
        ("echo_int", None, "expected a Java int, got None"),
        ("echo_int", "1", "expected a Java int, got str"),
        ("echo_ints", [1, 2**31], "item 2: expected a Java int"),
        ("echo_date", LOCAL, "it has no time zone: give one with tzinfo"),
        ("echo_char", "ab", "expected a Java char (one UTF-16 unit), got str of length 2"),
    ],
)
def test_misfit_is_told_before_sending(types: Reference, method: str, value: Any, says: str) -> None:
    """A value that Java would not take is refused here, with nothing sent."""
    with pytest.raises(SerializationError) as caught:
        getattr(types, method)(value)
    assert says in str(caught.value)
    assert caught.value.not_sent

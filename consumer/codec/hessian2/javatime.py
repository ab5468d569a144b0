"""``java.time`` values, as subclasses of Python's where there are such, with the nanoseconds kept beside.

Arithmetic and comparison are those of `datetime`, in whole microseconds; ``nanosecond`` is what Java sent. A value made
by arithmetic has no nanoseconds below its microseconds. None of them needs a time-zone database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Any, Self, SupportsIndex

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _BelowMicrosecond:
    """Keeps the nanoseconds that a microsecond does not hold, through copies and pickles too."""

    rest = 0
    microsecond: int

    @property
    def nanosecond(self) -> int:
        """Of the second: 0 to 999,999,999."""
        return self.microsecond * 1000 + self.rest

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return (*super().__reduce_ex__(protocol)[:2], vars(self))


class LocalTime(_BelowMicrosecond, time):
    """``java.time.LocalTime``; a plain naive `time` is written as one."""

    @classmethod
    def of(cls, hour: int, minute: int, second: int = 0, nanosecond: int = 0, zone: tzinfo | None = None) -> Self:
        """Make one to the nanosecond."""
        made = cls(hour, minute, second, nanosecond // 1000, zone)
        made.rest = nanosecond % 1000
        return made


class OffsetTime(LocalTime):
    """``java.time.OffsetTime``; an aware `time` is written as one."""


class _PreciseDateTime(_BelowMicrosecond, datetime):
    @classmethod
    def of(cls, moment: datetime, nanosecond: int | None = None) -> Self:
        """Make one of any `datetime`, with another nanosecond where one is given."""
        nano = nanosecond_of(moment) if nanosecond is None else nanosecond
        clock = (moment.hour, moment.minute, moment.second, nano // 1000)
        made = cls(moment.year, moment.month, moment.day, *clock, tzinfo=moment.tzinfo, fold=moment.fold)
        made.rest = nano % 1000
        return made


class LocalDateTime(_PreciseDateTime):
    """``java.time.LocalDateTime``; a plain naive `datetime` is written as one."""


class Instant(_PreciseDateTime):
    """``java.time.Instant``: aware, in UTC when it was decoded."""


class OffsetDateTime(_PreciseDateTime):
    """``java.time.OffsetDateTime``: aware, with a fixed offset when it was decoded."""


class ZonedDateTime(_PreciseDateTime):
    """``java.time.ZonedDateTime``: aware, with a fixed offset when it was decoded, and the name of its zone beside.

    Attributes:
        zone_id: Such as ``Europe/Paris``; None stands for the offset itself.
    """

    zone_id: str | None = None

    @classmethod
    def in_zone(cls, moment: datetime, zone_id: str | None = None) -> Self:
        """Make one of an aware `datetime`; without a name, of its ``ZoneInfo``'s key where it has one."""
        made = cls.of(moment)
        made.zone_id = zone_id if zone_id is not None else getattr(moment.tzinfo, "key", None)
        return made


class SqlTimestamp(datetime):
    """``java.sql.Timestamp`` where it stands alone; in UTC, and in milliseconds, as hessian sends it."""


class SqlDate(datetime):
    """``java.sql.Date`` where it stands alone: the moment its day began in the provider's own zone, in UTC."""


class SqlTime(datetime):
    """``java.sql.Time`` where it stands alone: a moment of 1970-01-01 in the provider's own zone, in UTC."""


class DateMillis(int):
    """A ``java.util.Date`` outside the years 1 to 9999: milliseconds since 1970, UTC."""

    def __repr__(self) -> str:
        return f"DateMillis({int(self)})"


class Duration(timedelta):
    """``java.time.Duration``; a plain `timedelta` is written as one."""

    rest = 0

    @classmethod
    def of(cls, seconds: int, nanosecond: int = 0) -> Self:
        """Make one of whole seconds, which may be negative, and 0 to 999,999,999 nanoseconds on top."""
        made = cls(seconds=seconds, microseconds=nanosecond // 1000)
        made.rest = nanosecond % 1000
        return made

    @property
    def nanosecond(self) -> int:
        """Beyond ``days`` and ``seconds``: 0 to 999,999,999."""
        return self.microseconds * 1000 + self.rest

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.days, self.seconds, self.microseconds), vars(self)


@dataclass(frozen=True, slots=True)
class Year:
    """``java.time.Year``."""

    value: int


@dataclass(frozen=True, slots=True, order=True)
class YearMonth:
    """``java.time.YearMonth``."""

    year: int
    month: int


@dataclass(frozen=True, slots=True, order=True)
class MonthDay:
    """``java.time.MonthDay``."""

    month: int
    day: int


@dataclass(frozen=True, slots=True)
class Period:
    """``java.time.Period``: years, months and days, each of its own sign."""

    years: int = 0
    months: int = 0
    days: int = 0


@dataclass(frozen=True, slots=True)
class ZoneId:
    """``java.time.ZoneId`` of a region, such as ``Asia/Shanghai``; a plain `timezone` stands for a ``ZoneOffset``."""

    name: str


@dataclass(frozen=True, slots=True)
class Locale:
    """``java.util.Locale`` in Java's own spelling: ``zh_CN``, ``en``, "" for the root."""

    name: str


def nanosecond_of(value: time | datetime) -> int:
    """Give the nanoseconds of the second, also of a value that keeps only microseconds."""
    return value.nanosecond if isinstance(value, _BelowMicrosecond) else value.microsecond * 1000


def offset_of(value: time | datetime) -> timezone:
    """Give the fixed offset that holds at this value, which must be aware."""
    offset = value.utcoffset()
    if offset is None:
        raise ValueError(f"{value!r} has no time zone")
    return timezone(offset)


def epoch_millis(moment: datetime) -> int:
    """Give the milliseconds since 1970 of an aware moment, rounded down."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def from_epoch_millis(millis: int) -> datetime | DateMillis:
    """Give the aware moment in UTC, or the number itself where a `datetime` cannot hold it."""
    try:
        return EPOCH + timedelta(milliseconds=millis)
    except OverflowError:
        return DateMillis(millis)

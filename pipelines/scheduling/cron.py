"""Cron expressions and the moments at which they are due.

The expressions are those of Debian's cron: five fields with lists, ranges, steps and names, or a word such as
``@daily``. If both the day of the month and the day of the week are restricted, a day that matches either one is due.

Times are handled as Debian's cron handles them when the clock changes:

- An expression whose minute and hour both begin without ``*`` names times of the day. A time that the clock skips is
  due once, at the first moment after the gap. A time that the clock repeats is due once, the first time.
- If the minute or the hour begins with ``*``, the expression is due at every moment at which the clock shows a matching
  time: not in the gap, and twice in the repeated hour.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from corpusmill.pipelines.scheduling.zones import zone_of
from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.problems import hint_among

WORDS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS: Final = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
_WEEKDAYS: Final = "SUN|MON|TUE|WED|THU|FRI|SAT"
_FIELDS: Final = {
    "minute": ("0-59", ""),
    "hour": ("0-23", ""),
    "day of the month": ("1-31", ""),
    "month": ("1-12 or JAN-DEC", f"|{_MONTHS}"),
    "day of the week": ("0-7 or SUN-SAT, where 0 and 7 are Sunday", f"|{_WEEKDAYS}"),
}
"""Values of each field in words, and its names as a part of a pattern."""
_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Cron:
    """A valid expression in a time zone.

    Args:
        expression: As it was written, with single spaces.
        timezone: IANA name.
    """

    expression: str
    timezone: str

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return zone_of(self.timezone)

    @property
    def fields(self) -> tuple[str, ...]:
        """The five fields in upper case: minute, hour, day of the month, month, day of the week."""
        return tuple(WORDS.get(self.expression.lower(), self.expression).upper().split())

    @cached_property
    def values(self) -> CronSim:
        """The values of each field, as sets. It is not iterated."""
        return CronSim(" ".join(self.fields), datetime(2000, 1, 1))

    def after(self, moment: datetime) -> datetime | None:
        """Return the first due time after *moment*, in UTC; None if there is none in the next 50 years."""
        return next(self._after(moment), None)

    def latest(self, until: datetime, *, since: datetime) -> datetime | None:
        """Return the last due time from *since* to *until*, both included, in UTC; None if there is none."""
        until, since = until.astimezone(UTC), since.astimezone(UTC)
        window = timedelta(hours=1)
        while True:
            start = max(since, until - window)
            due = None
            for due in self._between(start, until + _SECOND):  # noqa: B007 - the last one is kept
                pass
            if due is not None or start == since:
                return due
            window *= 24

    def count(self, since: datetime, until: datetime) -> int:
        """Return the number of due times from *since* to *until*, both included.

        Days without a change of the clock are counted as a whole, which takes 40 ms for a year of `* * * * *`.
        """
        since, until = since.astimezone(UTC), until.astimezone(UTC) + _SECOND
        first, last = (moment.astimezone(self.zone).date() for moment in (since, until))
        if first == last:
            return self._walked(since, until)
        days = (first + number * _DAY for number in range(1, (last - first).days))
        return (
            self._walked(since, self._midnight(first + _DAY))
            + sum(map(self._on_day, days))
            + self._walked(self._midnight(last), until)
        )

    def _after(self, moment: datetime) -> Iterator[datetime]:
        """Yield the due times after *moment*.

        In the second of two repeated hours, CronSim yields the times of the first one again; they are left out.
        """
        last = moment
        for local in CronSim(" ".join(self.fields), moment.astimezone(self.zone)):
            due = local.astimezone(UTC)
            if due > last:
                yield due
                last = due

    def _between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the due times from *start*, included, to *end*, not included."""
        for due in self._after(start - timedelta.resolution):
            if due >= end.replace(microsecond=0):
                return
            yield due

    def _walked(self, start: datetime, end: datetime) -> int:
        return sum(1 for _ in self._between(start, end))

    def _on_day(self, day: date) -> int:
        """Return the number of due times on *day*. Times that the day before skips may be due on it."""
        before, start, end = (self._midnight(day + number * _DAY) for number in (-1, 0, 1))
        if start - before != _DAY or end - start != _DAY:
            return self._walked(start, end)
        if day.month not in self.values.months or not self.values.match_day(day):
            return 0
        return len(self.values.hours) * len(self.values.minutes)

    def _midnight(self, day: date) -> datetime:
        """Return the beginning of *day* in UTC, because Python subtracts times of one zone as if no clock changed."""
        return datetime.combine(day, time(), tzinfo=self.zone).astimezone(UTC)


def parse_cron(expression: str, timezone: str = "UTC") -> Cron:
    """Parse *expression*, whose times are those of the time zone *timezone*.

    Raises:
        UsageError: It is not a cron expression, it is never due, or there is no such zone.

    >>> str(parse_cron("30 2 * * MON-FRI", "Europe/Berlin").after(datetime(2026, 3, 27, 12, tzinfo=UTC)))
    '2026-03-30 00:30:00+00:00'
    """
    cron = Cron(" ".join(expression.split()), timezone)
    zone_of(timezone)
    _refuse_unknown_word(cron.expression)
    fields = cron.fields
    if len(fields) != len(_FIELDS):
        number = f"{len(fields)} field{'s' * (len(fields) != 1)}"
        raise UsageError(
            f"`{cron.expression}` is not a cron expression: it has {number} instead of five",
            hint='minute, hour, day of the month, month and day of the week, for example `--cron "0 2 * * *"`',
        )
    for (name, (allowed, names)), field in zip(_FIELDS.items(), fields, strict=True):
        _refuse_bad_field(cron.expression, name, field, allowed=allowed, names=names)
    if not _is_ever_due(cron):
        raise UsageError(f"`{cron.expression}` is never due: no date matches", hint="check the day and the month")
    return cron


def _refuse_unknown_word(expression: str) -> None:
    if expression.startswith("@") and expression.lower() not in WORDS:
        raise UsageError(f"unknown word `{expression}`", hint=hint_among(expression, tuple(WORDS), noun="words"))


def _refuse_bad_field(expression: str, name: str, field: str, *, allowed: str, names: str) -> None:
    value = rf"(\d{{1,2}}{names})"
    term = rf"(\*|{value}(-{value})?)(/\d{{1,2}})?"
    is_valid = re.fullmatch(rf"{term}(,{term})*", field, re.ASCII) is not None
    if is_valid:
        position = list(_FIELDS).index(name)
        alone = ["*"] * len(_FIELDS)
        alone[position] = field
        try:
            CronSim(" ".join(alone), datetime(2000, 1, 1))
        except CronSimError:
            is_valid = False
    if not is_valid:
        raise UsageError(
            f"`{expression}` is not a cron expression: {name} is `{field}`",
            hint=f"write values of {allowed}; `1,15` is a list, `1-5` a range from low to high, `*/2` a step",
        )


def _is_ever_due(cron: Cron) -> bool:
    try:
        return cron.after(datetime.now(UTC)) is not None
    except CronSimError:  # no month of the list has the day
        return False

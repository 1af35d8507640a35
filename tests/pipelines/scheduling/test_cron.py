"""Cron expressions: what is refused, and when they are due, over both changes of the clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice, pairwise, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.scheduling.cron import WORDS, Cron, parse_cron
from corpusmill.schemas.errors import UsageError

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
CHANGES = (
    *((BERLIN, "2026-03-27"), (BERLIN, "2026-10-23"), (NEW_YORK, "2026-03-06"), (NEW_YORK, "2026-10-30")),
    *(("America/Santiago", "2026-04-03"), ("America/Santiago", "2026-09-04")),
    *(("Australia/Lord_Howe", "2026-04-03"), ("Australia/Lord_Howe", "2026-10-02"), ("Asia/Kolkata", "2026-06-01")),
    *(("Pacific/Apia", "2011-12-28"), ("UTC", "2026-12-30")),
)
"""Zones, each with a day shortly before its clock changes. Apia left out a whole day."""
EXPRESSIONS = (
    *("30 2 * * *", "0 0 * * *", "*/10 * * * *", "15,45 1-3 * * *", "0 */6 * * *", "30 2 1 * MON", "*/30 2 * * *"),
    *("5 0-23/2 * MAR,OCT SUN", "0 0 */2 * MON", "59 23 28-31 * *", "@hourly", "@weekly", "7 4 29 2 *"),
)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def local(cron: Cron, after: str, *, count: int) -> list[str]:
    """Return the next *count* due times after a moment, as the clock of the zone shows them."""
    times = islice(cron._after(moment(after)), count)
    return [time.astimezone(cron.zone).isoformat(timespec="minutes") for time in times]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 2 * * *", ["2026-01-01T02:00+00:00", "2026-01-02T02:00+00:00"]),
        ("0 2 * * MON-FRI/2", ["2026-01-02T02:00+00:00", "2026-01-05T02:00+00:00"]),
        ("0 0 1 jan,jul *", ["2026-07-01T00:00+00:00", "2027-01-01T00:00+00:00"]),
        ("0 0 13 * fri", ["2026-01-02T00:00+00:00", "2026-01-09T00:00+00:00", "2026-01-13T00:00+00:00"]),
        ("0 0 * * 7", ["2026-01-04T00:00+00:00"]),
        ("0  12 \t * * 0", ["2026-01-04T12:00+00:00"]),
        ("@Monthly", ["2026-02-01T00:00+00:00"]),
    ],
)
def test_fields_have_lists_ranges_steps_and_names(expression: str, expected: list[str]) -> None:
    """A restricted day of the month or a restricted day of the week is enough, as in cron."""
    assert local(parse_cron(expression), "2026-01-01T00:00Z", count=len(expected)) == expected


@pytest.mark.parametrize(
    ("zone", "day_before", "gap_end", "next_day"),
    [
        (BERLIN, "2026-03-28T12:00Z", "2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"),
        (NEW_YORK, "2026-03-07T12:00Z", "2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00"),
        ("America/Santiago", "2026-09-05T12:00Z", None, None),
    ],
)
def test_a_time_that_the_clock_skips_is_due_at_the_end_of_the_gap(
    zone: str, day_before: str, gap_end: str | None, next_day: str | None
) -> None:
    """A nightly job must not miss the night; in Chile the clock skips midnight itself."""
    if gap_end is None:
        expected = ["2026-09-06T01:00-03:00", "2026-09-07T00:00-03:00"]
        assert local(parse_cron("0 0 * * *", zone), day_before, count=2) == expected
        return
    assert local(parse_cron("30 2 * * *", zone), day_before, count=2) == [gap_end, next_day]
    assert local(parse_cron("15,45 2 * * *", zone), day_before, count=2)[0] == gap_end
    assert local(parse_cron("15,45 2 * * *", zone), day_before, count=2)[1] != gap_end


@pytest.mark.parametrize(
    ("zone", "first", "second", "next_day"),
    [
        (BERLIN, "2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00", "2026-10-26T02:30+01:00"),
        (NEW_YORK, "2026-11-01T01:30-04:00", "2026-11-01T01:30-05:00", "2026-11-02T01:30-05:00"),
    ],
)
def test_a_time_that_the_clock_repeats_is_due_once(zone: str, first: str, second: str, next_day: str) -> None:
    """It is due the first time, wherever in the repeated hour the question is asked."""
    cron = parse_cron(f"30 {first[11:13]} * * *", zone)
    day_before = str(moment(first) - timedelta(hours=12))

    assert local(cron, day_before, count=2) == [first, next_day]
    for asked in (first, str(moment(first) + timedelta(minutes=40)), second):
        assert local(cron, asked, count=1) == [next_day]


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK])
@pytest.mark.parametrize("change", ["2026-03-29T00:00Z", "2026-10-25T00:00Z", "2026-03-08T06:00Z", "2026-11-01T05:00Z"])
def test_a_wildcard_is_due_at_every_real_instant(zone: str, change: str) -> None:
    """Every ten minutes means every ten minutes, whatever the clock shows."""
    cron = parse_cron("*/10 * * * *", zone)

    dues = list(islice(cron._after(moment(change)), 30))

    assert {later - earlier for earlier, later in pairwise(dues)} == {timedelta(minutes=10)}


@given(
    expression=st.sampled_from(EXPRESSIONS),
    change=st.sampled_from(CHANGES),
    offset_s=st.integers(0, 3 * 86400),
    length_s=st.integers(0, 8 * 86400),
)
def test_the_count_is_that_of_a_walk(expression: str, change: tuple[str, str], offset_s: int, length_s: int) -> None:
    """Days are counted as a whole where the clock does not change."""
    zone, start = change
    cron = parse_cron(expression, zone)
    since = moment(f"{start}T00:00:00.5Z") + timedelta(seconds=offset_s)
    until = since + timedelta(seconds=length_s)
    dues = list(takewhile(lambda due: due <= until, cron._after(since)))

    assert cron.count(since, until) == len(dues)
    assert cron.latest(until, since=since) == (dues[-1] if dues else None)


@pytest.mark.parametrize(("zone", "start"), CHANGES)
def test_whole_days_with_a_change_are_walked(zone: str, start: str) -> None:
    """Such a day has 23, 25 or other hours, and its skipped times are due elsewhere."""
    since = moment(f"{start}T00:00:30Z")
    until = since + timedelta(days=6)
    for expression in EXPRESSIONS:
        cron = parse_cron(expression, zone)

        assert cron.count(since, until) == sum(1 for _ in takewhile(lambda due: due <= until, cron._after(since)))


def test_both_ends_of_a_count_are_included() -> None:
    cron = parse_cron("0 2 * * *")
    first, last = moment("2026-01-01T02:00Z"), moment("2026-04-01T02:00Z")

    assert cron.count(first, last) == 91
    assert cron.count(first, first) == 1
    assert cron.latest(last, since=first) == last
    assert cron.latest(last - timedelta(seconds=1), since=first) == last - timedelta(days=1)
    assert cron.latest(last - timedelta(seconds=1), since=last - timedelta(hours=2)) is None


@pytest.mark.parametrize(
    ("expression", "zone", "message", "hint"),
    [
        ("0 2 * *", "UTC", "4 fields instead of five", '`--cron "0 2 * * *"`'),
        ("0 0 2 * * *", "UTC", "6 fields", "minute, hour"),
        ("", "UTC", "0 fields", "minute, hour"),
        ("0 25 * * *", "UTC", "hour is `25`", "0-23"),
        ("60 * * * *", "UTC", "minute is `60`", "0-59"),
        ("*/0 * * * *", "UTC", "minute is `*/0`", "0-59"),
        ("0 0 L * *", "UTC", "day of the month is `L`", "1-31"),
        ("0 0 * * MON#2", "UTC", "day of the week is `MON#2`", "SUN-SAT"),
        ("0 0 * * FRI-MON", "UTC", "day of the week is `FRI-MON`", "from low to high"),
        ("0 0 * JANUARY *", "UTC", "month is `JANUARY`", "JAN-DEC"),
        ("² 0 * * *", "UTC", "minute is `²`", "0-59"),
        ("0 0 30 2 *", "UTC", "never due", "check the day"),
        ("0 0 31 4,6 *", "UTC", "never due", "check the day"),
        ("@dayly", "UTC", "unknown word `@dayly`", "did you mean `@daily`?"),
        ("@reboot", "UTC", "unknown word", "words: @hourly"),
        ("0 2 * * *", "Europe/Berln", "unknown time zone `Europe/Berln`", "`Europe/Berlin`"),
        ("0 2 * * *", "berlin", "unknown time zone", "`Europe/Berlin`"),
        ("0 2 * * *", "../../etc/passwd", "unknown time zone", ""),
        ("0 2 * * *", "+02:00", "unknown time zone", "IANA"),
    ],
)
def test_a_wrong_expression_or_zone_is_refused_with_a_hint(expression: str, zone: str, message: str, hint: str) -> None:
    """What is refused here would otherwise never run, at night."""
    with pytest.raises(UsageError) as refused:
        parse_cron(expression, zone)

    assert message in refused.value.message
    assert hint in (refused.value.hint or "")


@pytest.mark.parametrize("word", WORDS)
def test_every_word_is_due(word: str) -> None:
    assert parse_cron(word, BERLIN).after(moment("2026-06-01T00:00Z")) is not None

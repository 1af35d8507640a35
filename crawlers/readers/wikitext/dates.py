"""Templates of dates and times. What depends on the day on which a page is read, such as an age, is left out."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from corpusmill.crawlers.readers.wikitext.arguments import Arguments
from corpusmill.crawlers.readers.wikitext.page import Page

_YEAR: Final = re.compile(r"-?\d{1,4}")
_DAY_FIRST: Final = frozenset({"y", "yes", "1", "true", "dmy"})


def written_date(page: Page, year: str, month: str = "", day: str = "", *, day_first: bool = False) -> str:
    """Return a date in the form of the language; months can be numbers or names, and days can be missing."""
    language = page.language
    if month.isdecimal() and 1 <= int(month[:4]) <= 12:
        month = language.months[int(month) - 1]
    if day.isdecimal():
        day = str(int(day[:4]))
    if not month:
        return year
    if not day:
        return f"{month} {year}".strip()
    pattern = "{day} {month} {year}" if day_first else language.date
    return pattern.format(day=day, month=month, year=year).strip(" ,")


def date_ymd(arguments: Arguments, page: Page, *, start: int = 1) -> str:
    """Return the date in the positional arguments year, month and day."""
    year, month, day = (arguments.get(str(start + place), "") for place in range(3))
    if not _YEAR.fullmatch(year):
        return year
    return written_date(page, year, month, day, day_first=_is_day_first(arguments))


def date_and_time(arguments: Arguments, page: Page) -> str:
    """Return the date in the positional arguments year, month and day, with the time in hour and minute if any."""
    hour, minute = arguments.get("4", ""), arguments.get("5", "")
    time = f"{hour}:{minute.zfill(2)}, " if hour.isdecimal() and minute.isdecimal() else ""
    return time + date_ymd(arguments, page)


def _is_day_first(arguments: Arguments) -> bool:
    return arguments.get("df", "").lower() in _DAY_FIRST or arguments.get("format", "").lower() == "dmy"


def date_ymd_after_3(arguments: Arguments, page: Page) -> str:
    """Return the date in the arguments 4 to 6; 1 to 3 are the day to which an age is computed."""
    return date_ymd(arguments, page, start=4)


def date_text(arguments: Arguments, page: Page) -> str:
    """Return a date as it is written in the first argument, or in year, month and day."""
    first = arguments.get("1", "")
    if re.fullmatch(r"\d{1,4}", first) and arguments.get("2"):
        if len(first) > 2:
            return date_ymd(arguments, page)
        month, year = arguments.get("2", ""), arguments.get("3", "")
        return written_date(page, year, month, first, day_first=not month.isdecimal() or _is_day_first(arguments))
    iso = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", first)
    if iso is not None:
        return written_date(
            page, iso[1], iso[2], iso[3], day_first=_is_day_first(arguments) or arguments.get("2") == "dmy"
        )
    return first


def month_name(arguments: Arguments, page: Page) -> str:
    """Return the name of the month with a number."""
    return written_date(page, "", arguments.get("1", "")).strip()


def death_date(arguments: Arguments, page: Page) -> str:
    """Return the date of death, with the age, which two dates give."""
    died = date_ymd(arguments, page)
    values = [arguments.get(str(place), "") for place in range(1, 7)]
    years = _years(values[3:], values[:3])
    return died if years is None else f"{died} ({page.language.words['aged']}{years})"


def _years(born: list[str], died: list[str]) -> int | None:
    """Return the whole years between two dates; None if they are not numbers."""
    try:
        first, last = ([int(value or 1) for value in values] for values in (born, died))
        date(*first), date(*last)
    except (ValueError, TypeError):
        return None
    if not born[0] or not died[0]:
        return None
    return last[0] - first[0] - (last[1:] < first[1:])


def age(arguments: Arguments, page: Page) -> str:
    """Return the years between two dates; nothing if the second is the current day."""
    values = [arguments.get(str(place), "") for place in range(1, 7)]
    years = _years(values[:3], values[3:]) if all(values) else None
    return "" if years is None else str(years)


def age_days(arguments: Arguments, page: Page) -> str:
    """Return the days between two dates; nothing if the second is the current day."""
    values = [arguments.get(str(place), "") for place in range(1, 7)]
    try:
        numbers = [int(value) for value in values]
        days = (date(*numbers[3:]) - date(*numbers[:3])).days
    except ValueError:
        return ""
    return f"{days:,} day" + ("s" if days != 1 else "")


def as_of(arguments: Arguments, page: Page) -> str:
    """Return "As of May 2010"."""
    if arguments.get("alt"):
        return arguments["alt"]
    words = page.language.words["as_of"]
    if arguments.first("since"):
        words = "Since "
    if arguments.get("lc", "").lower() in {"y", "yes", "on"}:
        words = words[:1].lower() + words[1:]
    when = date_ymd(arguments, page) if arguments.get("2") else arguments.get("1", "")
    return words + when + arguments.get("post", "")


def year(arguments: Arguments, page: Page) -> str:
    """Return the first argument, a year."""
    return arguments.get("1", "")


def circa(arguments: Arguments, page: Page) -> str:
    """Return "c. 1500", or a span of such years."""
    return _span(arguments, page.language.words["circa"], is_repeated=True)


def floruit(arguments: Arguments, page: Page) -> str:
    """Return "fl. 1500–1520"."""
    return _span(arguments, page.language.words["floruit"], is_repeated=False)


def reign(arguments: Arguments, page: Page) -> str:
    """Return "r. 1500–1520"."""
    return _span(arguments, page.language.words["reign"], is_repeated=False)


def _span(arguments: Arguments, word: str, *, is_repeated: bool) -> str:
    first, last = arguments.get("1", ""), arguments.get("2", "")
    if not last:
        return word + first
    return f"{word}{first} – {word}{last}" if is_repeated else f"{word}{first}–{last}"


def old_style_date(arguments: Arguments, page: Page) -> str:
    """Return a date with that of the Julian calendar."""
    new, when, old = (arguments.get(str(place), "") for place in (1, 2, 3))
    return f"{new}{f' [O.S. {old}]' if old else ''} {when}".strip()

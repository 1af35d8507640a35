"""Dates in a text, generalized to the year or shifted. A year alone and a time of day stay: the rule permits both."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Final

from corpusmill.schemas.deidentification.patterns import compiled, matches_at, word_starts
from corpusmill.schemas.deidentification.spans import Span

_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_FULL: Final = "January February March April May June July August September October November December".split()
_MONTH_WORDS: Final = frozenset((*_MONTHS, *map(str.lower, _FULL), "sept"))
_HOLIDAY_WORDS: Final = frozenset(
    "christmas thanksgiving new fourth labor memorial independence halloween valentine veterans boxing mother father"
    " easter good juneteenth".split()
)
_ORDINAL_WORDS: Final = frozenset(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
    " fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty thirtieth thirty".split()
)
_LONG: Final = (
    r"(?i:january|february|april|june|july|august|september|october|november|december"
    r"|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec)\b\.?"
)
_MONTH: Final = rf"(?:{_LONG}|(?:May|MAY|March|MARCH)\b(?:\.(?=\s\d))?)"
_ANY_MONTH: Final = rf"(?:{_LONG}|(?i:may|march)\b)"
_DAY: Final = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR: Final = r"(?:1[89]|20)\d\d"
_NOT_A_DOSE: Final = (
    r"(?![-\d]|[.,/]\d|\s*(?:mg|mcg|ml|mL|units?|tabs?|tablets?|caps|capsules?|days?|weeks?|times|%|x\b))"
)
_CLOCK: Final = r"(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
_CUE: Final = compiled(
    r"(?i:\b(?:on|since|until|till|from|by|through|thru|dated?|admitted|discharged|seen|visit|due|before|after|as of"
    r"|follow[- ]?up|f/u|lmp|edc|last|next|surgery|appointment|appt|taken|drawn|collected|performed|started|stopped"
    r"|ended)[:,]?\s+)\Z"
)
"""What stands before a month and a day without a year."""
_TIME: Final = compiled(r"(?i:\b(?:in|since|until|during|this|early|late|mid|last|next|of|by|from)[\s-]+)\Z")
"""What stands before a month alone."""
_END: Final = r"(?![\w/]|[.-]\d)"
_NUMERIC: Final = compiled(
    r"(?=\d)(?<![\w./-])(?:"
    + "|".join(
        (
            rf"(?P<iso>(?P<iy>{_YEAR})-(?P<im>0[1-9]|1[0-2])-(?P<id>0[1-9]|[12]\d|3[01])){_CLOCK}(?![\w-])",
            rf"(?P<slash>(?P<sy>{_YEAR})(?P<ss>[/.])(?P<sm>0?[1-9]|1[0-2])(?P=ss)(?P<sd>{_DAY})){_END}",
            rf"(?P<numeric>(?P<na>{_DAY})(?P<ns>[/-])(?P<nb>{_DAY})(?P=ns)(?P<ny>{_YEAR}|\d\d)){_END}",
            rf"(?P<dotted>(?P<da>{_DAY})\.(?P<db>{_DAY})\.(?P<dy>{_YEAR})){_END}",
            rf"(?P<stamp>(?P<ty>{_YEAR})(?P<tm>0[1-9]|1[0-2])(?P<td>0[1-9]|[12]\d|3[01])"
            r"(?:[01]\d|2[0-3])?(?:[0-5]\d){0,2}(?:\.\d{1,4}|(?!\d|\.\d))(?:[+-]\d{4})?)(?!\w)",
            rf"(?P<reversed>(?P<rd>{_DAY})(?:st|nd|rd"
            rf"|th)?(?:\s+of)?[\s-]*(?P<rm>{_ANY_MONTH})[\s,-]*(?P<ry>{_YEAR}))\b",
            rf"(?P<short>(?P<hd>{_DAY})-(?P<hm>{_ANY_MONTH})-(?P<hy>\d\d))\b",
            rf"(?P<joined>(?P<jd>{_DAY})(?P<jm>(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))(?P<jy>{_YEAR}|\d\d))(?!\w)",
            rf"(?P<dots>(?P<ea>{_DAY})\.(?P<eb>0?[1-9]|1[0-2])\.(?P<ey>\d\d)){_END}",
            rf"(?P<number>(?P<um>0?[1-9]|1[0-2])[/-](?P<uy>{_YEAR})){_END}",
            rf"(?P<backward>{_DAY}(?:st|nd|rd|th)?(?:\s+of)?[\s-]+{_MONTH}\b)",
            rf"(?P<range>(?:0?[1-9]|1[0-2])/{_DAY}\s*(?:-|–|to|through)\s*(?:0?[1-9]|1[0-2])/{_DAY}"
            r"(?:/(?:\d{4}|\d\d))?)(?![\w/]|[.-]\d|\s*(?i:pain|scale|strength|mg))",
            rf"(?P<bare>(?:0?[1-9]|1[0-2])/{_DAY})(?![\w/%]|[.-]\d|\s*(?i:pain|scale|strength|mm|tab|of|mg|bilat"
            rf"|in the))",
        )
    )
    + ")"
)
_TO_DAY: Final = rf"{_DAY}(?:st|nd|rd|th)?(?:\s*(?:-|–|to|through|and)\s*(?:{_MONTH}\s+)?{_DAY}(?:st|nd|rd|th)?)?"
_ORDINAL: Final = (
    r"(?i:(?:twenty|thirty)[- ]?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|first|second|third"
    r"|fourth|fifth"
    r"|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth"
    r"|nineteenth|twentieth|thirtieth)"
)
_SPELLED: Final = compiled(
    rf"\b{_ORDINAL}(?:\s+(?i:day))?\s+(?i:of)\s+{_ANY_MONTH}(?:,?\s+{_YEAR}\b)?"
    rf"|\b{_MONTH}\s+(?:(?i:the)\s+)?{_ORDINAL}\b(?:,?\s+{_YEAR}\b)?"
)
"""A date in words, as in `the third of May`."""
_HOLIDAY: Final = compiled(
    r"\b(?:Christmas(?:\s+(?:Eve|Day))?|Thanksgiving(?:\s+Day)?|New\s+Year['’]?s?\s+(?:Eve|Day)|Fourth\s+of\s+July"
    r"|Labor\s+Day|Memorial\s+Day|Independence\s+Day|Halloween|Valentine['’]?s?\s+Day|Veterans['’]?\s+Day|Boxing\s+Day"
    r"|Mother['’]s\s+Day|Father['’]s\s+Day|Easter(?:\s+(?:Sunday|Monday))?|Good\s+Friday|Juneteenth)\b(?!\s+(?:disease|factor|tree))"
)
_WEEKDAY: Final = compiled(r"\b(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs?)?|Fri|Sat(?:ur)?|Sun)(?:day)?\.?,?[ ](?:the[ ])?\Z")
_LONGEST_WEEKDAY: Final = 16
_WORDS: Final = compiled(
    r"\b(?=[JFMASONDjfmasond])(?:"
    + "|".join(
        (
            rf"(?P<words>(?P<wm>{_ANY_MONTH})\s*(?P<wd>{_DAY})(?:st|nd|rd|th)?(?:\s*(?:-|–|to|through|and)\s*{_DAY}"
            rf"(?:st|nd|rd|th)?)?(?:,\s*|\s+(?:of\s+)?)(?P<wy>{_YEAR}))\b",
            rf"(?P<month>(?P<mm>{_ANY_MONTH})(?:\s+of)?[\s,/-]+(?P<my>{_YEAR}))\b",
            rf"(?P<day>{_MONTH}\s+{_TO_DAY}\b{_NOT_A_DOSE}|(?i:{_ANY_MONTH}\s+{_DAY}(?:st|nd|rd|th)\b))",
            rf"(?P<alone>{_MONTH})(?![\w-]|\s+\d)",
        )
    )
    + ")"
)
_RATED: Final = compiled(
    r"(?i:\b(?:pain|rat(?:es|ed|ing)|scale|scores?|strength|discomfort|\w{3,}ache|severity)\b|\d/10)[^\n]*\Z"
)
_BIRTH: Final = compiled(
    r"(?i:\b(?:d\.?o\.?b\.?|date of birth|birth\s?date|birthday|born)\b[\s:(is,wason]{0,14}(?:[A-Za-z]+day,?\s+)?)\Z"
)
_BIRTH_YEAR: Final = compiled(
    r"(?i:\b(?:born(?:\s+in)?|birth year|year of birth)[:\s]+(?:is\s+|in\s+)?)(1[89]\d\d|20\d\d)\b"
)

Births = frozenset[date]


def date_spans(text: str, *, births: Births = frozenset(), shift_days: int | None = None) -> Iterator[Span]:
    """Yield the dates of *text*: the year instead, or with *shift_days* the shifted date in the same form.

    Dates of birth and dates without a year get a placeholder: a year of birth can show an age over 89.

    >>> [span.replacement for span in date_spans("Seen on 03/05/2019, again March 9, 2019; BP 120/80, pain 5/10.")]
    ['2019', '2019']
    """
    words = word_starts(text)
    for match in _BIRTH_YEAR.finditer(text) if "born" in words or "birth" in words else ():
        yield Span(match.start(1), match.end(1), "date")
    has_month = not words.keys().isdisjoint(_MONTH_WORDS)
    spelled = matches_at(_SPELLED, text, _MONTH_WORDS | _ORDINAL_WORDS) if has_month else ()
    for match in (*spelled, *matches_at(_HOLIDAY, text, _HOLIDAY_WORDS)):
        start = match.start() - 4 * (text[max(0, match.start() - 4) : match.start()].casefold() == "the ")
        yield Span(_with_weekday(text, start), match.end(), "date")
    for match in (*_NUMERIC.finditer(text), *matches_at(_WORDS, text, _MONTH_WORDS)):
        kind = next(group for group in match.re.groupindex if group in _FORMS and match[group] is not None)
        start, end = match.span(kind)
        if kind in ("iso", "stamp"):
            end = match.end()
        if not _is_announced(text, kind, match[kind], start):
            continue
        parts = _FORMS[kind](match)
        start = _with_weekday(text, start)
        is_birth = _BIRTH.search(text, max(0, start - 40), start) is not None or _is_one_of(parts, births)
        if parts is None or is_birth:
            yield Span(start, end, "date")
        elif shift_days is None:
            yield Span(start, end, "date", str(parts[0]))
        else:
            yield Span(start, end, "date", _shifted(match, kind, parts, shift_days))


def _with_weekday(text: str, start: int) -> int:
    """Return where the day of the week begins that stands right before a date, else *start*."""
    weekday = _WEEKDAY.search(text, max(0, start - _LONGEST_WEEKDAY), start)
    return start if weekday is None else weekday.start()


Parts = tuple[int, int, int | None]
"""Year, month, day."""


def _is_announced(text: str, kind: str, value: str, start: int) -> bool:
    """Return whether a form that is a date only after certain words stands after one."""
    if kind == "bare":
        return _with_weekday(text, start) < start or (
            _CUE.search(text, max(0, start - 20), start) is not None and not _is_a_rating(text, value, start)
        )
    if kind == "range":
        return not _is_a_rating(text, value, start)
    return kind != "alone" or _TIME.search(text, max(0, start - 12), start) is not None


def _is_a_rating(text: str, value: str, start: int) -> bool:
    """Return whether *value* rates pain or strength, as in "pain down from 9/10"."""
    return value.endswith(("/10", "/5")) and _RATED.search(text, max(0, start - 60), start) is not None


def _is_one_of(parts: Parts | None, births: Births) -> bool:
    return parts is not None and any(
        (born.year, born.month) == parts[:2] and parts[2] in (None, born.day) for born in births
    )


def _numbers(*groups: str) -> Callable[[re.Match[str]], Parts | None]:
    def parts(match: re.Match[str]) -> Parts | None:
        year, month, day = (int(match[group]) for group in groups)
        return (year, month, day) if _is_valid(year, month, day) else None

    return parts


def _either_order(first: str, second: str, year: str) -> Callable[[re.Match[str]], Parts | None]:
    def parts(match: re.Match[str]) -> Parts | None:
        one, two, number = int(match[first]), int(match[second]), _full_year(match[year])
        month, day = (one, two) if one <= 12 else (two, one)
        return (number, month, day) if _is_valid(number, month, day) else None

    return parts


def _named(month: str, year: str, day: str | None = None) -> Callable[[re.Match[str]], Parts | None]:
    def parts(match: re.Match[str]) -> Parts | None:
        number = _MONTHS.index(match[month][:3].casefold()) + 1
        day_number = None if day is None else int(match[day])
        whole = _full_year(match[year])
        return (whole, number, day_number) if _is_valid(whole, number, day_number or 1) else None

    return parts


def _nothing(_: re.Match[str]) -> None:
    return None


_FORMS: Final[dict[str, Callable[[re.Match[str]], Parts | None]]] = {
    "iso": _numbers("iy", "im", "id"),
    "slash": _numbers("sy", "sm", "sd"),
    "numeric": _either_order("na", "nb", "ny"),
    "dotted": _either_order("db", "da", "dy"),
    "stamp": _numbers("ty", "tm", "td"),
    "words": _named("wm", "wy", "wd"),
    "reversed": _named("rm", "ry", "rd"),
    "short": _named("hm", "hy", "hd"),
    "joined": _named("jm", "jy", "jd"),
    "dots": _either_order("eb", "ea", "ey"),
    "month": _named("mm", "my"),
    "number": lambda match: (int(match["uy"]), int(match["um"]), None),
    "day": _nothing,
    "backward": _nothing,
    "range": _nothing,
    "bare": _nothing,
    "alone": _nothing,
}
"""What each form of a date says; None if it has no year or is no day of a calendar."""


def _full_year(digits: str) -> int:
    """Return the year of two or four *digits*: 00-30 are of this century.

    >>> _full_year("19"), _full_year("61"), _full_year("1961")
    (2019, 1961, 1961)
    """
    year = int(digits)
    return year if len(digits) == 4 else year + (2000 if year <= 30 else 1900)


def _is_valid(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def shifted(year: int, month: int, day: int | None, days: int) -> date:
    """Return the date *days* later; a month without a day counts as its 15th day."""
    return date(year, month, day or 15) + timedelta(days=days)


def _shifted(match: re.Match[str], kind: str, parts: Parts, days: int) -> str:
    """Return the shifted date in the form of *match*. A date of words is written as `March 5, 2019`."""
    to = shifted(*parts, days)
    match kind:
        case "iso":
            return to.isoformat()
        case "slash":
            return f"{to.year}{match['ss']}{to.month:02}{match['ss']}{to.day:02}"
        case "numeric":
            first, second = (to.month, to.day) if int(match["na"]) <= 12 else (to.day, to.month)
            year = str(to.year)[-len(match["ny"]) :]
            return match["ns"].join((_padded(first, match["na"]), _padded(second, match["nb"]), year))
        case "dotted":
            return f"{to.day:02}.{to.month:02}.{to.year}"
        case "stamp":
            return f"{to:%Y%m%d}"
        case "month":
            return f"{_FULL[to.month - 1]} {to.year}"
        case "number":
            return f"{to.month:02}/{to.year}"
        case "dots":
            return f"{to.day:02}.{to.month:02}.{to:%y}"
        case "joined":
            return f"{to.day:02}{_FULL[to.month - 1][:3]}{str(to.year)[-len(match['jy']) :]}"
        case "reversed" | "short":
            return f"{to.day} {_FULL[to.month - 1]} {to.year}"
    return f"{_FULL[to.month - 1]} {to.day}, {to.year}"


def _padded(number: int, like: str) -> str:
    return f"{number:02}" if len(like) == 2 else str(number)

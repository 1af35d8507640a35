"""Parse the dates and times of pages: ISO 8601, RFC 5322, words and digits of many languages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Final

FIRST_YEAR: Final = 1450
"""The beginning of printing; an earlier year is a default value."""
LAST_YEAR: Final = 2099
"""A later year is a default value, too."""
LAST_DAY: Final = datetime(2027, 12, 31, tzinfo=UTC)
"""The latest date of publication of a page with an unknown time of fetching: the end of the year after this release. It
does not depend on the clock, because the output would change from day to day. Raise it in each year's release."""
NO_MOMENTS: Final = (datetime(1970, 1, 1, tzinfo=UTC), datetime(1900, 1, 1, tzinfo=UTC))
"""The zero of Unix time and of spreadsheets, which systems write when they have no date."""
_ZONES: Final = timedelta(days=1)
"""A day without a time zone ends up to 12 hours after the day in UTC."""
_STATED_CHARS: Final = 64
_WRITTEN_CHARS: Final = 300
_MONTHS: Final = (
    "january february march april may june july august september october november december",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "jänner feber maerz april mai juni juli august sept okt nov dez",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "januari februari maart april mei juni juli augustus september oktober november december",
    "januari februari mars april maj juni juli augusti september oktober november december",
    "januar februar marts april mai juni juli august september oktober november desember",
    "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta syyskuuta lokakuuta "
    "marraskuuta joulukuuta",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "ledna února března dubna května června července srpna září října listopadu prosince",
    "január február március április május június július augusztus szeptember október november december",
    "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
    "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня",
    "ιανουαρίου φεβρουαρίου μαρτίου απριλίου μαΐου ιουνίου ιουλίου αυγούστου σεπτεμβρίου οκτωβρίου νοεμβρίου "
    "δεκεμβρίου",
    "januari februari maret april mei juni juli agustus september oktober november desember",
)
_WHOLE_MONTHS: Final = (
    "siječnja veljače ožujka travnja svibnja lipnja srpnja kolovoza rujna listopada studenoga prosinca",
    "януари февруари март април май юни юли август септември октомври ноември декември",
    "gener febrer març abril maig juny juliol agost setembre octubre novembre desembre",
    "januára februára marca apríla mája júna júla augusta septembra októbra novembra decembra",
    "januarja februarja marca aprila maja junija julija avgusta septembra oktobra novembra decembra",
    "jaanuar veebruar märts aprill mai juuni juuli august september oktoober november detsember",
    "janúar febrúar mars apríl maí júní júlí ágúst september október nóvember desember",
    "ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר",
    "בינואר בפברואר במרץ באפריל במאי ביוני ביולי באוגוסט בספטמבר באוקטובר בנובמבר בדצמבר",
    "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
)
"""Names that are read as a whole only: their short forms mean other months elsewhere (`listopada` is Polish too)."""
_WEEK: Final = re.compile(r"\d{4}-?W", re.IGNORECASE)
_ISO: Final = re.compile(
    r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})[T\s]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:[.,]\d+)?\s*(?:(Z|UTC|GMT)|([+-])(\d{2}):?(\d{2}))?"
)
_EPOCH: Final = re.compile(r"1\d{9}(?:000|\d{3})?")
_YEAR: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_WORD: Final = r"([^\W\d_]{3,14})"
_PATTERNS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), order)
    for pattern, order in (
        (r"(?<!\d)(\d{4})\s?[-/.年년]\s?(\d{1,2})\s?[-/.月월]\s?(\d{1,2})(?!\d)", "ymd"),
        (
            rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|er|º|ª)?\.?[\s/-]*(?:of\s|de\s|d')?\s*{_WORD}\.?,?[\s/-]*(?:de\s|del\s)?\s*(\d{{4}})(?!\d)",
            "dmy",
        ),
        (rf"{_WORD}\.?[\s-]+(\d{{1,2}})(?:st|nd|rd|th)?,?[\s-]+(\d{{4}})(?!\d)", "mdy"),
        (rf"(?<!\d)(\d{{4}})\.?\s+{_WORD}\.?\s+(\d{{1,2}})(?!\d)", "ymd"),
        (r"(?<!\d)(\d{1,2})[./-]\s?(\d{1,2})[./-]\s?(\d{4})(?!\d)", "dmy?"),
    )
)
_CHANGE: Final = re.compile(
    r"\bupdate|\bmodif|\brevis|\bedited\b(?! by)|dernière|\bmise? à jour|aktuali[sz]|geändert|zmodyfik|zmienion"
    r"|\bac?tualiza[dcç]|aggiorna(?:t|ment)|bijgewerkt|gewijzigd|uppdater|senast ändrad|opp?dater(?:t|et|ing)|päivitet"
    r"|muokattu|frissít|güncelle|обновл|изменен|оновлен|ενημέρωση|更新|修改|修订|수정|업데이트|تحديث",
    re.IGNORECASE,
)
_IN_PATH: Final = re.compile(r"(?<!\d)((?:19|20)\d\d)([-/_.]?)(0?[1-9]|1[0-2])\2([0-2]?\d|3[01])(?=[^\d]|$)")
_DAY_FIRST_ENGLISH: Final = re.compile(
    r"://[^/?#]*\.(?:uk|au|nz|ie|in|za|ng|ke|sg|pk|gh|eu)(?::\d+)?(?:[/?#]|$)", re.IGNORECASE
)


def _month_table() -> dict[str, int]:
    """Return the number of each month's name, and of its first letters if they are unambiguous.

    The short forms of English are kept because they are the most frequent, although "mar" is November in Finnish.
    """
    full: dict[str, int] = {}
    short: dict[str, set[int]] = {}
    for names in _MONTHS:
        for number, name in enumerate(names.split(), 1):
            full[name] = number
            for length in (3, 4):
                short.setdefault(name[:length], set()).add(number)
    english = {name[:length]: number for number, name in enumerate(_MONTHS[0].split(), 1) for length in (3, 4)}
    whole = {name: number for names in _WHOLE_MONTHS for number, name in enumerate(names.split(), 1)}
    return whole | {name: months.pop() for name, months in short.items() if len(months) == 1} | full | english


MONTHS: Final = _month_table()
"""Numbers of months by their full and short names, in lower case."""


def stated(text: str) -> datetime | None:
    """Parse a machine-readable date and time, in its time zone; UTC if it has none.

    >>> stated("2024-05-01 10:00:00 +0200").isoformat()
    '2024-05-01T10:00:00+02:00'
    """
    text = text.strip()[:_STATED_CHARS]
    if _WEEK.match(text):
        return None
    for read in (datetime.fromisoformat, _iso, parsedate_to_datetime, _epoch):
        try:
            moment = read(text)
            if moment is None:
                continue
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
            moment.astimezone(UTC)
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
        return moment if FIRST_YEAR <= moment.year <= LAST_YEAR else None
    return None


def _iso(text: str) -> datetime | None:
    """Parse relaxed ISO 8601, with single digits, blanks or a time zone without a colon."""
    if not (match := _ISO.match(text)):
        return None
    year, month, day, hour, minute, second, _, sign, zone_h, zone_m = match.groups()
    offset = timedelta(hours=int(zone_h), minutes=int(zone_m)) if sign else timedelta()
    zone = timezone(-offset if sign == "-" else offset) if sign else UTC
    return datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=zone)


def _epoch(text: str) -> datetime | None:
    """Parse seconds or milliseconds since 1970."""
    return datetime.fromtimestamp(int(text[:10]), UTC) if _EPOCH.fullmatch(text) else None


def written(text: str, *, month_first: bool) -> datetime | None:
    """Return the first date in *text*, in words or digits, as midnight UTC.

    Args:
        month_first: Whether 3/4/2024 is March 4.

    >>> written("Published on 5. März 2024 by A. Writer", month_first=False).date().isoformat()
    '2024-03-05'
    >>> written("2024年3月5日", month_first=False) == written("03/05/2024", month_first=True)
    True
    """
    text = text[:_WRITTEN_CHARS]
    if not _YEAR.search(text):
        return None
    best: tuple[int, datetime] | None = None
    for pattern, order in _PATTERNS:
        for match in pattern.finditer(text):
            day = _day(match.groups(), order, month_first=month_first)
            if day is not None:
                if best is None or match.start() < best[0]:
                    best = match.start(), day
                break
    return best[1] if best else None


def day_of(text: str, *, month_first: bool, last: datetime) -> datetime | None:
    """Return the machine-readable time that *text* is, or else the first date in it, unless it is after *last*.

    A date in digits is read in the other order of day and month if it would otherwise be after *last*.

    Args:
        month_first: Whether 3/4/2024 is March 4.
    """
    moment = stated(text)
    if moment is not None:
        return moment if moment <= last and moment not in NO_MOMENTS else None
    days = (written(text, month_first=order) for order in (month_first, not month_first))
    return next((day for day in days if day is not None and day <= last), None)


def changed(text: str) -> str:
    """Return the part of *text* about a modification; empty if there is none.

    >>> changed("Published 3 May 2024, last updated 5 May 2024"), changed("3 May 2024")
    ('updated 5 May 2024', '')
    """
    match = _CHANGE.search(text[:_WRITTEN_CHARS])
    return text[match.start() : _WRITTEN_CHARS] if match else ""


def writes_month_first(language: str, url: str) -> bool:
    """Return whether a page is in American English by its language tag and host, so that 3/4/2024 is March 4.

    >>> writes_month_first("en-us", ""), writes_month_first("en", "https://example.co.uk/a")
    (True, False)
    """
    if language in ("", "en"):
        return not _DAY_FIRST_ENGLISH.search(url)
    return language.replace("_", "-") == "en-us"


def in_path(url: str) -> datetime | None:
    """Return the date in the path of *url*, as news sites and blogs have it, as midnight UTC.

    >>> in_path("https://example.org/news/2024/03/05/harbour.html").date().isoformat()
    '2024-03-05'
    """
    path = url.partition("://")[2].partition("/")[2].partition("?")[0][:500]
    for match in _IN_PATH.finditer(path):
        year, _, month, day = match.groups()
        if date := _midnight(int(year), int(month), int(day)):
            return date
    return None


def _day(parts: tuple[str, ...], order: str, *, month_first: bool) -> datetime | None:
    if order == "dmy?":
        day, month, year = (int(part) for part in parts)
        if (month_first or month > 12) and day <= 12:
            day, month = month, day
        return _midnight(year, month, day)
    by_letter = dict(zip(order, parts, strict=True))
    name = by_letter["m"].casefold()
    month = int(name) if name.isdecimal() else MONTHS.get(name, 0)
    return _midnight(int(by_letter["y"]), month, int(by_letter["d"]))


def last_day(fetched_at: datetime | None) -> datetime:
    """Return the latest possible time of publication of a page that was fetched at *fetched_at*.

    >>> last_day(datetime(2024, 5, 1, 12, tzinfo=UTC)).isoformat(), last_day(None) == LAST_DAY
    ('2024-05-02T12:00:00+00:00', True)
    """
    if fetched_at is None:
        return LAST_DAY
    fetched_at = fetched_at.replace(tzinfo=UTC) if fetched_at.tzinfo is None else fetched_at
    return fetched_at + _ZONES


def _midnight(year: int, month: int, day: int) -> datetime | None:
    if not 1900 <= year <= LAST_YEAR:
        return None
    try:
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return None

"""The dates of publication and last change of a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from corpusmill.pipelines.stages.extract.datelines import before_change, is_dateline
from corpusmill.pipelines.stages.extract.declared import Declared, Record, marks_of
from corpusmill.pipelines.stages.extract.found import Found
from corpusmill.pipelines.stages.extract.layout import Layout
from corpusmill.pipelines.stages.extract.linked_data import LinkedData, text_of
from corpusmill.schemas.dates import changed, day_of, in_path, stated

PUBLISHED: Final = (
    "article:published_time",
    "og:article:published_time",
    "article:published",
    "og:published_time",
    "datepublished",
    "citation_publication_date",
    "citation_online_date",
    "citation_date",
    "dc.date.issued",
    "dcterms.issued",
    "dcterms.date",
    "dc.date",
    "dcterms.created",
    "dc.date.created",
    "dcterms.available",
    "parsely-pub-date",
    "sailthru.date",
    "pubdate",
    "publishdate",
    "publish-date",
    "publish_date",
    "publication_date",
    "publication-date",
    "article.published",
    "cxenseparse:recs:publishtime",
    "originalpublicationdate",
    "article_date_original",
    "date",
)
"""Names of `<meta>` with the date of publication, the most reliable first."""
MODIFIED: Final = (
    "article:modified_time",
    "og:article:modified_time",
    "og:updated_time",
    "datemodified",
    "dcterms.modified",
    "dc.date.modified",
    "last-modified",
    "lastmod",
    "revised",
)
_OTHER_DAYS: Final = ("startDate", "endDate", "validThrough", "birthDate", "deathDate", "foundingDate")
_FRONT: Final = re.compile(r"https?://[^/?#]+/?(?:[?#]|$)", re.IGNORECASE)
_MAX_TIMES: Final = 50
_CHANGE: Final = re.compile(r"updat|modif|edited|revis|change")
_ELSEWHERE: Final = re.compile(
    r"comment|reply|review|testimonial|related|copyright|footer|sidebar|widget|event|teaser|card"
)
_IS_PUBLISHED: Final = re.compile(r"datepublished|pubdate|publish|posted|entry-date|post-date|article-date")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_DIGIT: Final = re.compile(r"\d")
_MARKED_CHARS: Final = 300
_MARK: Final = re.compile(r"dat(?:e|um)|publish|posted|byline|author|time")


def is_front(url: str) -> bool:
    """Return whether *url* is the front page of a site, whose dates and bylines belong to the pages that it lists.

    >>> is_front("https://example.org/?ref=1"), is_front("https://example.org/a"), is_front("")
    (True, False, False)
    """
    return _FRONT.match(url) is not None


@dataclass(frozen=True, slots=True)
class Reading:
    """How the dates of a page are read.

    Args:
        month_first: Whether 3/4/2024 is the fourth of March.
        last: The last accepted day.
        others: Days of something else, which only a date written for machines can name.
    """

    month_first: bool
    last: datetime
    others: frozenset[date] = frozenset()

    def day(self, text: str) -> datetime | None:
        """Return the moment that *text* states, or the first day that it names."""
        moment = day_of(text, month_first=self.month_first, last=self.last)
        if moment is None or moment.date() not in self.others:
            return moment
        return moment if stated(text) is not None else None

    def first(self, candidates: Iterable[tuple[str, str]]) -> Found[datetime] | None:
        """Return the first date among texts with their sources."""
        return next((Found(day, source) for text, source in candidates if (day := self.day(text)) is not None), None)


def days_of_others(linked: LinkedData) -> frozenset[date]:
    """Return the days that JSON-LD says something else happens on, such as a concert."""
    texts = (text_of(thing[name]) for thing in linked.things for name in _OTHER_DAYS if name in thing)
    return frozenset(day.date() for text in texts if (day := stated(text)) is not None)


def published_of(
    page: Declared, linked: LinkedData, url: str, *, reading: Reading, layout: Layout
) -> Found[datetime] | None:
    """Return the moment of publication: as declared, else as implied by the position of a date on the page.

    In order: JSON-LD and `<meta>`; properties, `<time>` and marked elements of the article, excluding those of
        comments, of other pages, and in sentences; the address.
    """
    declared = reading.first(_declared(page, linked, PUBLISHED, "datePublished"))
    if declared or is_front(url):
        return declared
    return (
        _earlier(
            reading.first(_properties(page, layout, "datePublished")),
            reading.first(_properties(page, layout, "dateCreated")),
        )
        or reading.first(_declared(page, linked, (), "uploadDate", "dateCreated", "datePosted"))
        or _published_time(page, reading, layout)
        or reading.first(_published_marks(page, layout))
        or _in_address(page, url, reading)
    )


def modified_of(page: Declared, linked: LinkedData, *, reading: Reading, layout: Layout) -> Found[datetime] | None:
    """Return the moment of the last change, from the first source that states one."""
    return (
        reading.first(_declared(page, linked, MODIFIED, "dateModified"))
        or reading.first(_properties(page, layout, "dateModified"))
        or reading.first((_value(record), "html:time") for _, record in _times(page, layout, is_change=True))
        or reading.first(_modified_marks(page, layout))
    )


def lines_of_change(page: Declared, layout: Layout) -> set[str]:
    """Return the lines that begin with an element that states when the page was changed."""
    elements = [(number, record[2]) for number, record in page.times[:_MAX_TIMES] if _CHANGE.search(_marks(record))]
    elements += [(number, record[2]) for number, record in page.marked if _CHANGE.search(_marks(record))]
    pairs = ((layout.line(number), text.strip()) for number, text in elements if text.strip())
    return {line for line, text in pairs if line.startswith(text)}


def _earlier(one: Found[datetime] | None, other: Found[datetime] | None) -> Found[datetime] | None:
    """Return the earlier date: an answer or a comment is published after its question."""
    if one is None or other is None:
        return one or other
    return other if other.value < one.value else one


def _properties(page: Declared, layout: Layout, name: str) -> Iterator[tuple[str, str]]:
    for number, property_name, value in page.dated:
        if property_name == name.lower() and not layout.is_elsewhere(number):
            yield value, f"microdata:{name}"


def _declared(
    page: Declared, linked: LinkedData, metas: tuple[str, ...], *properties: str
) -> Iterator[tuple[str, str]]:
    """Yield the values of *properties* in JSON-LD, then the contents of *metas*."""
    for name in properties:
        for text in linked.texts(name):
            yield text, f"json-ld:{name}"
    for name in metas:
        if name in page.metas:
            yield page.metas[name][0], f"meta:{name}"


def _times(page: Declared, layout: Layout, *, is_change: bool) -> Iterator[tuple[int, Record]]:
    """Yield the `<time>` elements of the article: those about a change, or all others."""
    for number, record in page.times[:_MAX_TIMES]:
        marks = _marks(record)
        if _says_changed(record, marks, layout.line(number)) is not is_change or _ELSEWHERE.search(marks):
            continue
        if not layout.is_elsewhere(number):
            yield number, record


def _says_changed(record: Record, marks: str, line: str) -> bool:
    """Return whether a `<time>` is the day of a change: by its *marks*, or else by the words before it in its line."""
    if _CHANGE.search(marks) or _IS_PUBLISHED.search(marks):
        return _CHANGE.search(marks) is not None
    before, text, _ = line.partition(record[2].strip()) if record[2].strip() else ("", "", "")
    change = changed(before) if text else ""
    return change != "" and not _DIGIT.search(change)


def _published_time(page: Declared, reading: Reading, layout: Layout) -> Found[datetime] | None:
    """Return the date of a `<time>` that is marked as publication, else of one near the title, else of the only one.

    A `<time>` can mark any date; one in a sentence is part of the text (HTML Standard, 4.5.14).
    """
    ranked: dict[int, list[datetime]] = {}
    for number, record in _times(page, layout, is_change=False):
        is_marked = "pubdate" in record[1] or _IS_PUBLISHED.search(_marks(record)) is not None
        if not is_marked and not is_dateline(layout.line(number), needs_year=False):
            continue
        rank = 0 if is_marked else 1 if layout.is_near_title(number) else 3 if layout.is_item(number) else 2
        if rank < 3 and (day := reading.day(_value(record))) is not None:
            ranked.setdefault(rank, []).append(day)
    best = min(ranked, default=2)
    days = ranked.get(best, [])
    if not days or (best == 2 and len({day.date() for day in days}) > 1):  # these are lists of other pages
        return None
    return Found(days[0], "html:time")


def _value(record: Record) -> str:
    return record[1].get("datetime") or record[2]


def _marks(record: Record) -> str:
    return f"{marks_of(record[1])} {record[1].get('itemprop', '')}".lower()


def _published_marks(page: Declared, layout: Layout) -> Iterator[tuple[str, str]]:
    """Yield the texts of elements marked as a date or byline, up to the mention of a change."""
    for number, marks, text in _dated(page):
        text = before_change(text)
        if _CHANGE.search(marks) or not any(map(is_dateline, text.splitlines())):
            continue
        if not layout.is_elsewhere(number) and not _is_in_a_sentence(text, layout.line(number)):
            yield text, "html:date"


def _modified_marks(page: Declared, layout: Layout) -> Iterator[tuple[str, str]]:
    """Yield what elements marked as a date or byline state about a change."""
    for number, marks, text in _dated(page):
        change = text if _CHANGE.search(marks) else changed(text)
        if change and not layout.is_elsewhere(number):
            yield change, "html:date"


def _dated(page: Declared) -> Iterator[tuple[int, str, str]]:
    """Yield number, marks and text of the elements that are marked as a date or byline and have a year."""
    for number, (tag, attributes, text) in page.marked:
        if tag == "abbr" and _YEAR.search(attributes.get("title", "")):  # as the microformat hAtom has it
            text = attributes["title"]
        if len(text) <= _MARKED_CHARS and _YEAR.search(text):
            marks = marks_of(attributes)
            if _MARK.search(marks) and not _ELSEWHERE.search(marks):
                yield number, marks, text


def _is_in_a_sentence(text: str, line: str) -> bool:
    """Return whether an element is part of a line that contains more than its date."""
    return text.strip() in line and not is_dateline(before_change(line)) and not is_dateline(changed(line))


def _in_address(page: Declared, url: str, reading: Reading) -> Found[datetime] | None:
    for address, source in (
        (url, "url:path"),
        *((link, "link:canonical") for link in page.links.get("canonical", ())[:1]),
    ):
        if (day := in_path(address)) and day <= reading.last:
            return Found(day, source)
    return None

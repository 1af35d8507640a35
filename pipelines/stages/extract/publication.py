"""When a page was published and last changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from corpusmill.pipelines.stages.extract.dates import changed, in_path, stated, written
from corpusmill.pipelines.stages.extract.declared import Declared, marks_of
from corpusmill.pipelines.stages.extract.found import Found
from corpusmill.pipelines.stages.extract.linked_data import LinkedData

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
"""Names of `<meta>` that hold the day of publication, the most reliable first."""
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
_FRONT: Final = re.compile(r"https?://[^/?#]+/?(?:[?#]|$)", re.IGNORECASE)
_MAX_TIMES: Final = 50
_CHANGE: Final = re.compile(r"updat|modif|edited|revis|change")
_ELSEWHERE: Final = re.compile(
    r"comment|reply|review|testimonial|related|copyright|footer|sidebar|widget|event|teaser|card"
)
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_MARKED_CHARS: Final = 300
_MARK: Final = re.compile(r"dat(?:e|um)|publish|posted|byline|author|time")


def is_front(url: str) -> bool:
    """Tell whether *url* is the front page of a site: days and bylines on it are those of what it lists.

    >>> is_front("https://example.org/?ref=1"), is_front("https://example.org/a"), is_front("")
    (True, False, False)
    """
    return _FRONT.match(url) is not None


def published_of(page: Declared, linked: LinkedData, url: str, *, month_first: bool) -> Found[datetime] | None:
    """Give the moment of publication, from the first place that states one."""

    found = _first(_declared(page, linked, PUBLISHED, "datePublished"), month_first)
    if found or is_front(url):
        return found
    return (
        _earlier(
            _first(_properties(page, "datePublished"), month_first),
            _first(_properties(page, "dateCreated"), month_first),
        )
        or _first(_declared(page, linked, (), "uploadDate", "dateCreated"), month_first)
        or _first(_times(page, is_change=False), month_first)
        or _first(_published_marks(page), month_first)
        or _in_address(page, url)
    )


def modified_of(page: Declared, linked: LinkedData, *, month_first: bool) -> Found[datetime] | None:
    """Give the moment of the last change, from the first place that states one."""
    return (
        _first(_declared(page, linked, MODIFIED, "dateModified"), month_first)
        or _first(_properties(page, "dateModified"), month_first)
        or _first(_times(page, is_change=True), month_first)
        or _first(_modified_marks(page), month_first)
    )


def _first(candidates: Iterable[tuple[str, str]], month_first: bool) -> Found[datetime] | None:
    for text, source in candidates:
        if (found := stated(text) or written(text, month_first=month_first)) is not None:
            return Found(found, source)
    return None


def _earlier(one: Found[datetime] | None, other: Found[datetime] | None) -> Found[datetime] | None:
    """Give the earlier day: an answer or a comment is published after the question was created."""
    if one is None or other is None:
        return one or other
    return other if other.value < one.value else one


def _properties(page: Declared, name: str) -> list[tuple[str, str]]:
    return [(value, f"microdata:{name}") for value in page.microdata.get(name.lower(), ())]


def _declared(
    page: Declared, linked: LinkedData, metas: tuple[str, ...], *properties: str
) -> Iterator[tuple[str, str]]:
    """Give what JSON-LD holds under *properties*, then the contents of *metas*."""
    for name in properties:
        for text in linked.texts(name):
            yield text, f"json-ld:{name}"
    for name in metas:
        if name in page.metas:
            yield page.metas[name][0], f"meta:{name}"


def _times(page: Declared, *, is_change: bool) -> Iterator[tuple[str, str]]:
    """Give the `<time>` elements that say when the page was changed, or those that do not."""
    for _, attributes, text in page.times[:_MAX_TIMES]:
        marks = marks_of(attributes)
        if (_CHANGE.search(marks) is not None) is is_change and not _ELSEWHERE.search(marks):
            yield attributes.get("datetime") or text, "html:time"


def _published_marks(page: Declared) -> Iterator[tuple[str, str]]:
    """Give the text of the elements that are marked as a date or a byline, up to where it tells of a change."""
    for marks, text in _dated(page):
        if not _CHANGE.search(marks):
            yield text.removesuffix(changed(text)), "html:date"


def _modified_marks(page: Declared) -> Iterator[tuple[str, str]]:
    """Give what the elements that are marked as a date or a byline tell of a change."""
    for marks, text in _dated(page):
        if told := text if _CHANGE.search(marks) else changed(text):
            yield told, "html:date"


def _dated(page: Declared) -> Iterator[tuple[str, str]]:
    """Give marks and text of the elements that are marked as a date or a byline of the page and name a year."""
    for _, attributes, text in page.marked:
        if len(text) <= _MARKED_CHARS and _YEAR.search(text):
            marks = marks_of(attributes)
            if _MARK.search(marks) and not _ELSEWHERE.search(marks):
                yield marks, text


def _in_address(page: Declared, url: str) -> Found[datetime] | None:
    for address, source in (
        (url, "url:path"),
        *((link, "link:canonical") for link in page.links.get("canonical", ())[:1]),
    ):
        if day := in_path(address):
            return Found(day, source)
    return None

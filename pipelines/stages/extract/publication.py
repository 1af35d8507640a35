"""When a page was published and last changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from pipelines.stages.extract.dates import in_path, stated, written
from pipelines.stages.extract.declared import Declared
from pipelines.stages.extract.found import Found
from pipelines.stages.extract.linked_data import LinkedData

_PUBLISHED: Final = (
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
_MODIFIED: Final = (
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
_CHANGE: Final = re.compile(r"updat|modif|edited|revis|aktualis|změn|обнов|dernière|mise à jour|更新")
_ELSEWHERE: Final = re.compile(r"comment|reply|related|copyright|footer|sidebar|widget|event|teaser|card")
_MARK: Final = re.compile(r"dat(?:e|um)|publish|posted|byline|author|time")

Reader = Callable[[str], datetime | None]


def published_of(page: Declared, linked: LinkedData, url: str, *, month_first: bool) -> Found[datetime] | None:
    """Give the moment of publication, from the first place that states one."""

    def read(text: str) -> datetime | None:
        return stated(text) or written(text, month_first=month_first)

    return (
        _first(_declared(page, linked, _PUBLISHED, ("datePublished",)), read)
        or _first(((value, "microdata:datePublished") for value in page.microdata.get("datepublished", ())), read)
        or _first(_declared(page, linked, (), ("uploadDate", "dateCreated")), read)
        or _first(_times(page, is_change=False), read)
        or _first(_marked(page, is_change=False), read)
        or _in_address(page, url)
    )


def modified_of(page: Declared, linked: LinkedData, *, month_first: bool) -> Found[datetime] | None:
    """Give the moment of the last change, from the first place that states one."""

    def read(text: str) -> datetime | None:
        return stated(text) or written(text, month_first=month_first)

    return (
        _first(_declared(page, linked, _MODIFIED, ("dateModified",)), read)
        or _first(((value, "microdata:dateModified") for value in page.microdata.get("datemodified", ())), read)
        or _first(_times(page, is_change=True), read)
    )


def _first(candidates: Iterator[tuple[str, str]], read: Reader) -> Found[datetime] | None:
    for text, source in candidates:
        if (found := read(text)) is not None:
            return Found(found, source)
    return None


def _declared(
    page: Declared, linked: LinkedData, metas: tuple[str, ...], properties: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    for name in properties:
        for text in linked.texts(name):
            yield text, f"json-ld:{name}"
    for name in metas:
        if text := page.meta(name):
            yield text, f"meta:{name}"


def _times(page: Declared, *, is_change: bool) -> Iterator[tuple[str, str]]:
    """Give the `<time>` elements that say when the page was changed, or those that do not."""
    for moment, text, marks in page.times:
        if not _ELSEWHERE.search(marks) and bool(_CHANGE.search(marks)) is is_change:
            yield moment or text, "html:time"


def _marked(page: Declared, *, is_change: bool) -> Iterator[tuple[str, str]]:
    for _, marks, text in page.marked:
        if _MARK.search(marks) and not _ELSEWHERE.search(marks) and bool(_CHANGE.search(marks)) is is_change:
            yield text, "html:date"


def _in_address(page: Declared, url: str) -> Found[datetime] | None:
    for address, source in ((url, "url:path"), *((link, "link:canonical") for link in page.links.get("canonical", ())[:1])):
        if day := in_path(address):
            return Found(day, source)
    return None

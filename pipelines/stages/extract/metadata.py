"""What a page says about itself: title, authors, dates, language, site, address, licence, each with its evidence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urljoin

from corpusmill.pipelines.stages.extract import authors as author_names
from corpusmill.pipelines.stages.extract import publication, terms, titles
from corpusmill.pipelines.stages.extract.authors import authors_of
from corpusmill.pipelines.stages.extract.datelines import may_be_dateline
from corpusmill.pipelines.stages.extract.dates import LAST_DAY, writes_month_first
from corpusmill.pipelines.stages.extract.declared import Declared, Record, declared
from corpusmill.pipelines.stages.extract.found import Found
from corpusmill.pipelines.stages.extract.layout import Layout, Place
from corpusmill.pipelines.stages.extract.linked_data import LinkedData, kinds, text_of
from corpusmill.pipelines.stages.extract.publication import (
    Reading,
    is_front,
    lines_of_change,
    modified_of,
    published_of,
)
from corpusmill.pipelines.stages.extract.references import unescaped
from corpusmill.pipelines.stages.extract.terms import license_of
from corpusmill.pipelines.stages.extract.titles import site_names, title_of
from corpusmill.pipelines.stages.extract.visible import blocks_near, visible_authors, visible_days

_SITE_METAS: Final = ("og:site_name",)
_PUBLISHER_METAS: Final = ("application-name", "citation_journal_title", "dc.publisher")
_DESCRIPTIONS: Final = ("og:description", "description", "dc.description", "twitter:description")
_LANGUAGES: Final = ("content-language", "dc.language", "dcterms.language")
_METAS: Final = frozenset(
    (
        *titles.METAS,
        *author_names.METAS,
        *publication.PUBLISHED,
        *publication.MODIFIED,
        *terms.METAS,
        *_SITE_METAS,
        *_PUBLISHER_METAS,
        *_DESCRIPTIONS,
        *_LANGUAGES,
        "og:locale",
        "og:url",
    )
)
_LANGUAGE_CHARS: Final = 35
_IS_LANGUAGE: Final = re.compile(r"[a-z]{2,8}(?:-[a-z0-9]{1,8})*")
_IS_WEB: Final = re.compile(r"https?://[^/\s]", re.IGNORECASE)
_UNWRITABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]+")
"""Control characters and halves of surrogate pairs, which escapes in JSON can name; no column of text takes halves."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a page states about itself; None where it states nothing, or nothing that can be read.

    Args:
        published: In the zone that the page states; UTC without one, midnight without a time.
        language: The language tag as it is declared, in lower case.
        license: SPDX identifier.
        license_url: The address of a licence that has no SPDX identifier.
    """

    title: Found[str] | None = None
    authors: Found[tuple[str, ...]] | None = None
    published: Found[datetime] | None = None
    modified: Found[datetime] | None = None
    language: Found[str] | None = None
    site: Found[str] | None = None
    canonical: Found[str] | None = None
    license: Found[str] | None = None
    license_url: Found[str] | None = None
    description: Found[str] | None = None

    def found(self) -> dict[str, tuple[str, str]]:
        """Give each value that was found, as text, with its source; by name, in the order of the fields.

        Authors are joined by "; ", moments are ISO 8601 in the zone that the page states.

        >>> Metadata(authors=Found(("Jo Day", "Anna Berg"), "html:byline")).found()
        {'authors': ('Jo Day; Anna Berg', 'html:byline')}
        """
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: (_text(value.value), value.source) for name, value in values if value is not None}


def _text(value: str | datetime | tuple[str, ...]) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str) else "; ".join(value)


def metadata_of(
    records: Iterable[Record],
    url: str | None = None,
    lines: Callable[[], Sequence[str]] = tuple,
    *,
    places: Callable[[], Sequence[Place]] = tuple,
    paths: Callable[[], Sequence[str]] = tuple,
    last: datetime = LAST_DAY,
) -> Metadata:
    """Read what a page states about itself from the *records* of its elements; never fails.

    Args:
        records: Tag, attributes and text of the elements that can say something, in the order of the page.
        url: Where the page was found: a site's host tells its name in a title, a path can hold a date.
        lines: Gives the texts of the page's blocks, kept ones and others, in order: asked only when the elements
            name no day or no author, for the lines beside the title can.
        places: Gives the block and the path around each record: asked only when the head of the page states no day.
        paths: Gives the path around each line: asked with `lines`, when no element states a day.
        last: Days after it are no days of publication, see `dates.last_day`.

    >>> records = [("title", {}, "Storm | Coast Daily"), ("meta", {"name": "author", "content": "Jo Day"}, "")]
    >>> found = metadata_of(records, "https://coastdaily.example/storm")
    >>> found.title, found.authors
    (Found(value='Storm', source='html:title'), Found(value=('Jo Day',), source='meta:author'))
    """
    page = declared(records, _METAS)
    linked = LinkedData(page.scripts)
    canonical = _canonical(page, url or "")
    address = url or (canonical.value if canonical else "")
    site, language = _site(page, linked), _language(page, linked)
    names = site_names(site.value if site else "", address)
    month_first = writes_month_first(language.value if language else "", address)
    title = title_of(page, linked, names)
    authors = authors_of(page, linked, names, is_front=is_front(address))
    reading = Reading(month_first=month_first, last=last)
    layout = Layout(lines, places, paths, _headings(page, title.value if title else ""))
    published = published_of(page, linked, address, reading=reading, layout=layout)
    modified = modified_of(page, linked, reading=reading, layout=layout)
    if not (authors and published) and not is_front(address):
        near = blocks_near(layout.lines, title.value if title else "")
        authors = authors or visible_authors([layout.lines[block] for block in near])
        if published is None:
            published, change = visible_days(_lines_of_days(page, layout, near), reading)
            modified = modified or change
    licensed = license_of(page, linked)
    stated = Metadata(
        title=title,
        authors=authors,
        published=published,
        modified=modified,
        language=language,
        site=site,
        canonical=canonical,
        license=licensed.identifier,
        license_url=licensed.url,
        description=_first(page, _DESCRIPTIONS),
    )
    return replace(stated, **_mended(stated))


def _lines_of_days(page: Declared, layout: Layout, blocks: Sequence[int]) -> Iterator[str]:
    """Give the lines of *blocks* that are short, name a year, and are of the article, without those of a change."""
    of_change: set[str] | None = None
    for block in blocks:
        line = layout.lines[block]
        if not may_be_dateline(line) or not layout.is_own(block):
            continue
        of_change = lines_of_change(page, layout) if of_change is None else of_change
        if line not in of_change:
            yield line


def _headings(page: Declared, title: str) -> list[int]:
    """Give the numbers of the records of headings, those first that are the title."""
    numbered = zip(page.headings, page.heading_numbers, strict=True)
    return [number for _, number in sorted(numbered, key=lambda pair: pair[0] != title)]


def _mended(stated: Metadata) -> dict[str, Found[Any] | None]:
    """Give the values of *stated* that cannot be written as they are; None for one that is nothing else.

    >>> _mended(Metadata(title=Found("Tea\\x00 time", "json-ld:headline"), site=Found("\\ud800", "json-ld:WebSite")))
    {'title': Found(value='Tea time', source='json-ld:headline'), 'site': None}
    """
    mended: dict[str, Found[Any] | None] = {}
    for name in (field.name for field in fields(stated)):
        found = getattr(stated, name)
        if found is None or isinstance(found.value, datetime) or not _UNWRITABLE.search(_text(found.value)):
            continue
        if isinstance(found.value, str):
            value: Any = _UNWRITABLE.sub("", found.value).strip()
        else:
            value = tuple(filter(None, (_UNWRITABLE.sub("", text).strip() for text in found.value)))
        mended[name] = Found(value, found.source) if value else None
    return mended


def _first(page: Declared, names: Sequence[str]) -> Found[str] | None:
    """Give the content of the first of the metas *names* that the page has."""
    for name in names:
        if name in page.metas:
            return Found(unescaped(page.metas[name][0]), f"meta:{name}")
    return None


def _canonical(page: Declared, url: str) -> Found[str] | None:
    """Give the first address that the page calls its own; what is no address of the web is none."""
    for stated, source in (
        (page.links.get("canonical", [""])[0], "link:canonical"),
        (page.meta("og:url"), "meta:og:url"),
    ):
        if stated and _IS_WEB.match(address := _absolute(stated, url)):
            return Found(address, source)
    return None


def _absolute(address: str, url: str) -> str:
    """Give *address* as seen from *url*; empty when one of them is no address."""
    try:
        return urljoin(url, address)
    except ValueError:  # such as http://[bad
        return ""


def _language(page: Declared, linked: LinkedData) -> Found[str] | None:
    for text, source in _languages(page, linked):
        if tag := _language_tag(text):
            return Found(tag, source)
    return None


def _languages(page: Declared, linked: LinkedData) -> Iterator[tuple[str, str]]:
    for name in ("lang", "xml:lang"):
        yield page.root.get(name, ""), f"html:{name}"
    if found := _first(page, _LANGUAGES):
        yield found.value, found.source
    yield from ((text, "json-ld:inLanguage") for text in linked.texts("inLanguage")[:1])
    yield page.meta("og:locale"), "meta:og:locale"


def _language_tag(text: str) -> str:
    """Give the first language tag of *text* (BCP 47) in lower case; empty without one.

    >>> _language_tag("de_AT, en"), _language_tag("x-default")
    ('de-at', '')
    """
    tag = text[:_LANGUAGE_CHARS].partition(",")[0].strip().lower().replace("_", "-")
    return tag if _IS_LANGUAGE.fullmatch(tag) else ""


def _site(page: Declared, linked: LinkedData) -> Found[str] | None:
    return _first(page, _SITE_METAS) or _publisher(linked) or _first(page, _PUBLISHER_METAS)


def _publisher(linked: LinkedData) -> Found[str] | None:
    for thing in linked.things:
        if "website" in kinds(thing) and (name := text_of(thing.get("name"))):
            return Found(name, "json-ld:WebSite")
    for thing in linked.things:
        if "publisher" in thing and (name := text_of(linked.whole(thing["publisher"]))):
            return Found(name, "json-ld:publisher")
    return None

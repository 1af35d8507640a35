"""The metadata of a page: title, authors, dates, language, site, address, license, section, each with its source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urljoin

from corpusmill.pipelines.stages.extract import authors as author_names
from corpusmill.pipelines.stages.extract import news, publication, terms, titles
from corpusmill.pipelines.stages.extract.authors import authors_of
from corpusmill.pipelines.stages.extract.datelines import may_be_dateline
from corpusmill.pipelines.stages.extract.declared import Declared, Record, declared
from corpusmill.pipelines.stages.extract.found import Found
from corpusmill.pipelines.stages.extract.layout import Layout, Place
from corpusmill.pipelines.stages.extract.linked_data import LinkedData, kinds, text_of
from corpusmill.pipelines.stages.extract.publication import (
    Reading,
    days_of_others,
    is_front,
    lines_of_change,
    modified_of,
    published_of,
)
from corpusmill.pipelines.stages.extract.references import unescaped
from corpusmill.pipelines.stages.extract.terms import license_of
from corpusmill.pipelines.stages.extract.titles import site_names, title_of
from corpusmill.pipelines.stages.extract.visible import blocks_near, visible_authors, visible_days
from corpusmill.schemas.dates import LAST_DAY, writes_month_first

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
        *news.METAS,
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
"""Control characters and surrogates, which JSON escapes can produce. Text columns cannot store surrogates."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata stated by a page; None for values that are missing or unreadable.

    Args:
        published: In the time zone that the page states; UTC without a zone, midnight without a time.
        language: The declared language tag, in lower case.
        license: SPDX identifier.
        license_url: The address of a license without SPDX identifier.
        license_scope: ``site`` if either is stated for the whole site, and not for the page.
        picture_license: SPDX identifier or address of the license of the pictures.
        section: The section of a newspaper, such as Politics.
        is_accessible_for_free: ``true`` or ``false``.
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
    license_scope: Found[str] | None = None
    picture_license: Found[str] | None = None
    description: Found[str] | None = None
    section: Found[str] | None = None
    is_accessible_for_free: Found[str] | None = None

    def as_text(self) -> dict[str, tuple[str, str]]:
        """Return each value as text with its source, by name, in field order.

        Authors are joined by "; ". Moments are ISO 8601 in the time zone that the page states.

        >>> Metadata(authors=Found(("Jo Day", "Anna Berg"), "html:byline")).as_text()
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
    """Read the metadata of a page from the *records* of its elements. Never fails.

    Args:
        records: Tag, attributes and text of the relevant elements, in page order.
        url: Address of the page. Its host helps to remove the site's name from a title, and its path can contain a
            date.
        lines: Returns the texts of all blocks in order. Called only if the elements state no date or no author, because
            lines near the title may.
        places: Returns the block and path of each record. Called only if the head of the page states no date.
        paths: Returns the path around each line. Called together with `lines`, if no element states a date.
        last: Later days are not accepted as dates of publication, see `dates.last_day`.

    >>> records = [("title", {}, "Storm | Coast Daily"), ("meta", {"name": "author", "content": "Jo Day"}, "")]
    >>> metadata = metadata_of(records, "https://coastdaily.example/storm")
    >>> metadata.title, metadata.authors
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
            visible = replace(reading, others=days_of_others(linked))
            published, change = visible_days(_lines_of_days(page, layout, near), visible)
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
        license_scope=licensed.scope,
        picture_license=licensed.picture,
        description=_first(page, _DESCRIPTIONS),
        section=news.section_of(page, linked),
        is_accessible_for_free=news.access_of(page, linked),
    )
    return replace(stated, **_cleaned(stated))


def _lines_of_days(page: Declared, layout: Layout, blocks: Sequence[int]) -> Iterator[str]:
    """Yield the short lines of *blocks* that have a year and belong to the article, without those about a change."""
    of_change: set[str] | None = None
    for block in blocks:
        line = layout.lines[block]
        if not may_be_dateline(line) or not layout.is_own(block) or layout.is_inset(block):
            continue
        of_change = lines_of_change(page, layout) if of_change is None else of_change
        if line not in of_change:
            yield line


def _headings(page: Declared, title: str) -> list[int]:
    """Return the record numbers of the headings, those equal to the title first."""
    numbered = zip(page.headings, page.heading_numbers, strict=True)
    return [number for _, number in sorted(numbered, key=lambda pair: pair[0] != title)]


def _cleaned(stated: Metadata) -> dict[str, Found[Any] | None]:
    """Return replacements for values of *stated* that cannot be stored: the cleaned value, or None if none is left.

    >>> _cleaned(Metadata(title=Found("Tea\\x00 time", "json-ld:headline"), site=Found("\\ud800", "json-ld:WebSite")))
    {'title': Found(value='Tea time', source='json-ld:headline'), 'site': None}
    """
    cleaned: dict[str, Found[Any] | None] = {}
    for name in (field.name for field in fields(stated)):
        statement = getattr(stated, name)
        if statement is None or isinstance(statement.value, datetime) or not _UNWRITABLE.search(_text(statement.value)):
            continue
        if isinstance(statement.value, str):
            value: Any = _UNWRITABLE.sub("", statement.value).strip()
        else:
            value = tuple(filter(None, (_UNWRITABLE.sub("", text).strip() for text in statement.value)))
        cleaned[name] = Found(value, statement.source) if value else None
    return cleaned


def _first(page: Declared, names: Sequence[str]) -> Found[str] | None:
    """Return the content of the first of the metas *names* that the page has."""
    for name in names:
        if name in page.metas:
            return Found(unescaped(page.metas[name][0]), f"meta:{name}")
    return None


def _canonical(page: Declared, url: str) -> Found[str] | None:
    """Return the first valid web address that the page declares as its own."""
    for stated, source in (
        (page.links.get("canonical", [""])[0], "link:canonical"),
        (page.meta("og:url"), "meta:og:url"),
    ):
        if stated and _IS_WEB.match(address := _absolute(stated, url)):
            return Found(address, source)
    return None


def _absolute(address: str, url: str) -> str:
    """Return *address* resolved against *url*; empty if either is invalid."""
    try:
        return urljoin(url, address)
    except ValueError:  # for example http://[bad
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
    """Return the first language tag of *text* (BCP 47) in lower case; empty if there is none.

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

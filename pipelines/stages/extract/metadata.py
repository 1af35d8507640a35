"""What a page says about itself: title, authors, dates, language, site, address, licence, each with its evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from typing import Final

from pipelines.stages.extract.authors import authors_of
from pipelines.stages.extract.dates import writes_month_first
from pipelines.stages.extract.declared import Declared, Record, declared
from pipelines.stages.extract.found import Found
from pipelines.stages.extract.linked_data import LinkedData, kinds, text_of
from pipelines.stages.extract.publication import modified_of, published_of
from pipelines.stages.extract.terms import license_of
from pipelines.stages.extract.titles import site_names, title_of
from pipelines.stages.extract.visible import lines_near, visible_authors, visible_day

_SITE_METAS: Final = ("og:site_name", "application-name", "citation_journal_title", "dc.publisher")
_DESCRIPTIONS: Final = ("og:description", "description", "dc.description", "twitter:description")
_LANGUAGE_CHARS: Final = 35


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


def metadata_of(records: Iterable[Record], url: str | None = None, lines: Sequence[str] = ()) -> Metadata:
    """Read what a page states about itself from the *records* of its elements; never fails.

    Args:
        records: Tag, attributes and text of the elements that can say something, in the order of the page.
        url: Where the page was found: a site's host tells its name in a title, a path can hold a date.
        lines: The text of the page's blocks, kept ones and others, in order: where its elements name no day and no
            author, the lines beside the title can.

    >>> found = metadata_of([("title", {}, "Storm | Coast Daily"), ("meta", {"name": "author", "content": "Jo Day"}, "")],
    ...                     "https://coastdaily.example/storm")
    >>> found.title, found.authors
    (Found(value='Storm', source='html:title'), Found(value=('Jo Day',), source='meta:author'))
    """
    page = declared(records)
    linked = LinkedData(page.scripts)
    canonical = _first((value, "link:canonical") for value in page.links.get("canonical", ()))
    address = url or (canonical.value if canonical else "")
    site, language = _site(page, linked), _language(page, linked)
    names = site_names(site.value if site else "", address)
    month_first = writes_month_first(language.value if language else "", address)
    terms = license_of(page, linked)
    title = title_of(page, linked, names)
    near = lines_near(lines, title.value) if title else lines
    return Metadata(
        title=title,
        authors=authors_of(page, linked, names) or visible_authors(near),
        published=published_of(page, linked, address, month_first=month_first)
        or visible_day(near, month_first=month_first),
        modified=modified_of(page, linked, month_first=month_first),
        language=language,
        site=site,
        canonical=canonical,
        license=terms.identifier,
        license_url=terms.url,
        description=_first((page.meta(name), f"meta:{name}") for name in _DESCRIPTIONS),
    )


def _first(candidates: Iterable[tuple[str, str]]) -> Found[str] | None:
    return next((Found(unescape(value), source) for value, source in candidates if value), None)


def _language(page: Declared, linked: LinkedData) -> Found[str] | None:
    candidates = (
        (page.root.get("lang", ""), "html:lang"),
        (page.root.get("xml:lang", ""), "html:xml:lang"),
        *((page.meta(name), f"meta:{name}") for name in ("content-language", "dc.language", "dcterms.language")),
        *((value, "json-ld:inLanguage") for value in linked.texts("inLanguage")),
        (page.meta("og:locale").replace("_", "-"), "meta:og:locale"),
    )
    found = _first((value.strip().lower()[:_LANGUAGE_CHARS], source) for value, source in candidates)
    return found


def _site(page: Declared, linked: LinkedData) -> Found[str] | None:
    return _first([(page.meta(name), f"meta:{name}") for name in _SITE_METAS[:1]]) or _first(
        [*_publishers(linked), *((page.meta(name), f"meta:{name}") for name in _SITE_METAS[1:])]
    )


def _publishers(linked: LinkedData) -> Iterator[tuple[str, str]]:
    for thing in linked.things:
        if "website" in kinds(thing):
            yield text_of(thing.get("name")), "json-ld:WebSite"
    for thing in linked.things:
        if publisher := thing.get("publisher"):
            yield text_of(linked.whole(publisher)), "json-ld:publisher"

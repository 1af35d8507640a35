"""What a page says about itself: title, date, licence, language, canonical address."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from pipelines.stages.extract.licenses import spdx

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_TITLE_CHARS: Final = 500
_VALUE_CHARS: Final = 2_000
_JSON_CHARS: Final = 500_000
_JSON_DEPTH: Final = 50
_MAX_SCRIPTS: Final = 20
_LONG_NUMBER: Final = re.compile(r"\d{400}")
_FIRST_YEAR: Final = 1450
"""The age of print; anything before is a default value."""
_DATES: Final = (
    "article:published_time",
    "og:article:published_time",
    "datepublished",
    "citation_publication_date",
    "citation_date",
    "dc.date.issued",
    "dcterms.issued",
    "dc.date",
    "parsely-pub-date",
    "sailthru.date",
    "pubdate",
    "date",
)
"""Names of `<meta>` that hold the day of publication, the most reliable first."""


@dataclass(frozen=True)
class Evidence:
    """What was found; None where the page says nothing, or nothing that can be read.

    Args:
        license: SPDX identifier; `license_source` tells where it stood.
        metadata: `declared_language`, `canonical`, and `license_url` when the licence has no SPDX identifier.
    """

    title: str | None = None
    published_at: datetime | None = None
    license: str | None = None
    license_source: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


def evidence_of(parser: LexborHTMLParser) -> Evidence:
    """Read what the page of *parser* says about itself."""
    metas = _metas(parser)
    linked = tuple(_linked_data(parser))
    license_name, license_source, license_url = _license(parser, linked)
    return Evidence(
        title=_title(parser, metas),
        published_at=_published(parser, metas, linked),
        license=license_name,
        license_source=license_source,
        metadata=_present(
            declared_language=_language(parser),
            canonical=_attribute(parser.css_first('link[rel~="canonical"]'), "href"),
            license_url=license_url,
        ),
    )


def _present(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in sorted(values.items()) if value}


def _attribute(node: LexborNode | None, name: str) -> str | None:
    value = node.attributes.get(name) if node is not None else None
    return (" ".join(value.split())[:_VALUE_CHARS] or None) if value else None


def _metas(parser: LexborHTMLParser) -> dict[str, str]:
    """Give the first content of each `<meta>` by its name, property or itemprop in lower case."""
    found: dict[str, str] = {}
    for node in parser.tags("meta"):
        attributes = node.attributes
        name = attributes.get("property") or attributes.get("name") or attributes.get("itemprop")
        content = attributes.get("content")
        if name and content and content.strip():
            found.setdefault(name.strip().lower()[:100], " ".join(content[:_VALUE_CHARS].split()))
    return found


def _title(parser: LexborHTMLParser, metas: dict[str, str]) -> str | None:
    headings = parser.tags("h1")
    first = headings[0].text(deep=True) if len(headings) == 1 else ""
    named = parser.css_first("title")
    for text in (metas.get("og:title"), first, named.text(deep=True) if named is not None else None):
        if text and (words := " ".join(text.split())):
            return words[:_TITLE_CHARS]
    return None


def _language(parser: LexborHTMLParser) -> str | None:
    root = parser.root
    value = (root.attributes.get("lang") or root.attributes.get("xml:lang") or "") if root is not None else ""
    return value.strip().lower()[:35] or None


def _published(parser: LexborHTMLParser, metas: dict[str, str], linked: tuple[dict[str, Any], ...]) -> datetime | None:
    candidates = [item.get("datePublished") for item in linked] + [metas.get(name) for name in _DATES]
    candidates += [_attribute(parser.css_first("time[datetime]"), "datetime")]
    dates = (moment(value) for value in candidates if isinstance(value, str))
    return next((date for date in dates if date is not None), None)


def moment(text: str) -> datetime | None:
    """Read a date and time by ISO 8601 or RFC 5322; without a zone it is UTC, without a time it is midnight.

    >>> moment("2024-05-01T10:00:00+02:00")
    datetime.datetime(2024, 5, 1, 8, 0, tzinfo=datetime.timezone.utc)
    >>> moment("yesterday") is None
    True
    """
    text = text.strip()[:64]
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text)
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
        return found if found.year >= _FIRST_YEAR else None
    return None


def _license(parser: LexborHTMLParser, linked: tuple[dict[str, Any], ...]) -> tuple[str | None, str | None, str | None]:
    """Give licence, where it stood, and the address of one without an SPDX identifier.

    A page that names several licences (one a picture, often) says nothing about its text.
    """
    links = [_attribute(node, "href") for node in parser.css('a[rel~="license"], link[rel~="license"]')[:50]]
    stated = [item.get("license") for item in linked]
    for source, addresses in (("page:rel-license", links), ("page:json-ld", stated)):
        urls = sorted({url for url in addresses if isinstance(url, str) and url})
        names = {spdx(url) for url in urls}
        if len(names) == 1 and (name := names.pop()) is not None:
            return name, source, None
        if urls:
            return None, None, urls[0][:_VALUE_CHARS] if len(urls) == 1 else None
    return None, None, None


def _linked_data(parser: LexborHTMLParser) -> Iterator[dict[str, Any]]:
    """Give the objects of JSON-LD that describe the page; what cannot be read is passed over."""
    for node in parser.css('script[type="application/ld+json"]')[:_MAX_SCRIPTS]:
        text = node.text(deep=True)
        if len(text) > _JSON_CHARS or _json_depth(text) > _JSON_DEPTH or _LONG_NUMBER.search(text):
            continue
        try:
            value = json.loads(text, strict=False)
        except ValueError:
            continue
        yield from _objects(value)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    items = value if isinstance(value, list) else [value]
    for item in items:
        if isinstance(item, dict):
            yield item
            graph = item.get("@graph")
            yield from (part for part in graph if isinstance(part, dict)) if isinstance(graph, list) else ()


def _json_depth(text: str) -> int:
    """Give a bound for the nesting of JSON *text*; brackets in strings count, so it may be too high."""
    depth = deepest = 0
    for bracket in re.findall(r"[][{}]", text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest

"""The fields of feeds and of their entries, by their usual names in RSS, Atom, Dublin Core and JSON Feed."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urljoin

from lxml import etree

from corpusmill.crawlers.readers.html_text import plain_text
from corpusmill.crawlers.readers.xml import parsed
from corpusmill.schemas.dates import stated, written
from corpusmill.schemas.decoding.references import unescaped
from corpusmill.schemas.licenses import spdx

_BODIES: Final = (
    *("content:encoded", "content", "fullitem", "body", "xhtml:body", "summary", "description"),
    *("media:description", "itunes:summary", "dc:description", "dcterms:description"),
)
_DATES: Final = ("pubdate", "published", "issued", "dc:date", "dcterms:issued", "dcterms:created", "date", "created")
_CHANGES: Final = ("updated", "modified", "dcterms:modified", "atom:updated")
_LICENSES: Final = ("license", "creativecommons:license", "cc:license", "dcterms:license")
_RIGHTS: Final = ("rights", "dc:rights", "dcterms:rights", "copyright", "media:copyright")
_ROOT: Final = re.compile(rb"<(?:[A-Za-z][\w.-]*:)?([A-Za-z][\w.-]*)[\s/>]")
_ASIDE: Final = re.compile(rb"<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\])?\s*>", re.DOTALL)
_PREFIX: Final = re.compile(rb"[</\s]([A-Za-z][\w.-]*):[A-Za-z]")
_PREFIXED: Final = re.compile(r"(</?)[A-Za-z][\w.-]*:(?=[A-Za-z])")
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>|&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]\w{1,31});")
_NO_MARKUP: Final = re.compile(
    r"<(?=/?(?!(?:a|abbr|b|big|br|cite|code|del|div|em|font|h\d|i|img|ins|mark|p|q|ruby|rt|rp|s|script|small|span|strike"
    r"|strong|style|sub|sup|tt|u|wbr)\b)[a-zA-Z])",
    re.IGNORECASE,
)
"""Beginning of a tag that does not format words of a title: it is one of its words, as in ``The <video> element``."""
_MONTH: Final = re.compile(r"[^\W\d_]{3}")
_HEAD_BYTES: Final = 1 << 16

License = tuple[str, str]
"""An SPDX expression, and where it stood."""


@dataclass(frozen=True)
class Feed:
    """What a feed says about all its entries. `base` resolves relative addresses."""

    title: str | None = None
    language: str | None = None
    base: str | None = None
    license: License | None = None


@dataclass(frozen=True)
class Entry:
    """An entry of a feed. The name of its author is not read."""

    id: str | None
    url: str | None
    title: str | None
    text: str
    published_at: datetime | None
    language: str | None
    license: License | None
    categories: tuple[str, ...]


def root_name(head: bytes) -> str | None:
    """Return the local name of the first element of a document that begins with *head*.

    >>> root_name(b"<?xml version='1.0'?><!-- a feed --><rdf:RDF xmlns:rdf='u'>")
    'RDF'
    """
    match = _ROOT.match(_ASIDE.sub(b"", head[:_HEAD_BYTES]).lstrip(b"\xef\xbb\xbf \t\r\n"))
    return match[1].decode() if match else None


def feed_of(head: bytes) -> Feed:
    """Return the fields of a feed from what stands before its first entry."""
    root = etree.fromstring(head, etree.XMLParser(recover=True, resolve_entities=False, no_network=True))
    if root is None:
        return Feed()
    channel = next((child for child in root if _name(child, root.prefix).rpartition(":")[2] == "channel"), root)
    fields = _fields(channel)
    links = [link for link in fields.get("link", []) if link.get("rel", "alternate") == "alternate"]
    base = _attribute(root, "base") or _attribute(channel, "base")
    base = base or next((address for link in links if (address := link.get("href") or _words(link))), None)
    return Feed(
        title=_first_line(fields, "title"),
        language=_attribute(root, "lang") or _first_line(fields, "language") or _first_line(fields, "dc:language"),
        base=base,
        license=_license(fields),
    )


def xml_entry(data: bytes, feed: Feed) -> Entry:
    """Return the fields of an ``<item>`` or ``<entry>``.

    Raises:
        DataError: ``not_xml``: it is not well-formed.
    """
    names = sorted(set(_PREFIX.findall(data)) - {b"xml", b"xmlns"})
    declared = b" ".join(b'xmlns:%b="urn:x-prefix:%b"' % (name, name) for name in names)
    element = parsed(b"<entry %b>%b</entry>" % (declared, data))[0]
    fields = _fields(element)
    base = _joined(feed.base, _attribute(element, "base"))
    id = next((text for name in ("guid", "id", "dc:identifier") for text in _texts(fields, name)), None)
    id = id or next((value for key, value in element.attrib.items() if str(key).endswith("about")), None)
    return Entry(
        id=id,
        url=_joined(base, address) if (address := _address(fields)) else None,
        title=_first_line(fields, "title") or _first_line(fields, "dc:title"),
        text=max((_body(node) for name in _BODIES for node in fields.get(name, [])), key=len, default=""),
        published_at=_date(text for name in (*_DATES, *_CHANGES) for text in _texts(fields, name)),
        language=_attribute(element, "lang") or _first_line(fields, "dc:language"),
        license=_license(fields),
        categories=tuple(_categories(fields)),
    )


def json_entry(item: dict[str, Any], feed: Feed) -> Entry:
    """Return the fields of an item of a JSON Feed."""
    named = {name: value for name, value in item.items() if isinstance(value, str)}
    bodies = [
        _html_text(named.get("content_html", "")),
        named.get("content_text", "").strip(),
        named.get("summary", ""),
    ]
    tags = item.get("tags")
    raw_id = item.get("id")
    return Entry(
        id=str(raw_id) if isinstance(raw_id, str | int) and not isinstance(raw_id, bool) and raw_id != "" else None,
        url=_joined(feed.base, address) if (address := named.get("url") or named.get("external_url")) else None,
        title=_line(named.get("title", "")),
        text=max(bodies, key=len),
        published_at=_date(named[name] for name in ("date_published", "date_modified") if name in named),
        language=named.get("language"),
        license=None,
        categories=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
    )


def _fields(parent: etree._Element) -> dict[str, list[etree._Element]]:
    """Return the children of *parent* by name, and what stands in groups of Media RSS."""
    fields: dict[str, list[etree._Element]] = {}
    for child in parent:
        name = _name(child, parent.prefix)
        if name == "media:group" or name == "media:content":
            for inner in child:
                fields.setdefault(_name(inner, parent.prefix), []).append(inner)
        elif name:
            fields.setdefault(name, []).append(child)
    return fields


def _name(element: etree._Element, own: str | None) -> str:
    """Return the name of *element* in lower case, with its prefix unless that is *own* or one of Atom and RSS.

    Args:
        own: The prefix of the feed itself, which a feed without a default namespace has.
    """
    tag = element.tag
    if not isinstance(tag, str):
        return ""
    local = tag.rpartition("}")[2].lower()
    prefix = (element.prefix or "").lower()
    return local if prefix in {"", (own or "").lower(), "atom", "a10", "rss", "rdf"} else f"{prefix}:{local}"


def _attribute(element: etree._Element, name: str) -> str | None:
    value = element.get(f"{{http://www.w3.org/XML/1998/namespace}}{name}")
    return (value.strip() or None) if value else None


def _words(element: etree._Element) -> str:
    """Return the text in *element*, decoded if it is in Base64 (`mode` of Atom 0.3); empty if it cannot be."""
    words = "".join(element.itertext()).strip()
    if (element.get("mode") or "").strip().lower() != "base64":
        return words
    try:
        return base64.b64decode(words).decode().strip()
    except ValueError:
        return ""


def _texts(fields: dict[str, list[etree._Element]], name: str) -> Iterator[str]:
    return (text for element in fields.get(name, []) if (text := _words(element)))


def _first_line(fields: dict[str, list[etree._Element]], name: str) -> str | None:
    return next((line for element in fields.get(name, []) if (line := _title(element))), None)


def _title(element: etree._Element) -> str | None:
    """Return the words of *element* in one line: HTML unless its `type` says that its text is final."""
    is_final = element.get("type", "").strip().lower() in {"text", "text/plain", "xhtml", "application/xhtml+xml"}
    words = _words(element)
    return (" ".join(words.split()) or None) if is_final else _line(words)


def _line(text: str) -> str | None:
    """Return *text*, which may be HTML, even escaped twice, in one line.

    >>> _line("R&amp;amp;D of the &lt;b&gt;new&lt;/b&gt; &lt;video&gt; tag")
    'R&D of the new <video> tag'
    """
    return " ".join(_html_text(_NO_MARKUP.sub("&lt;", unescaped(text))).split()) or None


def _html_text(text: str) -> str:
    return plain_text(text) if _TAG.search(text) else text.strip()


def _body(element: etree._Element) -> str:
    """Return the text of a summary or content: HTML, inline XHTML, or plain text by its `type`."""
    kind = (element.get("type") or "html").strip().lower()
    if kind in {"xhtml", "application/xhtml+xml"} or len(element):
        return plain_text(_PREFIXED.sub(r"\1", etree.tostring(element, encoding="unicode", with_tail=False)))
    text = _words(element)
    if kind in {"html", "text/html", "escaped"}:
        return _html_text(text)
    return text if kind.startswith("text") or kind == "plain" else ""


def _address(fields: dict[str, list[etree._Element]]) -> str | None:
    for name in ("feedburner:origlink", "link", "guid"):
        for element in fields.get(name, []):
            if name == "guid" and element.get("isPermaLink", "true").strip().lower() == "false":
                continue
            if element.get("rel", "alternate") != "alternate":
                continue
            address = (element.get("href") or _words(element)).strip()
            if address and (name != "guid" or "://" in address):
                return address
    return None


def _joined(base: str | None, address: str | None) -> str | None:
    """Return *address* resolved against *base*; *base* if there is no address."""
    if not address or not base:
        return address or base
    try:
        return urljoin(base, address)
    except ValueError:  # an unclosed bracket in the host
        return address


def _date(texts: Iterator[str]) -> datetime | None:
    """Return the first of *texts* that is a date; one in words, such as ``2 janvier 2006``, is the day in UTC."""
    for text in texts:
        moment = stated(text) or (written(text, month_first=True) if _MONTH.search(text) else None)
        if moment is not None:
            return moment
    return None


def _license(fields: dict[str, list[etree._Element]]) -> License | None:
    links = [link for link in fields.get("link", []) if link.get("rel") == "license"]
    for name, elements in (("link", links), *((name, fields.get(name, [])) for name in (*_LICENSES, *_RIGHTS))):
        for element in elements:
            values = (element.get("href"), *(str(value) for value in element.attrib.values()), _words(element))
            for value in values:
                if value and (identifier := spdx(value)) is not None:
                    return identifier, f"feed:{name}"
    return None


def _categories(fields: dict[str, list[etree._Element]]) -> Iterator[str]:
    for name in ("category", "dc:subject"):
        for element in fields.get(name, []):
            if text := element.get("label") or element.get("term") or _words(element):
                yield " ".join(text.split())

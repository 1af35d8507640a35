"""EPUB 2 and 3: what the package of a book says about it, and its chapters in the order of the spine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from corpusmill.crawlers.readers.xml import local_name, parsed
from corpusmill.crawlers.readers.xml_repair import repaired
from corpusmill.crawlers.readers.zip_package import Package
from corpusmill.schemas.errors import DataError

_CONTAINER: Final = "META-INF/container.xml"
_ENCRYPTION: Final = "META-INF/encryption.xml"
_OBFUSCATION: Final = frozenset(("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"))
"""Algorithms that hide fonts from other programs; the text of the book can be read."""
_CHAPTERS: Final = frozenset(
    ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document", "application/xml")
)
_CHAPTER_NAME: Final = re.compile(r"\.x?html?$", re.IGNORECASE)
_GUIDES: Final = frozenset(("toc", "cover", "loi", "lot"))
_MAX_FALLBACKS: Final = 8


@dataclass(frozen=True)
class Item:
    """An entry of the manifest; `part` is None if the archive does not have it."""

    href: str
    part: str | None
    media_type: str
    properties: frozenset[str]
    fallback: str | None


@dataclass(frozen=True)
class Book:
    """What the package document says.

    Args:
        fields: The values of each Dublin Core element, by its name without namespace.
        identifier: The identifier that the package document calls unique, or the first one.
        published: The date of publication.
        modified: When the file was changed.
        chapters: The names of the parts with the text, in reading order.
        missing: References of the spine to parts that the archive does not have.
    """

    fields: dict[str, list[str]]
    identifier: str | None
    published: str | None
    modified: str | None
    chapters: list[str]
    missing: list[str] = field(default_factory=list)


def book_of(package: Package) -> Book:
    """Return what the package document of *package* says.

    Raises:
        DataError: ``wrong_format``: there is no package document; ``encrypted``: a chapter is.
    """
    name = _package_document(package)
    root = _lenient(package.read(name))
    items = _manifest(root, package, name)
    spine, missing = _spine(root, items)
    left_out = _left_out(root, package, name)
    chapters = [
        item.part
        for item in spine
        if item.part and "nav" not in item.properties and item.part not in left_out and _is_chapter(item)
    ]
    chapters = list(dict.fromkeys(chapters))
    _check_encryption(package, chapters)
    return Book(
        fields=_fields(root),
        identifier=_identifier(root),
        published=_published(root),
        modified=_modified(root),
        chapters=chapters,
        missing=missing,
    )


def _package_document(package: Package) -> str:
    if container := package.find(_CONTAINER):
        try:
            rootfiles = [node for node in _lenient(package.read(container)).iter() if local_name(node) == "rootfile"]
        except DataError:
            rootfiles = []
        for node in rootfiles:
            if found := package.find(_attribute(node, "full-path") or ""):
                return found
    for name in package.names:
        if name.lower().endswith(".opf"):
            return name
    raise DataError("not an EPUB: the archive has no package document (.opf)", kind="wrong_format")


def _lenient(data: bytes) -> etree._Element:
    """Parse *data*; not well-formed markup is read as far as its tags allow.

    Raises:
        DataError: ``not_xml`` or ``entities``.
    """
    try:
        return parsed(data.lstrip())
    except DataError as error:
        if error.kind != "not_xml":
            raise
    data = repaired(data)
    try:
        return parsed(data)
    except DataError:
        parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, load_dtd=False)
        root = etree.fromstring(data, parser)
        if root is None:
            raise
        return root


def _attribute(element: etree._Element, name: str) -> str | None:
    """Return the attribute *name* in any namespace, or none, in any case."""
    return next((str(value) for key, value in element.items() if str(key).rpartition("}")[2].lower() == name), None)


def _manifest(root: etree._Element, package: Package, base: str) -> dict[str, Item]:
    items: dict[str, Item] = {}
    for node in root.iter():
        if local_name(node).lower() == "item" and (href := _attribute(node, "href")) is not None:
            item = Item(
                href,
                package.find(href, base=base) or package.find(href),
                (_attribute(node, "media-type") or "").partition(";")[0].strip().lower(),
                frozenset((_attribute(node, "properties") or "").split()),
                _attribute(node, "fallback"),
            )
            items.setdefault(_attribute(node, "id") or href, item)
    return items


def _spine(root: etree._Element, items: dict[str, Item]) -> tuple[list[Item], list[str]]:
    """Return the linear items in reading order, and the references without a part; without a spine all chapters."""
    references = [node for node in root.iter() if local_name(node).lower() == "itemref"]
    if not references:
        return [item for item in items.values() if item.part and _is_chapter(item)], []
    spine: list[Item] = []
    missing: list[str] = []
    for node in references:
        if (_attribute(node, "linear") or "yes").strip().lower() in {"no", "false"}:
            continue
        id = (_attribute(node, "idref") or "").strip()
        item = _readable(items, id)
        if item is None or item.part is None:
            missing.append(item.href if item else id)
        else:
            spine.append(item)
    return spine, missing


def _readable(items: dict[str, Item], id: str) -> Item | None:
    """Return the item *id*, or the chapter that stands in for it."""
    first = item = items.get(id)
    for _ in range(_MAX_FALLBACKS):
        if item is None or _is_chapter(item) or item.fallback is None:
            break
        item = items.get(item.fallback)
    return item if item is not None and _is_chapter(item) else first


def _is_chapter(item: Item) -> bool:
    return item.media_type in _CHAPTERS or (
        not item.media_type.startswith("image/") and _CHAPTER_NAME.search(item.href.partition("#")[0]) is not None
    )


def _left_out(root: etree._Element, package: Package, base: str) -> set[str]:
    """Return the parts that the guide of EPUB 2 calls the cover or a table of contents."""
    out: set[str] = set()
    for node in root.iter():
        href = _attribute(node, "href") or ""
        is_listed = local_name(node).lower() == "reference" and (_attribute(node, "type") or "").lower() in _GUIDES
        if is_listed and "#" not in href and (part := package.find(href, base=base)):
            out.add(part)
    return out


def _check_encryption(package: Package, chapters: list[str]) -> None:
    part = package.find(_ENCRYPTION)
    if part is None:
        return
    try:
        root = _lenient(package.read(part))
    except DataError:
        return
    wanted = set(chapters)
    for data in root.iter():
        if local_name(data) != "EncryptedData":
            continue
        method = next((_attribute(node, "algorithm") for node in data if local_name(node) == "EncryptionMethod"), None)
        uris = (_attribute(node, "uri") or "" for node in data.iter() if local_name(node) == "CipherReference")
        if method not in _OBFUSCATION and any(package.find(uri) in wanted for uri in uris):
            raise DataError("the chapters of the book are encrypted (DRM)", kind="encrypted")


def _dublin_core(root: etree._Element) -> Iterator[tuple[str, etree._Element, str]]:
    """Yield name, element and words of each element of Dublin Core."""
    for node in root.iter():
        if isinstance(node.tag, str) and "purl.org/dc/" in node.tag.lower():
            words = " ".join("".join(node.itertext()).split())
            if words:
                yield local_name(node).lower(), node, words


def _fields(root: etree._Element) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    main = {
        (node.get("refines") or "").lstrip("#")
        for node in root.iter()
        if local_name(node) == "meta" and node.get("property") == "title-type" and (node.text or "").strip() == "main"
    }
    for name, node, words in _dublin_core(root):
        values = fields.setdefault(name, [])
        if name == "title" and node.get("id") in main:
            values.insert(0, words)
        elif words not in values:
            values.append(words)
    return {**fields, "rights": [*_license_links(root), *fields.get("rights", [])]}


def _license_links(root: etree._Element) -> Iterator[str]:
    """Yield what links and properties of EPUB 3 say about the license."""
    for node in root.iter():
        if local_name(node) == "link" and "license" in (node.get("rel") or "") and node.get("href"):
            yield node.get("href") or ""
        elif local_name(node) == "meta" and node.get("property") in {"dcterms:license", "dcterms:rights"}:
            yield " ".join((node.text or "").split())


def _identifier(root: etree._Element) -> str | None:
    unique = _attribute(root, "unique-identifier")
    found = [(node.get("id"), words) for name, node, words in _dublin_core(root) if name == "identifier"]
    return next((words for id, words in found if id == unique), found[0][1] if found else None)


def _published(root: etree._Element) -> str | None:
    dates = [
        ((_attribute(node, "event") or "").lower(), words) for name, node, words in _dublin_core(root) if name == "date"
    ]
    order = ("publication", "original-publication", "", "creation", "conversion")
    dates = sorted((date for date in dates if date[0] in order), key=lambda date: order.index(date[0]))
    return dates[0][1] if dates else None


def _modified(root: etree._Element) -> str | None:
    for node in root.iter():
        if local_name(node) == "meta" and node.get("property") == "dcterms:modified":
            return (node.text or "").strip() or None
    return next(
        (
            words
            for name, node, words in _dublin_core(root)
            if name == "date" and (_attribute(node, "event") or "").lower() == "modification"
        ),
        None,
    )

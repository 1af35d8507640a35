"""The parts of a DOCX file: where they are, what its styles mean, and its properties."""

from __future__ import annotations

import posixpath
import re
from typing import Final, NamedTuple

from lxml import etree

from corpusmill.crawlers.readers.docx_numbering import attribute, children
from corpusmill.crawlers.readers.xml import local_name, parsed
from corpusmill.crawlers.readers.zip_package import Package
from corpusmill.schemas.errors import DataError

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_STREAM: Final = "EncryptedPackage".encode("utf-16-le")
_HEADING: Final = re.compile(r"heading ?([1-9])|((?:chapter|book|document|report)?[ _-]?title)", re.IGNORECASE)
_CONTENTS: Final = re.compile(r"toc ?\d|toc ?heading|table of figures|tocheading", re.IGNORECASE)
_CODE: Final = re.compile(r"code|preformatted|verbatim|plain text", re.IGNORECASE)
_OFF: Final = frozenset(("0", "false", "off"))
_MAX_BASES: Final = 12


class Style(NamedTuple):
    """What the style of a paragraph or a run means; `list` is the id of a list, or empty."""

    is_heading: bool = False
    is_title: bool = False
    is_contents: bool = False
    is_code: bool = False
    is_hidden: bool = False
    list: str = ""
    level: int = 0


class DocxParts:
    """The parts of the file *data*.

    Raises:
        DataError: ``encrypted``, ``wrong_format``, ``truncated``, ``damaged``, or as `parsed`.
    """

    def __init__(self, data: bytes) -> None:
        if data.startswith(_OLE):
            if _ENCRYPTED_STREAM in data:
                raise DataError("the document is encrypted with a password", kind="encrypted")
            raise DataError("not a DOCX file: it is a binary file of Word 97-2003 (.doc)", kind="wrong_format")
        self.package = Package(data, what="a DOCX file")
        self._main = self._main_part()
        self._relations = self._relations_of(self._main)
        self.document = parsed(self.package.read(self._main))
        if local_name(self.document) != "document":
            raise DataError("not a DOCX file: the main part is no document of Word", kind="wrong_format")
        self.missing: list[str] = []

    def _main_part(self) -> str:
        for kind, target in self._relations_of("").values():
            if kind == "officeDocument" and (found := self.package.find(target)):
                return found
        if found := self.package.find("word/document.xml"):
            return found
        raise DataError("not a DOCX file: the archive has no main document", kind="wrong_format")

    def _relations_of(self, part: str) -> dict[str, tuple[str, str]]:
        """Return type and target of each relation of *part*, by id."""
        folder, name = posixpath.split(part)
        found = self.package.find(f"{folder}/_rels/{name}.rels")
        if found is None:
            return {}
        try:
            root = parsed(self.package.read(found))
        except DataError as error:
            if error.kind != "not_xml":
                raise
            return {}
        return {
            attribute(node, "Id"): (attribute(node, "Type").rpartition("/")[2], attribute(node, "Target"))
            for node in root
            if attribute(node, "TargetMode") != "External"
        }

    def part(self, kind: str) -> etree._Element | None:
        """Return the part to which the document has a relation of the *kind*; None if there is none.

        A part that is named but absent or broken is listed in `missing`.
        """
        target = next((target for each, target in self._relations.values() if each == kind), None)
        found = self.package.find(target or f"{kind}.xml", base=self._main)
        if found is None:
            if target:
                self.missing.append(target)
            return None
        try:
            return parsed(self.package.read(found))
        except DataError as error:
            if error.kind in {"too_large", "encrypted"}:
                raise
            self.missing.append(found)
            return None

    def embedded(self, id: str) -> bytes | None:
        """Return the part to which the relation *id* of the document leads."""
        target = self._relations.get(id, ("", ""))[1]
        found = self.package.find(target, base=self._main) if target else None
        if found is None:
            self.missing.append(target or id)
            return None
        return self.package.read(found)

    def diagram(self, id: str) -> list[str]:
        """Return the texts of the SmartArt whose data is the part to which the relation *id* leads."""
        data = self.embedded(id)
        try:
            root = None if data is None else parsed(data)
        except DataError as error:
            if error.kind in {"too_large", "encrypted"}:
                raise
            root = None
        points = () if root is None else (node for node in root.iter() if local_name(node) == "pt")
        texts = ("".join(t.text or "" for t in point.iter() if local_name(t) == "t") for point in points)
        return [" ".join(text.split()) for text in texts if text.strip()]

    def properties(self) -> dict[str, str]:
        """Return the core properties: their words, by local name."""
        found = self.package.find("docProps/core.xml")
        for kind, target in self._relations_of("").values():
            if kind == "core-properties":
                found = self.package.find(target) or found
        if found is None:
            return {}
        try:
            root = parsed(self.package.read(found))
        except DataError as error:
            if error.kind == "encrypted":
                raise
            return {}
        return {local_name(node): " ".join("".join(node.itertext()).split()) for node in root}


def styles_of(root: etree._Element | None) -> tuple[dict[str, Style], str]:
    """Return the styles of the part *root* by id, and the language of the document (empty if unknown)."""
    if root is None:
        return {}, ""
    nodes = {attribute(node, "styleId"): node for node in children(root, "style")}
    language = ""
    for defaults in children(root, "docDefaults"):
        language = next((attribute(node, "val") for node in defaults.iter() if local_name(node) == "lang"), "")
    return {id: _style(id, nodes) for id in nodes}, language


def _style(id: str, nodes: dict[str, etree._Element]) -> Style:
    style = Style()
    list_id = ""
    outline = level = vanish = None
    seen: set[str] = set()
    while id in nodes and id not in seen and len(seen) < _MAX_BASES:
        seen.add(id)
        values = {local_name(child): attribute(child, "val") for child in nodes[id]}
        name = values.get("name", "")
        heading = _HEADING.fullmatch(name)
        style = style._replace(
            is_heading=style.is_heading or heading is not None,
            is_title=style.is_title or (heading is not None and heading[2] is not None),
            is_contents=style.is_contents or _CONTENTS.fullmatch(name) is not None,
            is_code=style.is_code or _CODE.search(name) is not None,
        )
        for properties in children(nodes[id], "rPr"):
            for node in children(properties, "vanish"):
                vanish = is_on(node) if vanish is None else vanish
        for properties in children(nodes[id], "pPr"):
            for node in properties:
                if local_name(node) == "outlineLvl" and outline is None:
                    outline = attribute(node, "val")
                if local_name(node) == "numPr":
                    own_list, own_level = numbers_of(node)
                    list_id = list_id or own_list
                    level = own_level if level is None else level
        id = values.get("basedOn", "")
    is_outlined = outline is not None and outline.isdecimal() and len(outline) < 10 and int(outline) < 9
    is_heading = style.is_heading or is_outlined
    return style._replace(is_heading=is_heading, is_hidden=vanish is True, list=list_id, level=level or 0)


def is_on(node: etree._Element) -> bool:
    """Return whether the property *node*, such as `vanish`, is set."""
    return attribute(node, "val") not in _OFF


def numbers_of(properties: etree._Element) -> tuple[str, int | None]:
    """Return list and level in the properties `numPr`; empty and None where they do not say so."""
    values = {local_name(child): attribute(child, "val") for child in properties}
    level = values.get("ilvl", "")
    return values.get("numId", ""), int(level) if level.isdecimal() and len(level) < 3 else None

"""Text documents of Word (DOCX): the text as it would be printed, without headers, comments and deleted text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from corpusmill.crawlers.readers.blocks import Block, joined, letters, numeral, row
from corpusmill.crawlers.readers.docx_numbering import Numbering, attribute, children
from corpusmill.crawlers.readers.docx_package import DocxParts, Style, is_on, numbers_of, styles_of
from corpusmill.crawlers.readers.html_text import plain_text
from corpusmill.crawlers.readers.office import Document
from corpusmill.crawlers.readers.omml import omml_tex
from corpusmill.crawlers.readers.symbol_fonts import symbol, translated
from corpusmill.crawlers.readers.xml import local_name
from corpusmill.schemas.decoding.pages import decode

_CONTAINERS: Final = frozenset("hyperlink ins moveTo smartTag sdtContent customXml dir bdo rubyBase".split())
_BLOCK_CONTAINERS: Final = frozenset("ins moveTo sdtContent customXml".split())
_CHARACTERS: Final = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_NOT_SHOWN: Final = frozenset(("PAGE", "NUMPAGES", "SECTIONPAGES", "TOC", "TOA", "INDEX"))
"""Fields whose results are not read: numbers of pages, contents, and indexes."""
_GALLERIES: Final = ("Table of Contents", "Page Numbers")
_OTHER_FORMATS: Final = (b"PK", b"{\\rtf", b"MIME-Version:")
"""Beginnings of other documents, of RTF and of web archives, which a document can contain as a whole."""
_SPACES: Final = re.compile(r"[ \t]+\n|\n[ \t]+")


@dataclass
class _Field:
    code: str = ""
    is_code: bool = True

    @property
    def is_shown(self) -> bool:
        return not self.is_code and _is_shown(self.code)


@dataclass
class _Line:
    """The text of a paragraph, and what follows it: text boxes and notes."""

    parts: list[str] = field(default_factory=list)
    after: list[Block] = field(default_factory=list)


def docx_document(data: bytes, *, notes: bool) -> Document:
    """Return the document in the bytes *data* of a file, with footnotes and endnotes if *notes*.

    Raises:
        DataError: As `DocxParts`.
    """
    parts = DocxParts(data)
    styles, language = styles_of(parts.part("styles"))
    reader = _Reader(parts, styles, notes=notes)
    text = reader.text()
    properties = parts.properties()
    names = {"subject": "subject", "keywords": "keywords", "description": "description", "modified": "modified"}
    metadata = {name: properties.get(key, "") for name, key in names.items()}
    return Document(
        text=text,
        title=properties.get("title") or reader.title,
        created=properties.get("created"),
        metadata=metadata
        | {"language": properties.get("language") or language, "missing_items": "; ".join(parts.missing)},
    )


class _Reader:
    def __init__(self, parts: DocxParts, styles: dict[str, Style], *, notes: bool) -> None:
        self._parts = parts
        self._styles = styles
        self._numbering = Numbering(parts.part("numbering"))
        self._notes = {kind: self._notes_of(kind) if notes else {} for kind in ("footnote", "endnote")}
        self._numbers: dict[tuple[str, str], str] = {}
        self._counts: Counter[str] = Counter()
        self._endnotes: list[Block] = []
        self._fields: list[_Field] = []
        self._has_fields = _is_balanced(parts.document)
        self._hides = False
        self._heading: str | None = None
        self._title: str | None = None

    @property
    def title(self) -> str | None:
        """The first paragraph in the style of titles, else the first heading."""
        return self._title or self._heading

    def text(self) -> str:
        """Return the text of the document."""
        blocks = [block for body in children(self._parts.document, "body") for block in self._blocks(body)]
        return joined([*blocks, *self._endnotes])

    def _notes_of(self, kind: str) -> dict[str, etree._Element]:
        root = self._parts.part(f"{kind}s")
        return {} if root is None else {attribute(node, "id"): node for node in children(root, kind)}

    def _blocks(self, parent: etree._Element) -> list[Block]:
        """Return the blocks of *parent*: a body, a cell, a text box, or a note."""
        blocks: list[Block] = []
        held = ""  # the text of a paragraph that goes on in the next one
        for node in parent:
            name = local_name(node)
            if name == "p":
                block, after, goes_on = self._paragraph(node, held)
                held = block.text if goes_on else ""
                blocks += after if goes_on else [block, *after]
            elif name == "tbl":
                blocks += self._table(node)
            elif name == "sdt":
                blocks += [] if _is_left_out(node) else self._inner(node)
            elif name in _BLOCK_CONTAINERS:
                blocks += self._blocks(node)
            elif name == "AlternateContent":
                blocks += next(filter(joined, map(self._blocks, _alternatives(node))), [])
            elif name == "oMathPara":
                blocks.append(Block(f"${omml_tex(node)}$"))
            elif name == "altChunk":
                blocks += self._chunk(node)
        return [*blocks, Block(held)] if held else blocks

    def _inner(self, control: etree._Element) -> list[Block]:
        return [block for content in children(control, "sdtContent") for block in self._blocks(content)]

    def _chunk(self, node: etree._Element) -> list[Block]:
        data = self._parts.embedded(attribute(node, "id"))
        if data is None or data.lstrip().startswith(_OTHER_FORMATS):
            self._parts.missing += ["a document in another format"] if data else []
            return []
        return [Block(plain_text(decode(data, "text/html")))]

    def _paragraph(self, node: etree._Element, held: str) -> tuple[Block, list[Block], bool]:
        """Return the paragraph *node* after *held*, what follows it, and whether it goes on in the next paragraph."""
        style, list_id, level, goes_on = self._properties(node)
        outer, self._hides = self._hides, style.is_hidden
        line = _Line([held])
        self._inline(node, line, "")
        self._hides = outer
        text = letters("".join(line.parts))
        if style.is_contents:
            return Block(""), line.after, False
        if style.is_code and not list_id:
            return Block(text.rstrip(), "code"), line.after, goes_on
        text = text if goes_on else _SPACES.sub("\n", text).strip()
        label = None if goes_on or not list_id else self._numbering.label(list_id, level)
        if not text:
            return Block(""), line.after, goes_on
        if style.is_heading:
            words = " ".join(text.split())
            self._heading = self._heading or words
            self._title = self._title or (words if style.is_title else None)
            return Block(f"{label} {text}" if label and label != "-" else text, "heading"), line.after, goes_on
        if label is None:
            return Block(text), line.after, goes_on
        indent = "" if style.list else "  " * level
        return Block(indent + f"{label} {text}".strip(), "item"), line.after, goes_on

    def _properties(self, node: etree._Element) -> tuple[Style, str, int, bool]:
        """Return style, list and level of the paragraph *node*, and whether it goes on in the next one."""
        style, list_id, level, goes_on = self._styles.get("", Style()), None, None, False
        is_heading = False
        for properties in children(node, "pPr"):
            for each in properties:
                match local_name(each):
                    case "pStyle":
                        style = self._styles.get(attribute(each, "val"), style)
                    case "numPr":
                        list_id, level = numbers_of(each)
                    case "outlineLvl":
                        is_heading = attribute(each, "val") in set("012345678")
                    case "framePr":
                        goes_on = goes_on or attribute(each, "dropCap") in {"drop", "margin"}
                    case "rPr":
                        goes_on = goes_on or any(local_name(mark) in {"del", "moveFrom"} for mark in each)
        style = style._replace(is_heading=style.is_heading or is_heading)
        return style, list_id or style.list, style.level if level is None else level, goes_on

    def _inline(self, parent: etree._Element, line: _Line, font: str) -> None:
        """Add the text in *parent*, a paragraph, a run, or an element around runs, to *line*."""
        for node in parent:
            name = local_name(node)
            if name == "r":
                if not self._is_hidden(node):
                    self._inline(node, line, _font(node))
            elif name == "t":
                self._add(translated(node.text or "", font), line)
            elif name in _CHARACTERS:
                self._add(_CHARACTERS[name], line)
            elif name == "sym":
                self._add(_symbol(node), line)
            elif name in _CONTAINERS:
                self._inline(node, line, font)
            elif name == "sdt":
                if not _is_left_out(node):
                    self._inline(node, line, font)
            elif name == "fldSimple":
                if _is_shown(attribute(node, "instr")):
                    self._inline(node, line, font)
            elif name in {"fldChar", "instrText"}:
                self._field(node, name)
            elif name in {"footnoteReference", "endnoteReference"}:
                self._refer(node, name.removesuffix("Reference"), line)
            elif name in {"oMath", "oMathPara"}:
                tex = omml_tex(node)
                self._add(f"${tex}$" if tex else "", line)
            elif name == "ruby":
                for base in children(node, "rubyBase"):
                    self._inline(base, line, font)
            elif name == "AlternateContent":
                self._alternative(node, line, font)
            elif name in {"drawing", "pict", "object"}:
                line.after += self._boxes(node)

    def _is_hidden(self, run: etree._Element) -> bool:
        """Return whether *run* is hidden: itself, or by its style or that of its paragraph."""
        hides = self._hides
        for properties in children(run, "rPr"):
            for node in properties:
                name = local_name(node)
                if name == "vanish":
                    return is_on(node)
                if name == "rStyle":
                    hides = self._styles.get(attribute(node, "val"), Style()).is_hidden or hides
        return hides

    def _add(self, text: str, line: _Line) -> None:
        if text and not (self._fields and any(not each.is_shown for each in self._fields)):
            line.parts.append(text)

    def _field(self, node: etree._Element, name: str) -> None:
        """Follow the characters that divide the code of a field from its result."""
        if not self._has_fields:
            return
        kind = attribute(node, "fldCharType")
        if name == "instrText":
            if self._fields and self._fields[-1].is_code:
                self._fields[-1].code += node.text or ""
        elif kind == "begin":
            self._fields.append(_Field())
        elif self._fields and kind == "separate":
            self._fields[-1].is_code = False
        elif self._fields and kind == "end":
            self._fields.pop()

    def _alternative(self, node: etree._Element, line: _Line, font: str) -> None:
        """Add the first alternative with text: Word writes a text box twice, for itself and for older versions."""
        for alternative in _alternatives(node):
            attempt = _Line()
            self._inline(alternative, attempt, font)
            if "".join(attempt.parts).strip() or joined(attempt.after):
                line.parts += attempt.parts
                line.after += attempt.after
                return

    def _boxes(self, node: etree._Element) -> list[Block]:
        """Return the text of the text boxes in the drawing *node*."""
        blocks: list[Block] = []
        for child in node:
            name = local_name(child)
            if name == "txbxContent":
                outer, self._fields = self._fields, []
                blocks += self._blocks(child)
                self._fields = outer
            elif name == "AlternateContent":
                blocks += next(filter(joined, map(self._boxes, _alternatives(child))), [])
            elif name == "relIds":
                blocks += map(Block, self._parts.diagram(attribute(child, "dm")))
            else:
                blocks += self._boxes(child)
        return blocks

    def _refer(self, node: etree._Element, kind: str, line: _Line) -> None:
        """Add the mark of a note, and the note itself where it is mentioned first."""
        id = attribute(node, "id")
        note = self._notes[kind].get(id)
        if note is None:
            return
        is_first = (kind, id) not in self._numbers
        if is_first:
            self._counts[kind] += 1
            self._numbers[kind, id] = numeral(self._counts[kind], "1" if kind == "footnote" else "i")
        label = f"[{self._numbers[kind, id]}]"
        self._add(label, line)
        if is_first:
            outer, self._fields = self._fields, []
            texts = [block.text for block in self._blocks(note) if block.text.strip()]
            self._fields = outer
            blocks = [Block(f"{label} {text}" if place == 0 else text, "note") for place, text in enumerate(texts)]
            (line.after if kind == "footnote" else self._endnotes).extend(blocks)

    def _table(self, node: etree._Element) -> list[Block]:
        """Return a table by rows; of a table that arranges blocks, with tables in cells or one column, the blocks."""
        rows = [[[] if _is_continued(cell) else self._blocks(cell) for cell in _cells(line)] for line in _rows(node)]
        is_layout = all(len(cells) <= 1 for cells in rows) or any(
            local_name(child) == "tbl" for line in _rows(node) for cell in _cells(line) for child in cell
        )
        if is_layout:
            return [block for cells in rows for cell in cells for block in cell]
        texts = [row([block for block in cell if block.kind != "note"] for cell in cells) for cells in rows]
        notes = [block for cells in rows for cell in cells for block in cell if block.kind == "note"]
        return [Block("\n".join(filter(None, texts)), "table"), *notes]


def _rows(table: etree._Element) -> Iterator[etree._Element]:
    for node in _unwrapped(table, "tr"):
        if not any(local_name(mark) == "del" for properties in children(node, "trPr") for mark in properties):
            yield node


def _cells(line: etree._Element) -> Iterator[etree._Element]:
    for node in _unwrapped(line, "tc"):
        if not any(local_name(mark) == "cellDel" for properties in children(node, "tcPr") for mark in properties):
            yield node


def _is_continued(cell: etree._Element) -> bool:
    """Return whether *cell* belongs to the one above or before it."""
    for properties in children(cell, "tcPr"):
        for each in properties:
            if local_name(each) in {"vMerge", "hMerge"} and attribute(each, "val") != "restart":
                return True
    return False


def _unwrapped(parent: etree._Element, name: str) -> Iterator[etree._Element]:
    """Yield the elements *name* in *parent*, also those in controls and marks of changes."""
    for node in parent:
        if local_name(node) == name:
            yield node
        elif local_name(node) in _BLOCK_CONTAINERS or local_name(node) == "sdt":
            yield from _unwrapped(node, name)


def _alternatives(node: etree._Element) -> Iterator[etree._Element]:
    yield from (child for child in node if local_name(child) in {"Choice", "Fallback"})


def _is_shown(code: str) -> bool:
    """Return whether the result of the field with this *code* is read."""
    return next(iter(code.split(maxsplit=1)), "").upper() not in _NOT_SHOWN


def _is_balanced(document: etree._Element) -> bool:
    """Return whether each field of *document* has an end; else its text could be taken for the code of a field."""
    kinds = Counter(attribute(node, "fldCharType") for node in document.iter("{*}fldChar"))
    return kinds["begin"] == kinds["end"]


def _is_left_out(control: etree._Element) -> bool:
    """Return whether the content control *control* has contents, numbers of pages, or only a prompt."""
    for properties in children(control, "sdtPr"):
        for node in properties:
            if local_name(node) == "showingPlcHdr":
                return is_on(node)
            galleries = (attribute(child, "val") for child in children(node, "docPartGallery"))
            if any(gallery.startswith(_GALLERIES) for gallery in galleries):
                return True
    return False


def _font(run: etree._Element) -> str:
    for properties in children(run, "rPr"):
        for node in children(properties, "rFonts"):
            return attribute(node, "ascii") or attribute(node, "hAnsi")
    return ""


def _symbol(node: etree._Element) -> str:
    try:
        return symbol(int(attribute(node, "char"), 16), attribute(node, "font"))
    except ValueError:
        return ""

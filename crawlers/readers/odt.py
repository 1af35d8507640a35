"""OpenDocument texts (ODT): the text as it would be printed, without headers, comments and deleted text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from corpusmill.crawlers.readers.blocks import Block, joined, letters, row
from corpusmill.crawlers.readers.docx_numbering import attribute, children
from corpusmill.crawlers.readers.mathml import tex_of
from corpusmill.crawlers.readers.odt_package import OdtParts
from corpusmill.crawlers.readers.odt_styles import Level, Styles, label_of
from corpusmill.crawlers.readers.office import Document
from corpusmill.crawlers.readers.xml import local_name

_SPACES: Final = re.compile(r"[ \t\r\n]+")
_AROUND_BREAKS: Final = re.compile(r"[ \t]+\n|\n[ \t]+")
_LEFT_OUT: Final = frozenset(
    "tracked-changes annotation annotation-end table-of-content illustration-index table-index object-index user-index "
    "alphabetical-index forms desc title script page-number page-count hidden-text dde-connection-decls "
    "sequence-decls variable-decls user-field-decls alphabetical-index-auto-mark-file page-continuation ruby-text "
    "paragraph-count word-count character-count event-listeners glue-point soft-page-break shapes number image "
    "binary-data template settings".split()
)
_SHAPES: Final = frozenset(
    "frame custom-shape rect ellipse circle polygon path g text-box line connector caption a measure polyline".split()
)
_MAX_SPACES: Final = 1000
_MAX_REPEATS: Final = 100
_TITLE: Final = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}title"
"""The field with the title of the document; other elements of this name describe pictures."""
_DRAWING: Final = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"


@dataclass
class _Line:
    """The text of a paragraph, and what follows it: text boxes and notes."""

    parts: list[str] = field(default_factory=list)
    after: list[Block] = field(default_factory=list)

    def add(self, words: str | None) -> None:
        """Add *words*, in which any white space is one space, unless it follows one."""
        if words:
            words = _SPACES.sub(" ", words)
            if words.startswith(" ") and (not self.parts or self.parts[-1].endswith((" ", "\n"))):
                words = words[1:]
            if words:
                self.parts.append(words)


def odt_document(data: bytes, *, notes: bool) -> Document:
    """Return the document in the bytes *data* of a file, with footnotes and endnotes if *notes*.

    Raises:
        DataError: As `OdtParts`.
    """
    parts = OdtParts(data)
    styles = Styles(parts.content, parts.styles)
    reader = _Reader(parts, styles, notes=notes)
    text = joined([*reader.blocks(parts.body), *reader.endnotes])
    fields = parts.properties()
    first = {name: values[0] for name, values in fields.items()}
    return Document(
        text=text,
        title=first.get("title") or reader.title,
        created=first.get("creation-date") or first.get("date"),
        metadata={
            "subject": first.get("subject", ""),
            "keywords": "; ".join(fields.get("keyword", ())),
            "description": first.get("description", ""),
            "modified": first.get("date", ""),
            "language": first.get("language") or styles.language,
            "missing_items": "; ".join(parts.missing),
        },
    )


class _Reader:
    def __init__(self, parts: OdtParts, styles: Styles, *, notes: bool) -> None:
        self._parts = parts
        self._styles = styles
        self._keeps_notes = notes
        self.endnotes: list[Block] = []
        self._headings: dict[int, int] = {}
        self._last: dict[str, int] = {}
        self._first_heading: str | None = None
        self._title: str | None = None

    @property
    def title(self) -> str | None:
        """The first paragraph in the style of titles, else the first heading."""
        return self._title or self._first_heading

    def blocks(self, parent: Iterable[etree._Element]) -> list[Block]:
        """Return the blocks of the elements in *parent*: the body, a section, a cell, a text box, or a note."""
        blocks: list[Block] = []
        for node in parent:
            name = local_name(node)
            if name in {"p", "h"}:
                blocks += self._paragraph(node, is_heading=name == "h")
            elif name == "list":
                blocks += self._list(node, 1, {}, {})
            elif name == "table":
                blocks += self._table(node)
            elif name in _LEFT_OUT or not name or attribute(node, "display") == "none":
                continue
            elif name in _SHAPES:
                blocks += self._shape(node)
            else:
                blocks += self.blocks(node)
        return blocks

    def _paragraph(self, node: etree._Element, *, is_heading: bool) -> list[Block]:
        style = attribute(node, "style-name")
        if self._styles.is_hidden(style):
            return []
        line = _Line()
        self._inline(node, line)
        text = letters("".join(line.parts))
        if self._styles.is_code(style) and not is_heading:
            return [Block(text.rstrip(), "code"), *line.after]
        text = _AROUND_BREAKS.sub("\n", text).strip()
        if self._styles.is_title(style) and text:
            self._title = self._title or " ".join(text.split())
        if is_heading and text:
            self._first_heading = self._first_heading or " ".join(text.split())
            label = self._heading_label(node)
            return [Block(f"{label} {text}" if label else text, "heading"), *line.after]
        return [Block(text), *line.after]

    def _heading_label(self, node: etree._Element) -> str:
        level = _integer(attribute(node, "outline-level"), 1)
        if attribute(node, "is-list-header") == "true":
            return ""
        style = self._styles.outline.get(level)
        self._headings[level] = self._headings.get(level, (style.start if style else 1) - 1) + 1
        for deeper in [each for each in self._headings if each > level]:
            del self._headings[deeper]
        return label_of(self._styles.outline, level, self._headings) if style and style.form else ""

    def _inline(self, parent: etree._Element, line: _Line) -> None:
        """Add the text in *parent*, a paragraph or an element in one, to *line*."""
        line.add(parent.text)
        for node in parent:
            name = local_name(node)
            if name == "s":
                line.parts.append(" " * min(_integer(attribute(node, "c"), 1), _MAX_SPACES))
            elif name == "tab":
                line.parts.append("\t")
            elif name == "line-break":
                line.parts.append("\n")
            elif name == "note":
                self._note(node, line)
            elif isinstance(node.tag, str) and node.tag.startswith(_DRAWING):
                self._drawing(node, line)
            elif name == "math":
                line.add(f"${tex_of(node)}$")
            elif name in {"hidden-paragraph", "conditional-text"} and attribute(node, "is-hidden") == "true":
                pass
            elif node.tag == _TITLE or (name and name not in _LEFT_OUT and not self._is_hidden(node)):
                self._inline(node, line)
            line.add(node.tail)

    def _is_hidden(self, node: etree._Element) -> bool:
        return attribute(node, "display") == "none" or self._styles.is_hidden(attribute(node, "style-name"))

    def _drawing(self, node: etree._Element, line: _Line) -> None:
        """Add a formula at its place, and the text of a frame after the paragraph."""
        for child in node.iter(f"{_DRAWING}object"):
            math = next((each for each in child.iter() if local_name(each) == "math"), None)
            if math is None:
                href = next((value for key, value in child.items() if key.endswith("}href")), "")
                math = self._parts.formula(str(href))
            if math is not None:
                line.add(f"${tex_of(math)}$")
                return
        if local_name(node) == "a":
            for child in node:
                self._drawing(child, line)
            return
        line.after += self._shape(node)

    def _shape(self, node: etree._Element) -> list[Block]:
        """Return the text of a shape; of a frame, that of the first content with text, because others repeat it."""
        if local_name(node) == "frame":
            return next(filter(joined, (self.blocks([child]) for child in node)), [])
        return self.blocks(node)

    def _note(self, node: etree._Element, line: _Line) -> None:
        if not self._keeps_notes:
            return
        citation = next(iter(children(node, "note-citation")), None)
        words = "" if citation is None else attribute(citation, "label") or "".join(citation.itertext()).strip()
        label = f"[{words or '*'}]"
        line.add(label)
        texts = [
            block.text for body in children(node, "note-body") for block in self.blocks(body) if block.text.strip()
        ]
        blocks = [Block(f"{label} {text}" if place == 0 else text, "note") for place, text in enumerate(texts)]
        (self.endnotes if attribute(node, "note-class") == "endnote" else line.after).extend(blocks)

    def _list(self, node: etree._Element, level: int, outer: dict[int, Level], numbers: dict[int, int]) -> list[Block]:
        """Return the items of the list *node* on *level*; *outer* is the style of the list around it."""
        name = attribute(node, "style-name")
        levels = self._styles.lists.get(name, outer)
        style = levels.get(level)
        number = (style.start if style else 1) - 1
        if attribute(node, "continue-numbering") == "true" or (name and attribute(node, "continue-list")):
            number = self._last.get(f"{name}:{level}", number)
        blocks: list[Block] = []
        for item in node:
            kind = local_name(item)
            if kind not in {"list-item", "list-header"}:
                continue
            label = ""
            if kind == "list-item":
                number = _integer(attribute(item, "start-value"), number + 1)
                numbers = numbers | {level: number}
                label = label_of(levels, level, numbers)
            blocks += self._item(item, level, levels, numbers, label)
        self._last[f"{name}:{level}"] = number
        return blocks

    def _item(
        self, item: etree._Element, level: int, levels: dict[int, Level], numbers: dict[int, int], label: str
    ) -> list[Block]:
        blocks: list[Block] = []
        for child in item:
            if local_name(child) == "list":
                blocks += self._list(child, level + 1, levels, numbers)
                continue
            for block in self.blocks([child]):
                if block.kind == "paragraph" and block.text:
                    blocks.append(Block("  " * (level - 1) + f"{label} {block.text}".strip(), "item"))
                    label = ""
                elif block.kind == "heading" or block.text:
                    blocks.append(block)
        return blocks

    def _table(self, node: etree._Element) -> list[Block]:
        """Return a table by rows; of a table that arranges blocks, with tables in cells or one column, the blocks."""
        rows = [[self.blocks(cell) for cell in _cells(line)] for line in _rows(node)]
        is_layout = all(len(cells) <= 1 for cells in rows) or any(
            local_name(child) == "table" for line in _rows(node) for cell in _cells(line) for child in cell
        )
        if is_layout:
            return [block for cells in rows for cell in cells for block in cell]
        texts = [row([block for block in cell if block.kind != "note"] for cell in cells) for cells in rows]
        notes = [block for cells in rows for cell in cells for block in cell if block.kind == "note"]
        return [Block("\n".join(filter(None, texts)), "table"), *notes]


def _rows(table: etree._Element) -> Iterator[etree._Element]:
    for node in table:
        name = local_name(node)
        if name == "table-row":
            yield node
        elif name in {"table-header-rows", "table-rows", "table-row-group"}:
            yield from _rows(node)


def _cells(line: etree._Element) -> Iterator[etree._Element]:
    """Yield the cells of a row; a repeated one only if it has content, and at most 100 times."""
    for node in line:
        if local_name(node) in {"table-cell", "covered-table-cell"}:
            repeats = _integer(attribute(node, "number-columns-repeated"), 1)
            for _ in range(min(max(repeats, 1), _MAX_REPEATS)):
                yield node


def _integer(text: str, default: int) -> int:
    try:
        return int(text[:9])
    except ValueError:
        return default

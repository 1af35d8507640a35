"""Write blocks as Markdown: CommonMark with the tables of GitHub Flavored Markdown.

A character is escaped only if a Markdown parser would misread it. Words are not changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from corpusmill.pipelines.stages.extract import inline, tables
from corpusmill.pipelines.stages.extract.content import Block
from corpusmill.pipelines.stages.extract.phrasing import at_line_start, phrase

_LANGUAGE: Final = re.compile(r"[\w+#.-]{1,40}")
_BACKTICKS: Final = re.compile(r"`{3,}")
_CLOSING: Final = re.compile(r"(?:(?<=\s)|^)#+$")
_NUMBER: Final = re.compile(r"[0-9]{1,9}(?=\.)")
_MAX_COLUMNS: Final = 200
_MAX_DEPTH: Final = 12


def markdown(blocks: Sequence[Block], *, links: bool = False, images: bool = False, base: str | None = None) -> str:
    r"""Write the kept *blocks* as Markdown.

    Args:
        links: Write links as ``[text](address)``, otherwise only their text.
        images: Write images as ``![alternative text](address)``, otherwise nothing.
        base: Address of the page; relative addresses become absolute.

    >>> print(markdown([Block("heading", "Sizes", level=2), Block("item", "1. small *", level=1)]))
    ## Sizes
    <BLANKLINE>
    - 1\. small *
    """
    writer = _Writer(links=links, images=images, base=base)
    for block in blocks:
        if block.kept:
            writer.take(inline.without_permalink(block) if _has_permalink(block) else block)
    return writer.finished()


def _has_permalink(block: Block) -> bool:
    return block.text[-1:] in inline.PERMALINKS and block.kind != "pre"


def fenced(text: str, language: str = "") -> str:
    """Return *text* as a code block. The fence is longer than any fence in the text."""
    fence = "`" * (1 + max(map(len, _BACKTICKS.findall(text)), default=2))
    named = language if _LANGUAGE.fullmatch(language) else ""
    return f"{fence}{named}\n{text}\n{fence}"


def heading(text: str, level: int) -> str:
    r"""Return *text*, one line of Markdown, as a heading.

    >>> heading("C #", 2), heading("C#", 9)
    ('## C \\#', '###### C#')
    """
    text = _CLOSING.sub(r"\\\g<0>", text)
    return f"{'#' * min(max(level, 1), 6)} {text}"


def table(rows: Sequence[tables.Row]) -> str:
    """Return *rows*, with cells in Markdown, as a table. Without header cells, the table head is empty.

    >>> print(table([tables.Row(["a", "b"], True), tables.Row(["1 | 2"], False)]))
    | a | b |
    | --- | --- |
    | 1 \\| 2 |
    """
    width = min(max(len(row.cells) for row in rows), _MAX_COLUMNS)
    head = rows[0].cells if rows[0].is_header else []
    lines = [_row([*head, *[""] * (width - len(head))], width), "| " + " | ".join(["---"] * width) + " |"]
    lines += [_row(row.cells, width) for row in rows[1 if rows[0].is_header else 0 :]]
    return "\n".join(lines)


def _row(cells: Sequence[str], width: int) -> str:
    if len(cells) > width:
        cells = [*cells[: width - 1], " ".join(cells[width - 1 :])]
    return "| " + " | ".join([cell.replace("|", "\\|") for cell in cells]) + " |"


def _indented(text: str, indent: str) -> str:
    """Return *text* with *indent* before each line but the first; empty lines stay empty."""
    if not indent or "\n" not in text:
        return text
    first, *lines = text.split("\n")
    return "\n".join([first, *[indent + line if line else line for line in lines]])


class _List(NamedTuple):
    """An open list: its depth and number, the sign of its items, and the column at which their text begins."""

    level: int
    group: int
    sign: str
    outer: str
    inner: str


class _Writer:
    """The output so far, the open lists, and the cells of the current table or the parts of the current quote."""

    def __init__(self, *, links: bool, images: bool, base: str | None) -> None:
        self.links, self.images, self.base = links, images, base
        self.parts: list[str] = []
        self.lists: list[_List] = []
        self.item = -1
        self.run: list[Block] = []

    def take(self, block: Block) -> None:
        """Write a block, or hold it until the blocks that belong to it have arrived."""
        if self.run and (block.kind != self.run[0].kind or (block.kind == "cell" and block.group != self.run[0].group)):
            self.close_run()
        if block.kind in ("cell", "quote"):
            self.run.append(block)
        elif block.kind == "item":
            self.add_item(block)
        elif block.kind == "pre":
            self.add(fenced(block.text, block.marker), block.group)
        elif block.kind != "heading":
            self.add(self.paragraph(block), block.group)
        elif line := self.line(block):
            self.add(heading(line, block.level), block.group)

    def finished(self) -> str:
        """Return the complete output."""
        if self.run:
            self.close_run()
        return "".join(self.parts)

    def phrase(self, block: Block) -> str:
        return phrase(block, links=self.links, images=self.images, base=self.base)

    def paragraph(self, block: Block) -> str:
        """Return the text of *block* with its line ends."""
        return at_line_start(self.phrase(block))

    def line(self, block: Block) -> str:
        """Return the text of *block* as one line after a marker, where no block can begin."""
        return self.phrase(block).replace("\n", " ").strip()

    def add(self, text: str, group: int = -1) -> None:
        """Write a separate piece, within the previous item if it belongs to the same list."""
        if not text:
            return
        while self.lists and (group < 0 or self.lists[-1].group != group):
            self.lists.pop()
        indent = self.lists[-1].inner if self.lists else ""
        self.parts += "\n\n" if self.parts else "", indent, _indented(text, indent)

    def add_item(self, block: Block) -> None:
        """Write an item, or another paragraph of the previous item."""
        text = self.paragraph(block)
        if not text:
            return
        top = self.lists[-1] if self.lists else None
        if top is not None and top[:2] == (block.level, block.group) and self.item == block.row >= 0:
            self.add(text, block.group)
            return
        self.item = block.row
        before, prefix = self.begin_item(block)
        self.parts += before, self.lists[-1].outer, prefix, _indented(text, self.lists[-1].inner)

    def begin_item(self, block: Block) -> tuple[str, str]:
        """Open the list of an item, if it is new.

        Return the separator from the previous text, and the item's marker.
        """
        level, group = block.level, block.group
        beside = ""
        while self.lists and self.lists[-1].level >= level and self.lists[-1][:2] != (level, group):
            beside = self.lists.pop().sign
        number = _NUMBER.match(block.marker)
        if self.lists and self.lists[-1][:2] == (level, group):
            is_new, outer, sign = False, self.lists[-1].outer, self.lists[-1].sign
            self.lists.pop()
        else:
            is_new, outer = True, self.outer()
            sign = _other(beside, "." if number else "-")
        prefix = f"{sign} " if sign in "-*" else f"{number[0] if number else 1}{sign} "
        before = "\n"
        if is_new and (not self.lists or beside or prefix not in ("- ", "1. ")):
            before = "\n\n"
        self.lists.append(_List(level, group, sign, outer, outer + " " * len(prefix)))
        return (before if self.parts else ""), prefix

    def outer(self) -> str:
        """Return the column at which the items of a new list begin."""
        if not self.lists:
            return ""
        return self.lists[-1].inner if len(self.lists) <= _MAX_DEPTH else self.lists[-1].outer

    def close_run(self) -> None:
        """Write the table or quote that has ended."""
        run, self.run = self.run, []
        if run[0].kind == "quote":
            texts = [text for text in map(self.paragraph, run) if text]
            self.add("\n>\n".join(["> " + text.replace("\n", "\n> ") for text in texts]))
            return
        rows = tables.rows([cell for cell in (block._replace(text=self.line(block)) for block in run) if cell.text])
        if rows is None or len(run) == 1:
            for block in run:
                self.add(self.paragraph(block))
        elif rows:
            self.add(table(rows))


def _other(beside: str, sign: str) -> str:
    """Return the sign for a list that follows a list with the sign *beside*; the signs must differ."""
    if sign != beside:
        return sign
    return "*" if sign == "-" else ")"

"""The lines of a page: headings, lists, tables and paragraphs, as blocks of plain text."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.crawlers.readers.wikitext.extensions import LINE
from corpusmill.crawlers.readers.wikitext.inline import without_quotes
from corpusmill.crawlers.readers.wikitext.languages import Language
from corpusmill.crawlers.readers.wikitext.tables import Table

_HEADING: Final = re.compile(r"(={1,6})[ \t]*(.+?)[ \t]*\1[ \t]*$")
_ITEM: Final = re.compile(r"([*#:;]+)[ \t]*")
_TABLE: Final = re.compile(r"[:*# \t]*\{\|")
MAX_INDENT: Final = 8
INDENT: Final = "\x05"
"""Stands for the two blanks of a level of a list, because runs of blanks are removed."""
_NOTHING: Final = frozenset(" \t.,;:|*#-–—()[]{}!'\"" + LINE)


class Blocks:
    """Collects the blocks of a page.

    A heading is written once its section has text. A section of references and what is below it is left out, unless
    references are kept; in sections such as a bibliography, only the lists are.
    """

    def __init__(self, language: Language, keep: frozenset[str]) -> None:
        self._language = language
        self._keep = keep
        self._pieces: list[str] = []
        self._last = ""
        self._paragraph: list[str] = []
        self._headings: list[tuple[int, str]] = []
        self._hidden_level = 0
        self._list_level = 0
        self._numbers: dict[str, int] = {}
        self._table: Table | None = None

    def text(self) -> str:
        """Return the blocks: paragraphs with empty lines between them, items of a list on lines of their own."""
        self._end_paragraph()
        if self._table is not None:
            self._end_table()
        return "".join(self._pieces)

    def read(self, text: str) -> None:
        """Read the lines of *text*."""
        for line in text.split("\n"):
            self._line(line)

    def _line(self, line: str) -> None:
        stripped = line.strip(" \t")
        if self._table is not None and not (stripped[:1] == "=" and _HEADING.match(stripped)):
            if self._table.read(stripped):
                self._end_table()
            return
        if not stripped:
            self._end_paragraph()
            return
        first = stripped[0]
        if first in "=*#:;{|-":
            if first == "=" and (heading := _HEADING.match(stripped)) is not None:
                if self._table is not None:
                    self._end_table()
                self._heading(len(heading[1]), heading[2])
                return
            if (first in "{:*#") and "{|" in stripped and _TABLE.match(stripped):
                self._end_paragraph()
                self._table = Table(stripped)
                return
            if first in "*#:;" and (line[0] == first or "\t" not in line):
                self._item(stripped)
                return
            if stripped.startswith("----"):
                self._end_paragraph()
                stripped = stripped.lstrip("-").strip()
            elif first == "|":
                self._end_paragraph()
                stripped = "" if stripped[1:2] in {"-", "}", "+", ""} else stripped.rpartition("|")[2].strip()
            if not stripped:
                return
        if line[0] == " " and self._paragraph:
            self._paragraph.append(LINE)
        self._paragraph.append(stripped)

    def _heading(self, level: int, title: str) -> None:
        self._end_paragraph()
        title = without_quotes(title).strip("= ")
        if self._hidden_level and level <= self._hidden_level:
            self._hidden_level = 0
        if self._list_level and level <= self._list_level:
            self._list_level = 0
        while self._headings and self._headings[-1][0] >= level:
            self._headings.pop()
        name = title.rstrip(" :").lower()
        if "references" not in self._keep and not self._hidden_level:
            if name in self._language.references:
                self._hidden_level = level
            elif name in self._language.reference_lists:
                self._list_level = level
        if title:
            self._headings.append((level, title))

    def _item(self, line: str) -> None:
        match = _ITEM.match(line)
        assert match is not None, "the line begins with a mark"
        marks, text = match[1], without_quotes(line[match.end() :])
        is_list = "*" in marks or "#" in marks
        self._end_paragraph(ends_list=not is_list)
        if is_list and "lists" not in self._keep:
            return
        if is_list and self._list_level:
            return
        if not is_list:
            self._append(_definition(marks, text), kind="paragraph")
            return
        indent = INDENT * (min(len(marks), MAX_INDENT) - 1)
        if marks[-1] == "#":
            if not _has_words(text):
                return
            number = self._numbers[marks] = self._numbers.get(marks, 0) + 1
            self._append(f"{indent}{number}. {text}", kind="item")
        else:
            self._numbers = {name: number for name, number in self._numbers.items() if len(name) < len(marks)}
            mark = "" if marks[-1] in ":;" else "- "
            self._append(f"{indent}{mark}{text}", kind="item")

    def _end_paragraph(self, *, ends_list: bool = True) -> None:
        if ends_list:
            self._numbers.clear()
        if self._paragraph:
            text = " ".join(self._paragraph)
            self._paragraph.clear()
            self._append(without_quotes(text), kind="paragraph")

    def _end_table(self) -> None:
        table, self._table = self._table, None
        if table is None or "tables" not in self._keep:
            return
        for row in table.rows():
            self._append(without_quotes(row), kind="row")

    def _append(self, text: str, *, kind: str) -> None:
        if self._hidden_level or not _has_words(text):
            return
        for _, title in self._headings:
            if title:
                self._pieces.append(f"\n\n{title}")
                self._last = "heading"
        self._headings = [(level, "") for level, _ in self._headings]
        self._pieces.append(("\n" if kind == self._last != "paragraph" else "\n\n") + text)
        self._last = kind


def _definition(marks: str, text: str) -> str:
    """Return a line of a definition list; ``; term : meaning`` has both in one line."""
    if marks[-1] == ";" and " : " in text:
        term, _, meaning = text.partition(" : ")
        return f"{term}: {meaning}"
    return text


def _has_words(text: str) -> bool:
    """Return whether *text* has more than punctuation."""
    return not _NOTHING.issuperset(text)

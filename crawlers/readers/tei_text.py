"""The text of TEI: blocks of paragraphs, heads, lists, lines of verse, tables; words without notes and variants."""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from corpusmill.crawlers.readers.citation_marks import MARK, is_mark, tidied
from corpusmill.crawlers.readers.mathml import tex_of
from corpusmill.crawlers.readers.xml import local_name

_NEVER: Final = frozenset(
    "titlePage graphic media binaryObject fw del gap rdg witDetail listWit listApp index interp interpGrp certainty "
    "desc spanGrp span ptr anchor surplus teiHeader standOff facsimile".split()
)
_BLOCKS: Final = frozenset(
    "div div0 div1 div2 div3 div4 div5 div6 div7 p ab head lg l list table figure floatingText body front back group "
    "sp speaker epigraph argument opener closer salute signed dateline byline trailer postscript listBibl figDesc cit "
    "note noteGrp quote q formula docTitle abstract text listPerson listPlace superEntry entry entryFree castList "
    "castGroup castItem".split()
)
_SPACED: Final = frozenset("item row cell form gramGrp gram pos sense def orth pron usg etym role roleDesc".split())
"""Elements within a line that are words of their own, such as the parts of an entry of a dictionary."""
_INLINE_TOO: Final = frozenset(("quote", "q", "cit", "note", "formula"))
"""Elements that are blocks if they contain one, or stand in no paragraph."""
_PARAGRAPHS: Final = frozenset(
    "p ab head l speaker salute signed dateline byline trailer item cell figDesc quote q seg s".split()
)
_OPTIONAL: Final = {
    "table": "tables",
    "figDesc": "captions",
    "formula": "formulas",
    "note": "footnotes",
    "noteGrp": "footnotes",
    "listBibl": "references",
}
_READINGS: Final = {"edited": ("corr", "reg", "expan"), "original": ("sic", "orig", "abbr")}
_KINDS_OF_MARKS: Final = {"bibr": "bibr", "biblio": "bibr", "foot": "fn", "note": "fn", "noteAnchor": "fn"}
_BREAKS: Final = frozenset(("lb", "pb", "cb", "gb", "milestone"))
_JOIN: Final = "\ue0f1"
"""Stands for a line break within a word; `_LINE` for another one."""
_LINE: Final = "\ue0f2"
_BREAK: Final = re.compile(rf"([-‐¬\u00ad]?)([\s{_JOIN}{_LINE}]+)")
_POWER: Final = re.compile(r"[+−–-]?\d+(?:\.\d+)?")
_SUPERSCRIPT: Final = re.compile(r"\bsup(?:er(?:script)?)?\b", re.IGNORECASE)


class Writer:
    """Collects blocks. Elements are nested at most 256 deep, because the parser refuses more.

    Args:
        keep: The optional parts: `tables`, `captions`, `formulas`, `footnotes`, `references`.
        readings: ``edited`` (corrected, regularized, expanded) or ``original``.
    """

    def __init__(self, keep: frozenset[str], *, readings: str) -> None:
        self._keep = keep
        self._readings = _READINGS[readings]
        self._blocks: list[str] = []
        self._notes: list[str] = []
        self._lines: list[str] = []

    def text(self) -> str:
        """Return the blocks, divided by empty lines."""
        self._end_verse()
        self._add("")
        return "\n\n".join(self._blocks)

    def block(self, element: etree._Element) -> None:
        """Add the blocks of *element*: the words between its blocks are blocks, too."""
        name = local_name(element)
        if self._is_left_out(name):
            return
        match name:
            case "table":
                self._table(element)
            case "list":
                self._list(element)
            case "listBibl":
                self._references(element)
            case "formula":
                self._add(self._formula(element, marks="$$"))
            case "figure":
                self._figure(element)
            case "l":
                self._verse(element)
            case _:
                self._mixed(element)

    def inline(self, element: etree._Element) -> str:
        """Return the words of *element* in one line."""
        return _joined(self._inner(element))

    def _is_left_out(self, name: str) -> bool:
        return not name or name in _NEVER or (name in _OPTIONAL and _OPTIONAL[name] not in self._keep)

    def _add(self, words: str) -> None:
        text = _joined(words)
        if text:
            self._append(text)
        elif self._lines:
            return
        notes, self._notes = self._notes, []
        for note in notes:
            self._add(note)

    def _append(self, block: str) -> None:
        self._end_verse()
        self._blocks.append(block)

    def _end_verse(self) -> None:
        """Write the lines of a stanza as one block, and the notes on them."""
        if self._lines:
            self._blocks.append("\n".join(self._lines))
            self._lines = []
            self._add("")

    def _mixed(self, element: etree._Element) -> None:
        if local_name(element) == "lg":
            self._end_verse()
        pieces = [element.text or ""]
        for child in element:
            if _is_block(child, element):
                self._add("".join(pieces))
                pieces = []
                self.block(child)
            else:
                pieces.append(self._words(child))
            pieces.append(child.tail or "")
        self._add("".join(pieces))
        if local_name(element) == "lg":
            self._end_verse()

    def _verse(self, element: etree._Element) -> None:
        if line := self.inline(element):
            self._lines.append(line)

    def _list(self, element: etree._Element) -> None:
        lines, label = [], ""
        for child in element:
            name = local_name(child)
            if name == "label":
                label = self.inline(child)
            elif name == "item":
                words = self.inline(child)
                is_term = label.strip("().").isalpha() and len(label.strip("().")) > 1
                lines.append(f"- {label}: {words}" if is_term else f"- {words}")
                label = ""
            elif name == "head":
                self._add(self.inline(child))
        lines = [line for line in lines if line != "- "]
        if lines:
            self._append("\n".join(lines))
        self._add("")

    def _table(self, element: etree._Element) -> None:
        rows = []
        for child in element.iter():
            if local_name(child) == "head" and "captions" in self._keep:
                self._add(self.inline(child))
            elif local_name(child) == "row":
                cells = [self.inline(cell) for cell in child if local_name(cell) == "cell"]
                if any(cells):
                    rows.append(" | ".join(cells))
        if rows:
            self._append("\n".join(rows))

    def _figure(self, element: etree._Element) -> None:
        for child in element:
            name = local_name(child)
            if name in {"head", "p", "ab"} and "captions" in self._keep:
                self._add(self.inline(child))
            elif name in {"figDesc", "table", "figure", "formula", "list", "note", "floatingText"}:
                self.block(child)

    def _references(self, element: etree._Element) -> None:
        for child in element:
            notes = (note for note in child.iter() if local_name(note) == "note")
            raw = next((note for note in notes if note.get("type") == "raw_reference"), None)
            if raw is not None:
                self._add("".join(raw.itertext()))
            elif local_name(child) in {"biblStruct", "biblFull"}:
                self._add(", ".join(words for piece in child.itertext() if (words := " ".join(piece.split()))))
            elif local_name(child) == "listBibl":
                self._references(child)
            else:
                self._add(self._inner(child))

    def _formula(self, element: etree._Element, *, marks: str) -> str:
        math = next((node for node in element.iter() if local_name(node) == "math"), None)
        if math is not None:
            return f"{marks}{tex_of(math)}{marks}"
        words = (element.text or "") + "".join(
            ("" if local_name(child) in {"label", ""} else self._words(child)) + (child.tail or "") for child in element
        )
        words = " ".join(words.split())
        is_tex = (element.get("notation") or "").lower() in {"tex", "latex"}
        return f"{marks}{words.strip('$')}{marks}" if is_tex and words else words

    def _words(self, element: etree._Element) -> str:
        """Return the words of *element* as they stand in a line, without its tail."""
        name = local_name(element)
        if name in _BREAKS:
            return _JOIN if element.get("break") == "no" else _LINE
        if self._is_left_out(name):
            return ""
        match name:
            case "choice":
                return self._choice(element)
            case "app":
                readings = {local_name(child): child for child in reversed(element)}
                reading = readings.get("lem", readings.get("rdg"))
                return "" if reading is None else self._inner(reading)
            case "ref":
                words = "".join(element.itertext())
                kind = _KINDS_OF_MARKS.get(element.get("type") or "")
                return MARK if kind and is_mark(kind, words) else self._inner(element)
            case "note":
                self._notes.append(self._inner(element))
                return ""
            case "formula":
                return self._formula(element, marks="$")
            case "hi":
                return self._highlighted(element)
            case "s" | "space" | "caesura":
                return f"{self._inner(element)} "
            case "label" | "figure":
                return ""
            case _:
                inner = self._inner(element)
                return f" {inner} " if name in _BLOCKS | _SPACED - {"q", "quote"} else inner

    def _choice(self, element: etree._Element) -> str:
        children = [child for child in element if local_name(child)]
        chosen = next((child for child in children if local_name(child) in self._readings), None)
        chosen = chosen if chosen is not None else next(iter(children), None)
        return "" if chosen is None else self._inner(chosen)

    def _highlighted(self, element: etree._Element) -> str:
        inner = self._inner(element)
        if not _SUPERSCRIPT.search(element.get("rend") or element.get("rendition") or ""):
            return inner
        if not inner.strip(f" ,;–-{MARK}"):
            return MARK if MARK in inner else ""
        return f"^{inner.strip()}" if _POWER.fullmatch(inner.strip()) else inner

    def _inner(self, element: etree._Element) -> str:
        return (element.text or "") + "".join(self._words(child) + (child.tail or "") for child in element)


def _is_block(element: etree._Element, parent: etree._Element) -> bool:
    name = local_name(element)
    if name not in _BLOCKS:
        return False
    if name in _INLINE_TOO and local_name(parent) in _PARAGRAPHS:
        return name != "note" and any(local_name(child) in {"p", "lg", "l", "list", "quote", "ab"} for child in element)
    return True


def _joined(words: str) -> str:
    """Return *words* in one line, with the parts of a word joined that a line break divides.

    >>> _joined(f"impor-{_LINE}tant, Jean-{_LINE}Paul, a{_JOIN}b, one{_LINE}two")
    'important, Jean-Paul, ab, one two'
    """
    words = " ".join(words.split())
    if _JOIN in words or _LINE in words:
        words = _BREAK.sub(_between, words)
    return tidied(words)


def _between(match: re.Match[str]) -> str:
    """Return what a break leaves between the characters around it: nothing within a word."""
    hyphen, breaks = match.groups()
    if _JOIN in breaks:
        return ""
    before, after = match.string[max(match.start() - 1, 0) : match.start()], match.string[match.end() : match.end() + 1]
    if _LINE in breaks and hyphen and before.isalpha() and after.isalpha():
        return "" if after.islower() else "-"
    return f"{hyphen} "

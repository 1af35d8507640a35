"""Fragments of HTML, as forums, feeds and books contain them, as text. Whole web pages are for the stage `extract`."""

from __future__ import annotations

import re
from html import unescape
from typing import Final

from lxml import etree

_BLOCKS: Final = frozenset(
    "address article aside blockquote body center caption dd details dialog div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hr html legend li main nav ol p pre section summary table tbody td tfoot th "
    "thead tr ul".split()
)
_APART: Final = frozenset("p pre blockquote h1 h2 h3 h4 h5 h6 ul ol dl table figure hr section article".split())
"""Blocks with an empty line before and after them."""
_SKIPPED: Final = frozenset(
    "script style template head title noscript iframe object svg canvas select button textarea datalist audio video "
    "rt rp".split()
)
_IN_CELLS: Final = frozenset("table ul ol dl pre blockquote h1 h2 h3 h4 h5 h6".split())
"""A table with such an element in a cell arranges blocks and has no rows of values."""
_CELLS: Final = ("td", "th")
_SPACES: Final = re.compile(r"[ \t\r\n\f]+")
_HIDDEN: Final = re.compile(r"\bhidden\b|display\s*:\s*none", re.IGNORECASE)
_NOT_SHOWN: Final = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_NOT_IN_XML: Final = re.compile("[\0\ud800-\udfff]")
_TAG: Final = re.compile(r"<(?:!--.*?--|[^<>]*)>", re.DOTALL)


def plain_text(markup: str) -> str:
    """Return the text of *markup*: blocks on lines of their own, paragraphs divided by empty lines, code unchanged.

    Items of lists begin with ``-`` or their number, and the cells of a row are divided by `` | ``. Scripts, hidden
    elements and the readings of ruby are left out. Of markup that is nested more than 2,000 levels deep, only the tags
    are removed.

    >>> plain_text("<p>One <b>two</b><br>three</p><ol><li>a<li>b</ol><pre>x\\n  y</pre>")
    'One two\\nthree\\n\\n1. a\\n2. b\\n\\nx\\n  y'
    >>> plain_text("<table><tr><th>city<th>people<tr><td>Ulm<td>126,000</table>")
    'city | people\\nUlm | 126,000'
    """
    if "<" not in markup and "&" not in markup:
        return _SPACES.sub(" ", markup).strip()
    markup = _NOT_IN_XML.sub("", markup)
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    root = etree.fromstring(f"<html><body><div>{markup}</div></body></html>".encode(), parser)
    if any(error.type_name == "ERR_RESOURCE_LIMIT" or "depth" in error.message for error in parser.error_log):
        return _SPACES.sub(" ", unescape(_TAG.sub(" ", markup))).strip()
    can_hide = _HIDDEN.search(markup) is not None
    return _Writer(_layouts(root) if "<table" in markup.lower() else set(), can_hide=can_hide).text_of(root)


def tree_text(root: etree._Element) -> str:
    """As `plain_text`, of a tree whose names are in lower case and without a namespace, and that has no comments.

    >>> tree_text(etree.fromstring("<body><p>One</p><p>two</p></body>"))
    'One\\n\\ntwo'
    """
    return _Writer(_layouts(root), can_hide=True).text_of(root)


def _layouts(root: etree._Element) -> set[etree._Element]:
    """Return the tables that arrange blocks: a cell has a list, a table or two paragraphs."""
    layouts: set[etree._Element] = set()
    tables: list[etree._Element] = []
    paragraphs = [0]
    for event, node in etree.iterwalk(root, events=("start", "end")):
        tag = node.tag
        if event == "end":
            if tag == "table":
                tables.pop()
                paragraphs.pop()
            continue
        if tables and tag in _IN_CELLS:
            layouts.add(tables[-1])
        if tag == "table":
            tables.append(node)
            paragraphs.append(0)
        elif tag in _CELLS:
            paragraphs[-1] = 0
        elif tag == "p" and tables:
            paragraphs[-1] += 1
            if paragraphs[-1] > 1:
                layouts.add(tables[-1])
    return layouts


class _Writer:
    """Collects the words of a tree, and the breaks between them; a break counts once words follow it.

    Args:
        layouts: The tables whose cells are blocks.
        can_hide: Whether elements may be hidden.
    """

    def __init__(self, layouts: set[etree._Element], *, can_hide: bool) -> None:
        self._layouts = layouts
        self._can_hide = can_hide
        self._parts: list[str] = []
        self._breaks = 0
        self._space = False
        self._marker = ""
        self._raw = 0
        self._is_raw_start = False
        self._numbers: list[int | None] = []
        self._is_layout: list[bool] = []
        self._cells: list[str] | None = None
        self._outer: tuple[list[str], int] | None = None

    def text_of(self, root: etree._Element) -> str:
        """Return the text of *root*."""
        walk = etree.iterwalk(root, events=("start", "end"))
        for event, node in walk:
            if event == "end":
                self._close(node)
                self._words(node.tail)
            elif self._is_skipped(node):
                walk.skip_subtree()
            else:
                self._open(node)
                self._words(node.text)
        return "".join(self._parts).strip()

    def _is_skipped(self, node: etree._Element) -> bool:
        if node.tag in _SKIPPED:
            return True
        return self._can_hide and (
            node.get("hidden") is not None or _NOT_SHOWN.search(node.get("style", "")) is not None
        )

    def _open(self, node: etree._Element) -> None:
        tag = node.tag
        if tag == "br":
            self._break(min(self._breaks + 1, 2))
        elif tag == "q":
            self._words('"')
        elif tag in _CELLS and self._cells is not None:
            self._start_cell()
        elif tag in _BLOCKS:
            self._break(2 if tag in _APART and not (tag in {"ul", "ol"} and self._numbers) else 1)
            self._open_block(tag, node)

    def _open_block(self, tag: str, node: etree._Element) -> None:
        if tag in {"ul", "ol"}:
            self._numbers.append(_number(node.get("start"), 1) if tag == "ol" else None)
        elif tag == "li":
            self._marker = "  " * max(len(self._numbers) - 1, 0) + self._item(node)
        elif tag == "pre":
            self._raw += 1
            self._flush()
            self._is_raw_start = True
        elif tag == "table":
            self._is_layout.append(node in self._layouts)
        elif tag == "tr" and self._is_layout and not self._is_layout[-1]:
            self._cells = []

    def _item(self, node: etree._Element) -> str:
        if not self._numbers or self._numbers[-1] is None:
            return "- "
        number = _number(node.get("value"), self._numbers[-1])
        self._numbers[-1] = number + 1
        return f"{number}. "

    def _close(self, node: etree._Element) -> None:
        tag = node.tag
        if self._is_skipped(node):
            return
        if tag == "q":
            self._words('"')
        elif tag in _CELLS and self._cells is not None:
            self._end_cell()
        elif tag in _BLOCKS:
            self._close_block(tag)
            self._break(2 if tag in _APART and not (tag in {"ul", "ol"} and self._numbers) else 1)

    def _close_block(self, tag: str) -> None:
        if tag in {"ul", "ol"} and self._numbers:
            self._numbers.pop()
        elif tag == "li":
            self._marker = ""
        elif tag == "pre":
            self._raw -= 1
            while self._parts and not (kept := self._parts[-1].rstrip("\r\n")):
                self._parts.pop()
            if self._parts:
                self._parts[-1] = kept
        elif tag == "table" and self._is_layout:
            self._is_layout.pop()
        elif tag == "tr" and self._cells is not None:
            cells, self._cells = self._cells, None
            while cells and not cells[-1]:
                cells.pop()
            self._put(" | ".join(cells))

    def _start_cell(self) -> None:
        self._outer = (self._parts, self._breaks)
        self._parts, self._breaks, self._space = [], 0, False

    def _end_cell(self) -> None:
        if self._outer is None or self._cells is None:
            return
        self._cells.append(_SPACES.sub(" ", "".join(self._parts)).strip())
        (self._parts, self._breaks), self._outer = self._outer, None
        self._space = False

    def _break(self, count: int) -> None:
        if not self._marker:  # else the block is the first of an item, on the line of its marker
            self._breaks = max(self._breaks, count)
        self._space = False

    def _flush(self) -> None:
        """Write the break, the space and the marker before the next words."""
        if self._parts and self._breaks:
            self._parts.append("\n" * self._breaks)
        elif self._parts and self._space:
            self._parts.append(" ")
        if self._marker:
            self._parts.append(self._marker)
        self._breaks, self._space, self._marker = 0, False, ""

    def _put(self, words: str) -> None:
        if words:
            self._flush()
            self._parts.append(words)

    def _words(self, text: str | None) -> None:
        if not text:
            return
        if self._raw:
            lines = text.replace("\r\n", "\n")
            self._flush()
            self._parts.append(lines.removeprefix("\n") if self._is_raw_start else lines)
            self._is_raw_start = False
            return
        words = _SPACES.sub(" ", text)
        self._space = self._space or words.startswith(" ")
        self._put(words.strip(" "))
        self._space = words.endswith(" ") or (self._space and not words.strip(" "))


def _number(value: str | None, default: int) -> int:
    try:
        return int(value or "")
    except ValueError:
        return default

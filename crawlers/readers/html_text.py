"""Fragments of HTML, as forums, feeds and books contain them, as text. Whole web pages are for the stage `extract`."""

from __future__ import annotations

import re
from typing import Final

from lxml import etree, html

_BLOCKS: Final = frozenset(
    "address article aside blockquote body center dd details dialog div dl dt fieldset figcaption figure footer form "
    "h1 h2 h3 h4 h5 h6 header hr html legend li main nav ol p pre section summary table tbody tfoot thead tr ul".split()
)
_APART: Final = frozenset("p pre blockquote h1 h2 h3 h4 h5 h6 ul ol dl table figure hr section article".split())
"""Blocks with an empty line before and after them."""
_SKIPPED: Final = frozenset("script style template head title noscript iframe object svg canvas select button".split())
_SPACES: Final = re.compile(r"[ \t\r\n\f]+")
_LINES: Final = re.compile(r"\n{3,}")
MAX_DEPTH: Final = 400
"""Deeper elements are left out; libxml2 itself stops at 256 levels unless it is told otherwise."""


def plain_text(markup: str) -> str:
    """Return the text of *markup*: blocks on lines of their own, paragraphs divided by empty lines, code unchanged.

    >>> plain_text("<p>One <b>two</b><br>three</p><ul><li>a<li>b</ul><pre>x\\n  y</pre>")
    'One two\\nthree\\n\\n- a\\n- b\\n\\nx\\n  y'
    """
    if not markup.strip():
        return ""
    try:
        root = html.fragment_fromstring(markup.replace("\0", ""), create_parent="div")
    except etree.ParserError:
        return ""
    writer = _Writer()
    writer.element(root, depth=0)
    return writer.text()


class _Writer:
    def __init__(self) -> None:
        self._parts: list[str] = []
        self._is_raw = False

    def text(self) -> str:
        joined = "".join(self._parts)
        lines = (line.rstrip() for line in joined.split("\n"))
        return _LINES.sub("\n\n", "\n".join(lines)).strip("\n").strip()

    def element(self, node: etree._Element, *, depth: int) -> None:
        tag = node.tag if isinstance(node.tag, str) else ""
        if tag and tag not in _SKIPPED and depth <= MAX_DEPTH:
            self._open(tag)
            was_raw, self._is_raw = self._is_raw, self._is_raw or tag == "pre"
            self._words(node.text)
            for child in node:
                self.element(child, depth=depth + 1)
                self._words(child.tail)
            self._is_raw = was_raw
            self._close(tag)

    def _open(self, tag: str) -> None:
        if tag == "br":
            self._parts.append("\n")
        elif tag in _BLOCKS:
            self._break(2 if tag in _APART else 1)
            if tag == "li":
                self._parts.append("- ")
        elif tag in {"td", "th"} and self._parts and not self._parts[-1].endswith("\n"):
            self._parts.append("\t")

    def _close(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._break(2 if tag in _APART else 1)

    def _break(self, count: int) -> None:
        if not self._parts:
            return
        tail = "".join(self._parts[-2:])
        present = len(tail) - len(tail.rstrip("\n"))
        if present < count and self._parts[-1] != "- ":
            self._parts.append("\n" * (count - present))

    def _words(self, text: str | None) -> None:
        if not text:
            return
        if self._is_raw:
            self._parts.append(text)
            return
        words = _SPACES.sub(" ", text)
        if not self._parts or self._parts[-1].endswith(("\n", " ", "\t")):
            words = words.lstrip(" ")
        if words:
            self._parts.append(words)

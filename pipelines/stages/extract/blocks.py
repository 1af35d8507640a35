"""A parsed page as *boxes* (elements that hold blocks) and *blocks* (paragraphs, headings, items, cells …) in order."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_NO_TEXT: Final = frozenset(
    "head script style noscript template svg iframe object select textarea button input canvas audio video map "
    "datalist meter progress dialog title".split()
)
"""Elements whose text is not part of the page's running text."""
_BOXES: Final = frozenset(
    "html body div p section article main header footer aside nav table caption tbody thead tfoot tr td th ul ol menu "
    "li dl dt dd pre listing plaintext xmp blockquote q-a figure figcaption h1 h2 h3 h4 h5 h6 form fieldset legend "
    "address details summary center hr hgroup search frameset noframes".split()
)
_HEADINGS: Final = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_KINDS: Final = {
    **dict.fromkeys(_HEADINGS, "heading"),
    "li": "item",
    **dict.fromkeys(("td", "th"), "cell"),
    **dict.fromkeys(("pre", "listing", "plaintext", "xmp"), "pre"),
    **dict.fromkeys(("figcaption", "caption", "legend", "summary"), "caption"),
    "blockquote": "quote",
}
_TRANSPARENT: Final = frozenset(("p", "div", "section", "center", "tbody", "thead", "tfoot", "article", "figure"))
"""A block directly in one of these is of the kind of the box around it, when it is that box's first."""
_MAX_INDENT: Final = 40
_BREAK: Final = "\x1f"
"""Stands for `<br>` until a block is finished; white space, so it never survives in a text."""

GOOD: Final = re.compile(
    r"article|content|main|text|blog|story|markdown|chapter"
    r"|(?<![a-z])(?:body|doc|entry|hentry|page(?!r|-?nav|s)|post(?!ed|al))"
)
BAD: Final = re.compile(
    r"(?<![a-z])(?:nav|menu|foot|ads?(?![a-z])|advert|agegate|bread-?crumb|combx|cookie|consent|gdpr|discuss|disqus|"
    r"masthead|pager|pagination|paging|popup|modal|promo|related|remark|replies|rss|share|sharing|shoutbox|sidebar|side-?bar|"
    r"skip|social|sponsor|subscribe|newsletter|toolbar|tags?(?![a-z])|widget|login|signup|sign-up|"
    r"more-?(?:news|stories|from|on)|recommend|trending|popular|most-?read|read-?next|rating|vote|byline|dateline|outbrain|"
    r"taboola|print|legends|supplemental|yom-remote|copyright|disclaimer|meta(?![a-z])|crumb|banner|comments?(?![a-z]))"
    r"|(?:side|nav|menu|foot|comment)(?:bar|box|list|er|area|menu|links|s)(?![a-z])"
)
"""What class and id of an element suggest, in lower case; words of the web, gathered from many sites."""
_BAD_TAGS: Final = frozenset(("nav", "footer", "aside", "menu", "search"))
_BAD_ROLES: Final = frozenset(
    "menu menubar complementary navigation alert alertdialog dialog banner contentinfo search tooltip".split()
)
_MAIN_TAGS: Final = frozenset(("article", "main"))
_HIDDEN: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


@dataclass(slots=True, eq=False)
class Box:
    """An element that holds blocks.

    `hint` is what its names suggest: 1 content, -1 not content, 0 nothing; `is_bad` says so of itself or a box around
    it. `chars` and `link_chars` count the text below it, once `Tree` is finished.
    """

    tag: str
    parent: Box | None
    hint: int = 0
    is_bad: bool = False
    is_hidden: bool = False
    in_main: bool = False
    names: str = ""
    kind: str = "paragraph"
    is_fresh: bool = True
    chars: int = 0
    link_chars: int = 0
    blocks: int = 0
    score: float = 0.0
    is_candidate: bool = False


@dataclass(slots=True, eq=False)
class Block:
    """A piece of text that a browser would set apart; `text` has lines only where the page has them.

    `row` is the table row of a cell: cells of one row belong together.
    """

    kind: str
    text: str
    box: Box
    link_chars: int = 0
    level: int = 0
    row: Box | None = None

    @property
    def link_density(self) -> float:
        """Give the share of characters in links, 0 … 1."""
        return min(1.0, self.link_chars / len(self.text))


@dataclass(slots=True)
class Tree:
    """The boxes, in the order of their start tags, and the blocks, in the order of the page."""

    boxes: list[Box] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)


def tree_of(parser: LexborHTMLParser) -> Tree:
    """Give the boxes and blocks of a parsed page; linear in the nodes, without recursion."""
    walker = _Walker()
    if parser.root is not None:
        walker.walk(parser.root)
    for block in walker.tree.blocks:
        block.box.chars += len(block.text)
        block.box.link_chars += block.link_chars
        block.box.blocks += 1
    for box in reversed(walker.tree.boxes):
        if box.parent is not None:
            box.parent.chars += box.chars
            box.parent.link_chars += box.link_chars
            box.parent.blocks += box.blocks
    return walker.tree


class _Walker:
    """The state of one walk: the innermost box, the text since the last block, how deep in links and `pre` it is."""

    def __init__(self) -> None:
        self.tree = Tree()
        self.box = Box(tag="#page", parent=None)
        self.tree.boxes.append(self.box)
        self.parts: list[str] = []
        self.links = 0
        self.pre = 0
        self.link_chars = 0

    def walk(self, root: LexborNode) -> None:
        """Enter and leave every node below *root* in document order."""
        path: list[tuple[LexborNode, str]] = []
        node: LexborNode | None = root
        while True:
            while node is None:
                if not path:
                    self.flush()
                    return
                element, tag = path.pop()
                self.leave(tag)
                node = element.next
            tag = node.tag or ""
            if tag == "-text":
                self.take(node.text_content or "")
            elif tag == "br":
                self.parts.append("\n" if self.pre else _BREAK)
            elif tag[:1] not in ("-", "!", "?", "") and tag not in _NO_TEXT and self.enter(node, tag):
                path.append((node, tag))
                node = node.first_child
                continue
            node = node.next

    def take(self, text: str) -> None:
        """Add *text* to the block that is being written."""
        if not self.parts and not self.pre and text.isspace():
            return
        self.parts.append(text)
        if self.links:
            self.link_chars += len(" ".join(text.split()))

    def enter(self, node: LexborNode, tag: str) -> bool:
        """Begin an element; False when nothing below it is text of the page."""
        if tag == "a":
            self.links += 1
        elif tag in _BOXES:
            self.flush()
            box = self.new_box(node, tag)
            if box.is_hidden:
                return False
            self.box = box
            self.tree.boxes.append(box)
            if box.kind == "pre":
                self.pre += 1
        return True

    def leave(self, tag: str) -> None:
        """End an element."""
        if tag == "a":
            self.links -= 1
        elif tag in _BOXES:
            self.flush()
            if self.box.kind == "pre":
                self.pre -= 1
            assert self.box.parent is not None, "entered before"
            self.box = self.box.parent

    def new_box(self, node: LexborNode, tag: str) -> Box:
        """Give the box of an element, with what its names and its place suggest."""
        above = self.box
        box = Box(tag=tag, parent=above, is_bad=above.is_bad, in_main=above.in_main, kind=_KINDS.get(tag, "paragraph"))
        if tag in _MAIN_TAGS:
            box.in_main = True
        elif tag in _BAD_TAGS:
            box.is_bad = True
        attributes = node.attributes
        if attributes:
            self.look(box, attributes)
        return box

    def look(self, box: Box, attributes: dict[str, str | None]) -> None:
        """Set what the *attributes* say about *box*."""
        box.names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}"[:500].strip()
        if box.names:
            box.hint = hint(box.names)
            if box.hint < 0 and box.tag not in ("body", "html", "article", "main"):
                box.is_bad = True
        if "role" in attributes and attributes["role"] in _BAD_ROLES:
            box.is_bad = True
        style = attributes.get("style")
        box.is_hidden = (
            "hidden" in attributes
            or attributes.get("aria-hidden") == "true"
            or (style is not None and _HIDDEN.search(style[:500]) is not None)
        )

    def flush(self) -> None:
        """Finish the block that is being written, or the blocks, where `<br><br>` parts them."""
        if not self.parts:
            return
        text = "".join(self.parts)
        link_chars, self.link_chars, self.parts = self.link_chars, 0, []
        if self.pre:
            pieces = [text.strip("\n").rstrip()] if text.strip() else []
        elif _BREAK in text:
            pieces = _paragraphs(text)
        else:
            whole = " ".join(text.split())
            pieces = [whole] if whole else []
        share = link_chars / sum(map(len, pieces)) if link_chars and pieces else 0.0
        for piece in pieces:
            self.add(piece, round(share * len(piece)))

    def add(self, text: str, link_chars: int) -> None:
        """Add a block to the tree."""
        holder = self.box
        while holder.tag in _TRANSPARENT and holder.is_fresh and holder.parent is not None:
            holder.is_fresh = False
            holder = holder.parent
        kind = holder.kind if holder.kind in ("cell", "quote") or holder.is_fresh else "paragraph"
        if holder is self.box and holder.kind != "item":
            kind = holder.kind
        holder.is_fresh = False
        block = Block(kind=kind, text=text, box=self.box, link_chars=link_chars)
        if kind == "heading":
            block.level = int(holder.tag[1])
        elif kind == "cell":
            block.row = holder.parent
        self.tree.blocks.append(block)


@lru_cache(maxsize=16_384)
def hint(names: str) -> int:
    """Give what class and id suggest: 1 content, -1 not content, 0 neither or both."""
    names = names.lower()
    return (GOOD.search(names) is not None) - (BAD.search(names) is not None)


def _paragraphs(text: str) -> list[str]:
    """Give the paragraphs of *text*, which one or more empty lines part; their lines keep their ends."""
    pieces: list[list[str]] = [[]]
    for line in text.split(_BREAK):
        if words := " ".join(line.split()):
            pieces[-1].append(_indent(line) + words if pieces[-1] else words)
        elif pieces[-1]:
            pieces.append([])
    return ["\n".join(lines) for lines in pieces if lines]


def _indent(line: str) -> str:
    """Give the spaces that a line begins with, when the page wrote them as no-break spaces: code, mostly."""
    line = line.lstrip(" \t\r\n\f")
    if not line.startswith("\xa0"):
        return ""
    return " " * min(_MAX_INDENT, len(line) - len(line.lstrip("\xa0 ")))

"""Markdown (CommonMark with tables) as readable text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, ClassVar, Final

from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.files import Encoded
from corpusmill.crawlers.loaders.front_matter import front_matter
from corpusmill.crawlers.loaders.header_fields import described
from corpusmill.crawlers.loaders.streams import packed
from corpusmill.schemas.decoding.texts import decode_text
from corpusmill.schemas.errors import DataError

MAX_MARKUP_BYTES: Final = 8_000_000
"""A larger markup file is `error.too_large`, because its parse tree takes about fifty times its size in memory."""
_MAX_NESTING: Final = 100
_STEPS_LEFT: Final = "corpusmill.steps_left"
_MIN_STEPS: Final = 2_000_000
"""Tokens that the parser may skip in search of the ends of labels: about a second."""
_STEPS_PER_CHARACTER: Final = 2
"""Further tokens for each character. Ordinary text takes less than one."""
_TAGS: Final = tuple(
    (re.compile(opening, re.IGNORECASE), re.compile(end, re.IGNORECASE))
    for opening, end in (
        ("<!--", "-->"),
        (r"<script\b", r"</script\s*>"),
        (r"<style\b", r"</style\s*>"),
        ("<", ">"),
    )
)
"""How what is not text begins and ends, in order of precedence."""


class Markdown(Encoded):
    """Markdown files. Headings, paragraphs, lists and tables become text; code is unchanged; links keep their text.

    The front matter (YAML, TOML or JSON) gives the license and the day of publication; its other fields become
    metadata.
    """

    about: ClassVar[About] = About(
        license="`license` in the front matter, else in the recipe.",
        get="Documentation in repositories.",
        tried="The Rust book.",
    )
    suffixes: ClassVar[tuple[str, ...]] = packed(".md", ".markdown", ".mdown")
    version: ClassVar[int] = 5
    depends: ClassVar[tuple[str, ...]] = ("markdown-it-py", "PyYAML")
    max_bytes: ClassVar[int] = MAX_MARKUP_BYTES

    def offer(self, data: bytes) -> dict[str, Any]:
        """Return the text, the title (from the front matter, else the first heading) and other front matter."""
        text = decode_text(data, encoding=self.encoding).replace("\r\n", "\n")
        front, body = front_matter(text)
        tokens = parse(body)
        title = front.pop("title", None) or first_heading(tokens)
        return {"text": plain_text(tokens), "title": title, **described(front, place="front-matter", text=text)}


def parse(text: str, *, is_post: bool = False) -> list[Token]:
    """Parse the Markdown *text* into tokens.

    Args:
        is_post: Whether the dialect is that of forums: HTML is text, `~~` deletes.

    Raises:
        DataError: ``too_complex``: the inline markup would take far more than linear time, as many unclosed ``[`` do.
    """
    return _parser(is_post=is_post).parse(text, {_STEPS_LEFT: _MIN_STEPS + _STEPS_PER_CHARACTER * len(text)})


def plain_text(tokens: Sequence[Token]) -> str:
    """Return the readable text of *tokens*, with empty lines between blocks but not between items of a list.

    >>> print(plain_text(parse("# A *b*\\n\\n- [c](d)\\n- e\\n\\n    code")))
    A b
    <BLANKLINE>
    - c
    - e
    <BLANKLINE>
      code
    """
    return _Page().render(tokens)


@cache
def _parser(*, is_post: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING, "html": not is_post}).enable("table")
    if is_post:
        parser.enable("strikethrough")
    parser.inline.__class__ = _BoundedInline
    return parser


class _BoundedInline(ParserInline):
    """Refuses text for which the labels of links are scanned again and again."""

    def skipToken(self, state: StateInline) -> None:  # noqa: N802 - a name of markdown-it
        state.env[_STEPS_LEFT] -= 1
        if state.env[_STEPS_LEFT] < 0:
            raise DataError("too many brackets that are not closed", kind="too_complex")
        super().skipToken(state)


def first_heading(tokens: Sequence[Token]) -> str | None:
    """Return the text of the first heading among *tokens*; None if there is none."""
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            return " ".join(_words(inline.children or ()).split()) or None
    return None


class _Page:
    """Renders tokens as blocks of text; tracks the lists around the current token."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._lists: list[int | None] = []
        self._mark = ""
        self._cells: list[str] | None = None
        self._is_tight = False

    def render(self, tokens: Sequence[Token]) -> str:
        for token in tokens:
            self._take(token)
        return "".join(self._blocks).strip("\n")

    def _take(self, token: Token) -> None:
        match token.type:
            case "inline":
                words = _words(token.children or ())
                if self._cells is None:
                    self._add(words)
                else:
                    self._cells.append(" ".join(words.split()))
            case "fence" | "code_block":
                self._add(token.content.rstrip("\n"))
            case "html_block":
                self._add(_without_tags(token.content).strip())
            case "bullet_list_open":
                self._lists.append(None)
            case "ordered_list_open":
                self._lists.append(int(token.attrs.get("start", 1)))
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
            case "list_item_open":
                self._open_item()
            case "list_item_close":
                self._mark = ""
            case "tr_open":
                self._cells = []
            case "tr_close":
                row, self._cells = self._cells or [], None
                self._add(" | ".join(row), is_item=True)

    def _open_item(self) -> None:
        number = self._lists[-1]
        if number is None:
            self._mark = "- "
        else:
            self._mark = f"{number}. "
            self._lists[-1] = number + 1

    def _add(self, text: str, *, is_item: bool = False) -> None:
        if not text:
            return
        is_item = is_item or bool(self._mark)
        indent = "  " * (len(self._lists) - 1 if self._mark else len(self._lists))
        first, *rest = text.split("\n")
        hanging = indent + " " * len(self._mark)
        lines = [indent + self._mark + first, *(hanging + line if line else "" for line in rest)]
        self._blocks.append(("\n" if is_item and self._is_tight else "\n\n") + "\n".join(lines))
        self._mark, self._is_tight = "", is_item


def _words(children: Sequence[Token]) -> str:
    return "".join(_pieces(children))


def _pieces(children: Sequence[Token]) -> Iterator[str]:
    for child in children:
        match child.type:
            case "text" | "code_inline" | "text_special":
                yield child.content
            case "softbreak" | "hardbreak":
                yield "\n"
            case "image":
                yield _words(child.children or ())


def _without_tags(markup: str) -> str:
    """Return *markup* without tags, comments, scripts and styles, in linear time.

    >>> _without_tags("a<!-- <b> -->b<script>c</script >d<i>e <!-- f> <script>g &amp; < h")
    'abde  g & < h'
    """
    return html.unescape("".join(_between_tags(markup)))


def _between_tags(markup: str) -> Iterator[str]:
    """Yield the pieces of *markup* between its tags.

    An end that does not follow one `<` follows no later one either, so each kind of end is searched in vain only once.
    """
    missing: set[re.Pattern[str]] = set()
    position = 0
    while (start := markup.find("<", position)) >= 0:
        yield markup[position:start]
        for opening, end in _TAGS:
            if end in missing or (begin := opening.match(markup, start)) is None:
                continue
            if (close := end.search(markup, begin.end())) is not None:
                position = close.end()
                break
            missing.add(end)
        else:
            position = start
            break
    yield markup[position:]

"""What the reader gives for a page: its blocks in order, each with its place, its score and the marks inside it.

Named tuples, because a page has hundreds of them: one is made in 0.2 µs from what the reader gives, a frozen data class
in 1.6 µs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

BlockKind: TypeAlias = Literal["paragraph", "heading", "item", "cell", "pre", "quote", "caption"]
SpanKind: TypeAlias = Literal["link", "code", "strong", "emphasis", "image", "sub", "sup", "formula"]


class Span(NamedTuple):
    """A marked stretch of a block: characters `start` to `end` of its text; a picture is a place between two of them.

    Args:
        kind: What it is.
        start: First character, from 0.
        end: The character after the last; `start` for a picture.
        target: `href` of a link and `src` of a picture as the page has them; empty otherwise.
        alt: The text that stands for a picture.
    """

    kind: SpanKind
    start: int
    end: int
    target: str = ""
    alt: str = ""


class Block(NamedTuple):
    """A piece of a page that a browser would set apart.

    Args:
        kind: What it is.
        text: White space is collapsed; a line end stands where the page has `<br>`, and after each line of a `pre`.
        level: Of a heading: 1 to 6; of an item: the depth of its list, from 1; otherwise 0.
        score: How sure the model is that the block belongs to the main content, 0 to 1.
        kept: Whether it is part of the text.
        path: The elements around it (``body > div#content.post > p``), where it was asked for.
        group: Number of the innermost list or table around it, which the blocks of one list or table share; or -1.
        row: Of a cell: number of its row in the table; of an item: number of its `<li>`, which two blocks of one item
            share; otherwise -1.
        column: Of a cell: how many cells stand before it in its row; otherwise -1.
        marker: Of an item: ``-`` or its number (``3.``); of a header cell: ``th``; of a pre: the language of the code.
        spans: Marked stretches, where they were asked for.
        is_comment: Whether it stands where readers of the page write.
    """

    kind: BlockKind
    text: str
    level: int = 0
    score: float = 1.0
    kept: bool = True
    path: str = ""
    group: int = -1
    row: int = -1
    column: int = -1
    marker: str = ""
    spans: tuple[Span, ...] = ()
    is_comment: bool = False


def blocks_of(rows: Iterable[tuple[Any, ...]]) -> list[Block]:
    """Give the blocks that the *rows* of the reader describe.

    >>> blocks_of([("heading", "Sizes", 2, 0.9, True, "", -1, -1, -1, "", (("link", 0, 5, "/s", ""),), False)])[0].spans
    (Span(kind='link', start=0, end=5, target='/s', alt=''),)
    """
    blocks = [Block._make(row) for row in rows]
    return [block._replace(spans=tuple(map(Span._make, block.spans))) if block.spans else block for block in blocks]


def with_comments(blocks: Iterable[Block]) -> list[Block]:
    """Give *blocks*, what readers wrote kept too; a link that stands alone ("Reply") is none of it.

    >>> reply = Block("paragraph", "Reply", kept=False, spans=(Span("link", 0, 5, "/r"),), is_comment=True)
    >>> [block.kept for block in with_comments([reply, Block("paragraph", "Well said.", kept=False, is_comment=True)])]
    [False, True]
    """
    return [block._replace(kept=block.kept or (block.is_comment and not _is_link(block))) for block in blocks]


def _is_link(block: Block) -> bool:
    return any(mark.kind == "link" and mark.end - mark.start == len(block.text) for mark in block.spans)


def without(blocks: Iterable[Block], *, tables: bool = False, code: bool = False) -> list[Block]:
    """Give *blocks*, those of *tables* and of *code* no longer kept.

    A caption goes with its table. Code is what the page sets as preformatted text; code within a sentence stays.

    >>> [block.kept for block in without([Block("pre", "x = 1"), Block("paragraph", "One.")], code=True)]
    [False, True]
    """
    every: Sequence[Block] = list(blocks)
    groups = {block.group for block in every if block.kind == "cell"} - {-1} if tables else frozenset()
    return [
        block._replace(kept=False)
        if (tables and (block.kind == "cell" or block.group in groups)) or (code and block.kind == "pre")
        else block
        for block in every
    ]

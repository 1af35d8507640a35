"""The blocks of a page in order, each with its position, its score and its inline marks.

Blocks are named tuples, because a page has hundreds of them: building one from the reader's output takes 0.2 µs, a
frozen data class 1.6 µs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

BlockKind: TypeAlias = Literal["paragraph", "heading", "item", "cell", "pre", "quote", "caption"]
SpanKind: TypeAlias = Literal["link", "code", "strong", "emphasis", "image", "sub", "sup", "formula"]


class Span(NamedTuple):
    """A marked range of a block: characters `start` to `end` of its text. An image has an empty range.

    Args:
        kind: Kind of mark.
        start: First character, from 0.
        end: Character after the last; equal to `start` for an image.
        target: `href` of a link or `src` of an image, as written on the page; empty otherwise.
        alt: Alternative text of an image.
    """

    kind: SpanKind
    start: int
    end: int
    target: str = ""
    alt: str = ""


class Block(NamedTuple):
    """A piece of a page that a browser would display separately.

    Args:
        kind: Kind of block.
        text: The text with white space collapsed. It has line ends for `<br>` and after each line of a `pre`.
        level: Heading: 1 to 6. Item: depth of its list, from 1. Otherwise 0.
        score: Probability, from the model, that the block belongs to the main content, 0 to 1.
        kept: Whether it is part of the text.
        path: The elements around it (``body > div#content.post > p``), if requested.
        group: Number of the innermost list or table, shared by the blocks of that list or table; or -1.
        row: Cell: number of its row in the table. Item: number of its `<li>`, shared by the blocks of an item.
            Otherwise -1.
        column: Cell: number of cells before it in its row. Otherwise -1.
        marker: Item: ``-`` or its number (``3.``). Header cell: ``th``. `pre`: the language of the code.
        spans: Marked ranges, if requested.
        is_comment: Whether it is in a section written by readers of the page.
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
    """Return the blocks described by the *rows* of the reader.

    >>> blocks_of([("heading", "Sizes", 2, 0.9, True, "", -1, -1, -1, "", (("link", 0, 5, "/s", ""),), False)])[0].spans
    (Span(kind='link', start=0, end=5, target='/s', alt=''),)
    """
    blocks = [Block._make(row) for row in rows]
    return [block._replace(spans=tuple(map(Span._make, block.spans))) if block.spans else block for block in blocks]


def with_comments(blocks: Iterable[Block]) -> list[Block]:
    """Return *blocks* with the comments of readers kept too, except for blocks that are only a link ("Reply").

    >>> reply = Block("paragraph", "Reply", kept=False, spans=(Span("link", 0, 5, "/r"),), is_comment=True)
    >>> [block.kept for block in with_comments([reply, Block("paragraph", "Well said.", kept=False, is_comment=True)])]
    [False, True]
    """
    return [block._replace(kept=block.kept or (block.is_comment and not _is_link(block))) for block in blocks]


def _is_link(block: Block) -> bool:
    return any(mark.kind == "link" and mark.end - mark.start == len(block.text) for mark in block.spans)


def without(blocks: Iterable[Block], *, tables: bool = False, code: bool = False) -> list[Block]:
    """Return *blocks* with *tables* or *code* no longer kept.

    A caption is dropped with its table. Code means preformatted blocks; code within a sentence is kept.

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

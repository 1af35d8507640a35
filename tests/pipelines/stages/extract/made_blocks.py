"""Blocks as the reader gives them, made by Hypothesis: with numbers of lists and tables that fit together."""

from __future__ import annotations

from itertools import count

from hypothesis import strategies as st

from corpusmill.pipelines.stages.extract.content import Block, Span

MARKS = "ab1 .#*_`[]()<>!&;~|\\-+=:/\"'{}$^é漢, "
lines = st.text(alphabet=MARKS, min_size=1, max_size=30).map(lambda text: " ".join(text.split())).filter(bool)
texts = st.one_of(lines, st.lists(lines, min_size=2, max_size=3).map("\n".join))
words = st.text(alphabet="abc é漢", min_size=1, max_size=20).map(lambda text: " ".join(text.split())).filter(bool)
code = st.text(alphabet=MARKS + "\n\t", min_size=1, max_size=40).filter(lambda text: bool(text.strip()))
KINDS = ("strong", "emphasis", "code", "link", "sub", "sup", "image")


@st.composite
def spans(draw: st.DrawFn, text: str, kinds: tuple[str, ...] = KINDS) -> tuple[Span, ...]:
    """Return stretches of *text*, some in others, some across others' ends."""
    places = st.integers(0, len(text))
    made = []
    for _ in range(draw(st.integers(0, 4))):
        start, end = sorted((draw(places), draw(places)))
        kind = draw(st.sampled_from(kinds))
        target = draw(st.sampled_from(["/a", "https://example.org/?a=1&amp;b=(2)", "#x", "x y\\z"]))
        if kind == "image":
            made.append(Span(kind, start, start, target, draw(lines)))
        else:
            made.append(Span(kind, start, end, target if kind == "link" else ""))
    return tuple(sorted(made, key=lambda span: (span.start, -span.end)))


@st.composite
def pages(draw: st.DrawFn, text: st.SearchStrategy[str] = texts) -> list[Block]:
    """Return the blocks of a page: paragraphs, headings, code, quotes, lists within lists, tables."""
    blocks: list[Block] = []
    groups, rows = count(1), count(1)
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["paragraph", "heading", "pre", "quote", "caption", "list", "table"]))
        if kind == "list":
            _list(draw, blocks, text, level=1, groups=groups, rows=rows)
        elif kind == "table":
            _table(draw, blocks, next(groups))
        elif kind == "pre":
            blocks.append(Block("pre", draw(code), marker=draw(st.sampled_from(["", "python", "c++", "`x y"]))))
        else:
            blocks.append(Block(kind, draw(text), level=draw(st.integers(1, 6)) if kind == "heading" else 0))
    return blocks


def _list(
    draw: st.DrawFn,
    blocks: list[Block],
    text: st.SearchStrategy[str],
    *,
    level: int,
    groups: count[int],
    rows: count[int],
) -> None:
    group, first = next(groups), draw(st.sampled_from([None, 1, 3, 9]))
    for place in range(draw(st.integers(1, 3))):
        row = next(rows)
        marker = "-" if first is None else f"{first + place}."
        paragraphs = [draw(text) for _ in range(draw(st.integers(1, 2)))]
        blocks += [Block("item", each, level=level, group=group, row=row, marker=marker) for each in paragraphs]
        if draw(st.booleans()):
            blocks.append(Block("pre", draw(code), group=group))
        if level < 3 and draw(st.booleans()):
            _list(draw, blocks, text, level=level + 1, groups=groups, rows=rows)


def _table(draw: st.DrawFn, blocks: list[Block], group: int) -> None:
    has_head = draw(st.booleans())
    width = draw(st.integers(2, 3))
    for row in range(draw(st.integers(1, 3))):
        for column in range(width):
            if draw(st.integers(0, 3)):
                marker = "th" if has_head and row == 0 else ""
                blocks.append(Block("cell", draw(texts), group=group, row=row, column=column, marker=marker))

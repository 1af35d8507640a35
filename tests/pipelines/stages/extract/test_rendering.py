"""Plain text: the words of the page, in order and separated as a reader needs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.extract.content import Block, Span, without
from corpusmill.pipelines.stages.extract.rendering import plain_text
from tests.pipelines.stages.extract import made_blocks


def item(text: str, *, level: int = 1, group: int = 1, row: int = -1, marker: str = "-") -> Block:
    return Block("item", text, level=level, group=group, row=row, marker=marker)


def cells(*rows: str, group: int = 1) -> list[Block]:
    """Return the cells of a table, without empty ones."""
    return [
        Block("cell", text, group=group, row=row, column=column)
        for row, line in enumerate(rows)
        for column, text in enumerate(line.split(";"))
        if text
    ]


def test_blocks_are_laid_out_as_plain_text() -> None:
    """Paragraphs, headings, quotes and captions are separated; `pre` keeps its lines and spaces."""
    blocks = [
        Block("heading", "Head", level=2),
        Block("paragraph", "one\ntwo"),
        Block("pre", "  x = 1\n\n    y  "),
        Block("quote", "said"),
        Block("paragraph", "not kept", kept=False),
        Block("caption", "Figure 1"),
    ]

    assert plain_text(blocks) == "Head\n\none\ntwo\n\n  x = 1\n\n    y  \n\nsaid\n\nFigure 1"


def test_items_stand_one_under_the_other_and_inner_lists_are_indented() -> None:
    """Numbers are those of the page; a second paragraph of an item is aligned with its text."""
    blocks = [
        item("one", row=1, marker="1."),
        item("deep\nline", level=2, group=2, row=2),
        item("more", level=2, group=2, row=2),
        item("two", row=3, marker="2."),
        item("other list", group=3, row=4),
    ]

    assert plain_text(blocks) == "1. one\n  - deep\n    line\n    more\n2. two\n\n- other list"


def test_a_list_whose_outer_items_were_not_kept_begins_at_the_margin() -> None:
    """Indentation must be relative to the kept items."""
    assert plain_text([item("a", level=4, group=2, row=1), item("b", level=4, group=2, row=2)]) == "- a\n- b"


def test_rows_of_a_table_are_lines() -> None:
    """Empty cells keep their place, so that columns are unambiguous; adjacent tables stay separate."""
    blocks = [*cells(";Mon;Tue", "9:00;a;", "10:00;;b"), *cells("x;y", group=2)]

    assert plain_text(blocks) == "| Mon | Tue\n9:00 | a\n10:00 |  | b\n\nx | y"


def test_a_table_that_lays_out_the_page_gives_paragraphs() -> None:
    """Old pages and forums put columns of prose into cells."""
    prose = "A sentence of a column. " * 40

    assert plain_text(cells(f"{prose.strip()};menu")) == f"{prose.strip()}\n\nmenu"


def test_two_paragraphs_of_one_cell_stay_in_their_row() -> None:
    """A row is a line."""
    blocks = [Block("cell", text, group=1, row=0, column=column) for text, column in (("a", 0), ("b\nc", 0), ("d", 1))]

    assert plain_text(blocks) == "a b c | d"


def test_links_and_pictures_are_written_on_request() -> None:
    """Relative addresses become absolute; targets that cannot be opened are not written."""
    block = Block(
        "paragraph",
        "See the map or print 🖨 it.",
        spans=(
            Span("image", 4, 4, "/m.png", "A map"),
            Span("link", 4, 11, "map?a=(1)"),
            Span("link", 15, 20, "javascript:print()"),
            Span("image", 21, 21, "/p.png", "🖨"),
            Span("strong", 4, 7),
        ),
    )

    assert plain_text([block]) == block.text
    assert plain_text([block], links=True, base="https://example.org/a/b") == (
        "See [the map](https://example.org/a/map?a=%281%29) or print 🖨 it."
    )
    assert plain_text([block], images=True) == "See [A map] the map or print 🖨🖨 it."


def test_permalinks_of_headings_are_no_text() -> None:
    """Generated documentation adds a permalink sign to each heading; in code the same sign is code."""
    spans = (Span("link", 5, 6, "page.html#sizes"),)
    blocks = [Block("heading", "Sizes¶", spans=spans), Block("pre", "¶"), Block("paragraph", "¶", spans=spans)]

    assert plain_text(blocks) == "Sizes\n\n¶"
    assert plain_text(blocks, links=True) == "Sizes\n\n¶"


def test_tables_and_code_can_be_left_out() -> None:
    """The caption is dropped with its table, and the blocks remain, marked as not kept."""
    blocks = [*cells("a;b"), Block("caption", "Table 1", group=1), Block("pre", "x"), Block("paragraph", "p")]

    assert [block.kept for block in without(blocks, tables=True)] == [False, False, False, True, True]
    assert plain_text(without(blocks, code=True)) == "a | b\n\nTable 1\n\np"
    assert without(blocks) == blocks


@given(blocks=made_blocks.pages())
@settings(max_examples=200)
def test_no_word_is_lost_added_or_moved(blocks: list[Block]) -> None:
    """Only markers are added: a dash, a bar. Item numbers are tested separately."""
    shown = plain_text([block._replace(marker="-") for block in blocks])

    assert re.findall(r"\w+", shown) == [word for block in blocks for word in re.findall(r"\w+", block.text)]


@given(blocks=made_blocks.pages(made_blocks.words), kept=st.data())
def test_what_is_not_kept_leaves_no_trace(blocks: list[Block], kept: st.DataObject) -> None:
    """Neither words nor empty lines may remain."""
    chosen = [block._replace(kept=kept.draw(st.booleans())) for block in blocks]

    assert plain_text(chosen) == plain_text([block for block in chosen if block.kept])


@pytest.mark.parametrize("count", [5_000, 10_000])
def test_nested_lists_stay_in_proportion(count: int) -> None:
    """Ten thousand nested lists would otherwise need 50 million spaces."""
    deep = [item("x", level=level, group=level, row=level) for level in range(count)]

    assert len(plain_text(deep)) < 40 * count

"""Markdown must say the same as the page when it is parsed."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from corpusmill.pipelines.stages.extract.content import Block, Span
from corpusmill.pipelines.stages.extract.markdown import markdown
from tests.pipelines.stages.extract import made_blocks

READER = MarkdownIt("commonmark").enable("table")


@pytest.mark.parametrize(
    ("text", "written"), [("$*x*_1$", "$*x*_1$"), ("*x*", r"\*x\*"), ("$", "$"), ("$a$b*c*$", r"$a$b\*c\*$")]
)
def test_only_tex_between_dollar_signs_stays_as_it_is(text: str, written: str) -> None:
    """Words of a `math` element that is not a formula must not become marks."""
    assert markdown([Block("paragraph", text, spans=(Span("formula", 0, len(text)),))]) == written


@pytest.mark.parametrize(
    ("text", "spans", "written"),
    [
        (":*\n**", (), ":\\*\\\n\\*\\*"),
        ("111 1", (Span("emphasis", 0, 3), Span("strong", 0, 1)), "*111* 1"),
        ("1\n1", (Span("strong", 1, 3), Span("image", 1, 1, "/a", "x")), "1 ![x](/a)\\\n**1**"),
    ],
)
def test_cases_from_random_tests_stay_fixed(text: str, spans: tuple[Span, ...], written: str) -> None:
    """Stars at the start of a line; three in a row; an image before marked words."""
    assert markdown([Block("paragraph", text, spans=spans)], images=True) == written


@pytest.mark.parametrize(
    "formula",
    [
        "$x$ <img src=x onerror=alert(1)> $y$",
        "$a <img src=x onerror=alert(1)> b$",
        "$![i](http://evil.example/x.png)$",
        "$a`b$",
    ],
)
def test_tex_cannot_become_a_tag_or_a_picture(formula: str) -> None:
    """Hostile pages can contain any TeX."""
    written = markdown([Block("paragraph", f"See {formula} here.", spans=(Span("formula", 4, 4 + len(formula)),))])

    inline = next(token for token in READER.parse(written) if token.type == "inline")
    assert {child.type for child in inline.children or ()} == {"text"}


class Piece(NamedTuple):
    """A parsed piece of Markdown: its kind, its containers, its words."""

    kind: str
    place: str
    text: str


def read_back(text: str) -> list[Piece]:
    """Return the pieces of the Markdown *text*."""
    pieces: list[Piece] = []
    open_: list[str] = []
    for token in READER.parse(text):
        if token.nesting == 1:
            open_.append(_name(token))
        elif token.nesting == -1:
            open_.pop()
        elif token.type == "inline":
            if words := " ".join(_words(token).split()):
                pieces.append(Piece(_kind(open_), "".join(name[0] for name in open_ if name in ("ul", "ol")), words))
        elif token.type in ("fence", "code_block"):
            place = "".join(name[0] for name in open_ if name in ("ul", "ol"))
            pieces.append(Piece("pre", place, token.content.removesuffix("\n")))
        else:
            pieces.append(Piece(token.type, "", token.content))
    return pieces


def _name(token: Token) -> str:
    return token.tag


def _kind(open_: list[str]) -> str:
    for tag, kind in (("li", "item"), ("blockquote", "quote"), ("th", "th"), ("td", "td")):
        if tag in open_:
            return kind
    return open_[-1]


def _words(token: Token) -> str:
    words = []
    for child in token.children or []:
        if child.type == "image":
            words.append(_words(child))
        elif child.type in ("softbreak", "hardbreak"):
            words.append(" ")
        elif child.type != "html_inline":
            words.append(child.content)
    return "".join(words)


def expected(blocks: list[Block]) -> list[Piece]:
    """Return the pieces that Markdown for *blocks* should have."""
    pieces: list[Piece] = []
    for index, block in enumerate(blocks):
        text = " ".join(block.text.split())
        if block.kind == "pre":
            pieces.append(Piece("pre", _place(blocks, index), block.text))
        elif block.kind == "heading":
            pieces.append(Piece(f"h{block.level}", "", text))
        elif block.kind == "item":
            pieces.append(Piece("item", _place(blocks, index), text))
        elif block.kind == "quote":
            pieces.append(Piece("quote", "", text))
        elif block.kind == "cell":
            row = [
                other for other in blocks if (other.kind, other.group, other.row) == ("cell", block.group, block.row)
            ]
            first = min(other.row for other in blocks if other.group == block.group)
            alone = sum(other.group == block.group for other in blocks) == 1
            is_head = block.row == first and all(other.marker == "th" for other in row)
            pieces.append(Piece("p" if alone else "th" if is_head else "td", "", text))
        else:
            pieces.append(Piece("p", "", text))
    return pieces


def _place(blocks: list[Block], index: int) -> str:
    """Return the kinds of the lists around a block, outermost first: ``u`` or ``o``."""
    group = blocks[index].group
    if group < 0:
        return ""
    level = next(block.level for block in blocks if block.kind == "item" and block.group == group)
    kinds: dict[int, str] = {}
    for block in blocks[: index + 1]:
        if block.kind == "item" and block.level <= level:
            kinds[block.level] = "u" if block.marker == "-" else "o"
    return "".join(kinds[depth] for depth in sorted(kinds))


@given(blocks=made_blocks.pages())
@settings(max_examples=200)
def test_what_is_read_back_is_what_the_page_had(blocks: list[Block]) -> None:
    """Kinds, words and code must be equal to the last space, whatever characters the text contains."""
    assert read_back(markdown(blocks)) == expected(blocks)


@given(data=st.data(), text=made_blocks.texts)
@settings(max_examples=200)
def test_marks_change_no_word(data: st.DataObject, text: str) -> None:
    """Links, code and emphasis may overlap and be next to characters that look like marks."""
    kinds = ("strong", "emphasis", "code", "link", "sub", "sup")
    block = Block("paragraph", text, spans=data.draw(made_blocks.spans(text, kinds)))

    read = read_back(markdown([block], links=True, base="https://example.org/docs/"))

    assert "".join(piece.text for piece in read).replace(" ", "") == "".join(text.split())
    assert len(read) == 1


@given(data=st.data(), text=made_blocks.texts, alt=made_blocks.lines)
@settings(max_examples=200)
def test_pictures_stand_where_they_stood(data: st.DataObject, text: str, alt: str) -> None:
    """Images may be between words or mark-like characters, inside a link or beside one."""
    place = data.draw(st.integers(0, len(text)))
    spans = data.draw(made_blocks.spans(text, ("strong", "emphasis", "link")))
    block = Block("paragraph", text, spans=(*spans, Span("image", place, place, "/p.png", alt)))

    written = markdown([block], links=True, images=True)

    shown = "".join(piece.text for piece in read_back(written))
    assert shown.replace(" ", "") == "".join((text[:place] + alt + text[place:]).split())


@given(data=st.data(), text=made_blocks.words)
@settings(max_examples=200)
def test_marks_are_read_as_marks(data: st.DataObject, text: str) -> None:
    """Marks around whole words must be parsed as the same marks on the same words."""
    words = text.split(" ")
    chosen = data.draw(st.integers(0, len(words) - 1))
    start = sum(len(word) + 1 for word in words[:chosen])
    kind, tag = data.draw(st.sampled_from([("strong", "strong"), ("emphasis", "em"), ("code", "code"), ("link", "a")]))
    block = Block("item", text, level=1, spans=(Span(kind, start, start + len(words[chosen]), "/x"),))

    html = READER.render(markdown([block], links=True))

    opening = f'<{tag} href="/x">' if tag == "a" else f"<{tag}>"
    assert f"{opening}{words[chosen]}</{tag}>" in html


def test_a_page_in_markdown() -> None:
    """Shows the forms, which the laws above do not check for readability."""
    blocks = [
        Block("heading", "Sizes", level=2),
        Block(
            "paragraph",
            "Call fit(x) as the manual says, twice.",
            spans=(Span("code", 5, 11), Span("link", 15, 25, "../manual"), Span("strong", 32, 37)),
        ),
        Block("item", "small", level=1, group=1, row=1, marker="1."),
        Block("item", "very small", level=2, group=2, row=2, marker="-"),
        Block("item", "large", level=1, group=1, row=3, marker="2."),
        Block("item", "not kept", level=1, group=1, row=4, marker="3.", kept=False),
        Block("pre", "fit(1)\n", marker="python"),
        Block("cell", "size", group=3, row=0, column=0, marker="th"),
        Block("cell", "a|b", group=3, row=0, column=1, marker="th"),
        Block("cell", "10", group=3, row=1, column=1),
        Block("quote", "first\nsecond"),
        Block("quote", "third"),
    ]

    assert markdown(blocks, links=True, base="https://example.org/docs/a") == (
        "## Sizes\n\nCall `fit(x)` as [the manual](https://example.org/manual) says, **twice**.\n\n"
        "1. small\n   - very small\n2. large\n\n```python\nfit(1)\n\n```\n\n"
        "| size | a\\|b |\n| --- | --- |\n|  | 10 |\n\n> first\\\n> second\n>\n> third"
    )


def test_without_links_their_words_stay() -> None:
    """Addresses are noise for a language model."""
    block = Block(
        "paragraph", "See the map.", spans=(Span("link", 4, 11, "/map"), Span("image", 4, 4, "/m.png", "Map"))
    )

    assert markdown([block]) == "See the map."
    assert markdown([block], links=True, images=True) == "See [![Map](/m.png) the map](/map)."


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", " JavaScript:x", "#top", "", "data:text/html,x", "x" * 5_000]
)
def test_links_that_lead_nowhere_are_words(target: str) -> None:
    """Targets that a reader cannot open, or that run code on a click, must not become addresses."""
    assert markdown([Block("paragraph", "a b", spans=(Span("link", 0, 1, target),))], links=True) == "a b"


def test_permalinks_of_headings_are_no_text() -> None:
    """Permalink signs link to their own heading."""
    block = Block("heading", "Sizes ¶", level=2, spans=(Span("link", 6, 7, "page.html#sizes"),))

    assert markdown([block, Block("pre", "¶")], links=True) == "## Sizes\n\n```\n¶\n```"


def test_lists_side_by_side_stay_two() -> None:
    """CommonMark would join them, so the second list needs another sign."""
    blocks = [Block("item", text, level=1, group=group, row=group) for group, text in enumerate(("a", "b", "c"))]

    assert markdown(blocks) == "- a\n\n* b\n\n- c"


def test_hostile_blocks_are_written_in_linear_time() -> None:
    """For a deep list, a wide table and a text of signs, the output must be linear in the page."""
    deep = [Block("item", "x", level=level, group=level, row=level) for level in range(1, 5_000)]
    wide = [Block("cell", "x", group=1, row=0, column=column) for column in range(20_000)]
    spans = tuple(Span("strong", place, 100_000) for place in range(2_000))

    assert len(markdown(deep)) < 400_000
    assert len(markdown(wide)) < 400_000
    assert len(markdown([Block("paragraph", "*_`[" * 25_000, spans=spans)])) < 400_000

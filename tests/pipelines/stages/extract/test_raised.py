"""Exponents and indices in plain text: numbers keep their value, notes and ordinals stay as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.stages.extract import extract, extract_page
from corpusmill.pipelines.stages.extract.content import Block, Span
from corpusmill.pipelines.stages.extract.options import Options
from corpusmill.pipelines.stages.extract.rendering import plain_text


def text_of(markup: str) -> str:
    return extract(f"<p>{markup}</p>".encode())


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("3×10<sup>6</sup> euros", "3×10⁶ euros"),
        ("3×10<span style='vertical-align: super'>6</span> euros", "3×10⁶ euros"),
        ("H<span style=vertical-align:sub>2</span>O", "H₂O"),
        ("about 2<sup>10</sup>", "about 2¹⁰"),
        ("10<sup>−3</sup> m and 10<sup>-12</sup> s", "10⁻³ m and 10⁻¹² s"),
        ("5 km<sup>2</sup>, 3 m s<sup>-1</sup>", "5 km², 3 m s⁻¹"),
        ("x<sup>n+1</sup> = e<sup>x</sup>", "xⁿ⁺¹ = eˣ"),
        ("E = mc<sup>2</sup>", "E = mc²"),
        ("<sup>14</sup>C dates", "¹⁴C dates"),
        ("it costs $19<sup>99</sup>", "it costs $19⁹⁹"),
        ("1<sup>1</sup>/<sub>2</sub> cups", "1¹/₂ cups"),
        ("a<sup>b,c</sup>", "a^(b,c)"),
        ("10<sup>Q</sup>", "10^Q"),
        ("x<sup>y<sup>2</sup></sup>", "x^(y²)"),
        ("H<sub>2</sub>O", "H₂O"),
        ("C<sub>6</sub>H<sub>12</sub>O<sub>6</sub>", "C₆H₁₂O₆"),
        ("SO<sub>4</sub><sup>2−</sup>, Na<sup>+</sup>", "SO₄²⁻, Na⁺"),
        ("log<sub>2</sub> n, x<sub>i</sub>", "log₂ n, xᵢ"),
        ("V<sub>GS</sub>", "V_GS"),
        ("2 <sup>1</sup>/<sub>2</sub> cups, <sup>3</sup>⁄<sub>4</sub> cup", "2 ¹/₂ cups, ³⁄₄ cup"),
        ("<a href=/e>E = mc<sup>2</sup></a>", "E = mc²"),
    ],
)
def test_a_number_keeps_its_value(markup: str, expected: str) -> None:
    """3×10⁶ and 3×106 are different numbers, and HTML reserves `sup` for cases where it changes the meaning."""
    assert text_of(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("growth<sup><a href=#fn1>1</a></sup> slowed", "growth1 slowed"),
        ("growth<a href=#fn1><sup>1</sup></a> slowed", "growth1 slowed"),
        ("growth<sup>[1]</sup> slowed", "growth[1] slowed"),
        ("in 1204<sup><a href=#fn1>1</a></sup> by monks", "in 1204[1] by monks"),
        ("in 1204.<a href=#fn2><sup>2</sup></a> Then", "in 1204.[2] Then"),
        ("for $5.<sup>99</sup> each", "for $5.99 each"),
        ("growth<sup>[<a href=#fn1>1</a>]</sup>", "growth[1]"),
        ("It slowed.<sup>3</sup> Then", "It slowed.3 Then"),
        ("the economy<sup>3</sup> slowed", "the economy3 slowed"),
        ("price<sup>*</sup>", "price*"),
        ("<sup>1</sup> See there", "1 See there"),
        ("the 21<sup>st</sup> and 2<sup>nd</sup>", "the 21st and 2nd"),
        ("N<sup>o</sup> 5 et n<sup>o</sup> 6", "No 5 et no 6"),
        ("M<sup>lle</sup>, 1<sup>er</sup>, XX<sup>e</sup>, 1<sup>o</sup>", "Mlle, 1er, XXe, 1o"),
        ("Foo<sup>TM</sup> Bar<sup>®</sup>", "FooTM Bar®"),
        ("<sub>Photo by the agency</sub>", "Photo by the agency"),
    ],
)
def test_notes_ordinals_and_small_print_stay_as_they_are(markup: str, expected: str) -> None:
    """They are small only for display."""
    assert text_of(markup) == expected


def test_links_and_pictures_stand_beside_exponents() -> None:
    """Both change the same text, each at its own position."""
    page = extract_page(
        b"<p>see <a href=/e>10<sup>6</sup> eggs</a> and 10<sup>x,y</sup> more</p>",
        "https://example.org/",
        options=Options(keep=("links", "tables")),
    )

    assert page.text == "see [10⁶ eggs](https://example.org/e) and 10^(x,y) more"
    assert "10<sup>6</sup>" in page.markdown()


@given(
    text=st.text(alphabet="a1 .×(]\n²", max_size=12),
    spans=st.lists(
        st.tuples(st.sampled_from(["sup", "sub", "link", "image"]), st.integers(0, 12), st.integers(0, 12)), max_size=5
    ),
)
def test_what_is_not_raised_is_left_as_it_is(text: str, spans: list[tuple[str, int, int]]) -> None:
    """Without `sup` and `sub`, no spans may change the text."""
    marks = [Span(kind, min(a, b, len(text)), min(max(a, b), len(text))) for kind, a, b in spans]  # type: ignore[arg-type]

    plain_text([Block("paragraph", text, spans=tuple(marks))], links=True, images=True)
    untouched = plain_text([Block("pre", text, spans=tuple(m for m in marks if m.kind == "link"))])

    assert untouched == text

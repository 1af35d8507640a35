r"""Formulas are written as TeX, once, in whatever form a page has them."""

from __future__ import annotations

import html
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.extract import _reader
from corpusmill.pipelines.stages.extract.formulas import MAX_SIGNS, has_formulas, with_formulas

KATEX = (
    '<span class="katex"><span class="katex-mathml"><math><semantics><mrow><msup><mi>x</mi><mn>2</mn></msup></mrow>'
    '<annotation encoding="application/x-tex">x^2</annotation></semantics></math></span>'
    '<span class="katex-html" aria-hidden="true"><span class="base"><span>x</span><span>2</span></span></span></span>'
)
MEDIAWIKI = (
    '<span class="mwe-math-element"><span class="mwe-math-mathml-inline" style="display: none;">'
    r'<math alttext="{\displaystyle E=mc^{2}}"><semantics><mrow><mi>E</mi></mrow>'
    r'<annotation encoding="application/x-tex">{\displaystyle E=mc^{2}}</annotation></semantics></math></span>'
    r'<img class="mwe-math-fallback-image-inline" alt="{\displaystyle E=mc^{2}}" src="x.svg"></span>'
)
MATHJAX_2 = (
    '<span class="MathJax_Preview">q</span>'
    '<span class="MathJax" data-mathml="&lt;math&gt;&lt;mi&gt;q&lt;/mi&gt;&lt;/math&gt;">'
    '<nobr>q</nobr><span class="MJX_Assistive_MathML"><math><mi>q</mi></math></span></span>'
)
MATHJAX_3 = (
    '<mjx-container class="MathJax" display="true"><mjx-math>drawn</mjx-math><mjx-assistive-mml>'
    '<math display="block"><mfrac><mn>1</mn><mi>π</mi></mfrac></math></mjx-assistive-mml></mjx-container>'
)


def written(tex: str) -> str:
    """Return the markup of a formula: an element that separates it from the surrounding text."""
    return f"<math>{tex}</math>" if tex else ""


PAGES = {
    "KaTeX": (KATEX, "$x^2$"),
    "KaTeX, displayed": (f'<span class="katex-display">{KATEX}</span>', "$$x^2$$"),
    "KaTeX without MathML": ('<span class="katex"><span class="katex-html">x2</span></span>', None),
    "MediaWiki": (MEDIAWIKI, "$E=mc^{2}$"),
    "MathJax 2, drawn": (MATHJAX_2, "$q$"),
    "MathJax 2, with its script": (MATHJAX_2 + r'<script type="math/tex">\vec q</script>', r"$\vec q$"),
    "MathJax 2, script only": (r'<script type="math/tex; mode=display">a<b</script>', "$$a&lt;b$$"),
    "MathJax 2, preview and script": (
        '<span class="MathJax_Preview">[a]</span><script type="math/tex">a</script>',
        "$a$",
    ),
    "MathML in a script": ('<script type="math/mml"><math><mi>x</mi><mo>&gt;</mo></math></script>', "$x&gt;$"),
    "MathJax 3": (MATHJAX_3, r"$$\frac{1}{\pi}$$"),
    "picture": (r'<img class="latex" alt="\sqrt{2}" src="https://s0.wp.com/latex.php?x">', r"$\sqrt{2}$"),
    "picture, by its source": (r'<img alt="$a_1$" src="https://latex.codecogs.com/svg?x">', "$a_1$"),
    "picture of something else": ('<img class="math" alt="A page of a book of mathematics">', None),
    "TeX in alttext": (r'<math alttext="\alpha"><mi>?</mi></math>', r"$\alpha$"),
    "words in alttext": ('<math alttext="the number n"><mi>n</mi></math>', "$n$"),
    "a namespace": ("<m:math><m:msub><m:mi>x</m:mi><m:mn>1</m:mn></m:msub></m:math>", "$x_{1}$"),
    "no elements": (r"<math>\frac12</math>", r"$\frac12$"),
    "nothing": ("<math></math>", ""),
    "a script about math": ("<script>var a = '<math><mi>x</mi></math>'</script>", None),
    "a comment": ("<!-- <math><mi>x</mi></math> -->", None),
}


@pytest.mark.parametrize("name", PAGES)
def test_each_way_to_write_a_formula_gives_it_once(name: str) -> None:
    """A repeated formula, or the letters of its rendering, would be nonsense in training text."""
    markup, expected = PAGES[name]

    assert with_formulas(f"<p>so {markup} holds") == f"<p>so {markup if expected is None else written(expected)} holds"
    assert has_formulas(markup.encode()) or expected is None


@pytest.mark.parametrize(
    ("mathml", "expected"),
    [
        ("<mi>sin</mi><mo>&ApplyFunction;</mo><mi>x</mi>", r"\sin x"),
        ("<msup><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></msup>", "{a+b}^{2}"),
        ("<msup><msup><mi>a</mi><mn>2</mn></msup><mn>3</mn></msup>", "{a^{2}}^{3}"),
        ("<msup><mi>f</mi><mo>′</mo></msup>", "f'"),
        ("<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>", "x_{i}^{2}"),
        ("<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover>", r"\sum_{i=1}^{n}"),
        ("<munder><mi>lim</mi><mrow><mi>x</mi><mo>→</mo><mn>0</mn></mrow></munder>", r"\lim_{x\to0}"),
        ("<mover><mi>v</mi><mo>→</mo></mover>", r"\vec{v}"),
        ("<mover><mo>=</mo><mtext>def</mtext></mover>", r"\overset{\text{def}}{=}"),
        ("<msqrt><mi>a</mi><mi>b</mi></msqrt><mroot><mi>x</mi><mn>3</mn></mroot>", r"\sqrt{ab}\sqrt[3]{x}"),
        ('<mfrac linethickness="0"><mi>n</mi><mi>k</mi></mfrac>', r"{n \atop k}"),
        ('<mfenced open="[" separators=";"><mi>a</mi><mi>β</mi></mfenced>', r"[a;\beta)"),
        ("<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr><mtr><mtd><mn>3</mn></mtd></mtr></mtable>",
         r"\begin{matrix} 1 &amp; 2 \\ 3 \end{matrix}"),
        ("<mmultiscripts><mi>C</mi><none/><none/><mprescripts/><mn>6</mn><mn>14</mn></mmultiscripts>", "{}_{6}^{14}C"),
        ('<mi mathvariant="bold">v</mi><mi>ℝ</mi><mi>𝑥</mi><mi>kg</mi>', r"\mathbf{v}\mathbb{R}x\mathrm{kg}"),
        ('<mtext>if <b>x_1</b></mtext><mspace width="1em"/><mo>{</mo><mn>5</mn>', r"\text{if x\_1}\quad \{5"),
        ("<mstyle><mpadded><unknown><mi>y</mi></unknown></mpadded></mstyle><mphantom><mi>z</mi></mphantom>", "y"),
        ("<semantics><mi>x</mi><annotation encoding='Mathematica'>X[]</annotation></semantics>", "x"),
    ],
)  # fmt: skip
def test_presentation_mathml_becomes_tex(mathml: str, expected: str) -> None:
    """Common elements must become what a TeX author would write."""
    assert with_formulas(f"<math>{mathml}</math>") == written(f"${expected}$")


def test_a_formula_that_never_ends_ends_where_a_browser_ends_it() -> None:
    """The rest of the page is not part of it."""
    assert with_formulas("<p><math><mi>a</mi><p>text <i>x</i>") == f"<p>{written('$a$')}<p>text <i>x</i>"
    assert with_formulas("<math><mi>a</mi><mrow>") == written("$a$")


def test_a_page_without_formulas_stays_as_it_is() -> None:
    """The page must be equal byte for byte."""
    markup = "<p title='a>b'>1 < 2 &amp; <!-- x --> <script>1<2</script><br/></P>"

    assert with_formulas(markup) == markup
    assert not has_formulas(markup.encode())
    assert with_formulas("<math><mi>x</mi></math>" + "<" * MAX_SIGNS).startswith("<math>")


@given(
    before=st.text(alphabet="matexlh <", max_size=150),
    word=st.sampled_from(["math", "latex", "mat", "late", ""]),
    after=st.text(alphabet="matexlh <", max_size=150),
)
def test_the_quick_look_sees_what_a_search_sees(before: str, word: str, after: str) -> None:
    """This must hold at every position, across the steps of the scan, and at the end."""
    markup = (before + word + after).encode()

    assert _reader.speaks_of_formulas(markup) == (b"math" in markup or b"latex" in markup)


HOSTILE = {
    "open": "<math>",
    "open rows": "<math><mrow>",
    "deep": "<msup><mi>a",
    "wrappers": "<span class=katex>",
    "renderings": "<span class=MathJax></span>",
    "scripts": "<script type=math/tex>x</script>",
    "quotes": "<img class=tex alt='",
    "unfinished": "<a x=",
    "comments": "<!--",
    "breaking out": "<math></p>",
    "attributes": "<span class='MathJax' data-mathml='<math><mi>x</mi></math>'></span>",
    "braces": r"<math><annotation encoding=tex>{\displaystyle ",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_markup_takes_time_in_proportion(name: str) -> None:
    """Doubling the page must double the time; the tolerance only detects quadratic growth."""
    took = []
    for count in (5_000, 20_000):
        start = time.process_time()
        with_formulas("<math>" + HOSTILE[name] * count)
        took.append(time.process_time() - start)

    assert took[1] < 8 * took[0] + 0.2


def test_deep_formulas_stay_in_proportion() -> None:
    """Ten thousand nested powers are not a formula, and the output for them must be short."""
    assert len(with_formulas("<math>" + "<msup><mi>a</mi>" * 10_000 + "</math>")) < 15_000


@pytest.mark.parametrize(
    "markup",
    [
        f'<math><mspace width="{"1" * 200_000}"/></math>',
        "<msup>" * 97 + f"<mo>{'⟷' * 100_000}</mo>" + "<mi>x</mi></msup>" * 97,
        f"<math><mi>&#{'9' * 100_000};</mi></math>",
        f"<math alttext='&#{'9' * 100_000};'></math>",
    ],
)
def test_one_part_of_a_formula_can_be_as_long_as_it_likes(markup: str) -> None:
    """A width of a hundred thousand digits, a sign that becomes twenty letters, a reference beyond all characters."""
    start = time.process_time()

    assert len(with_formulas(f"<math>{markup}</math>")) < 1_000_000
    assert time.process_time() - start < 2


TAGS = (
    "<math> </math> <mi>x</mi> <mo> </mo> <mfrac> </mfrac> <mrow> </mrow> <msup> <mtable> <mtr> <mmultiscripts> "
    "<mprescripts/> <semantics> </semantics> <annotation/encoding=tex> </annotation> <p> </p> <span/class=katex> "
    "<span/class=MathJax> </span> <mjx-container> </mjx-container> <script/type=math/tex> </script> "
    "<img/class=tex/alt='a^2'> text &lt; { \\ $ < <!-- --> \x00 ∑"
).split()
parts = st.sampled_from(TAGS)


@given(pieces=st.lists(parts, max_size=40))
@settings(max_examples=300)
def test_any_soup_of_tags_gives_markup(pieces: list[str]) -> None:
    """Conversion must never fail, and every tag of MathML must come from the page."""
    markup = "".join(pieces)

    given = with_formulas(markup)

    assert given.count("<math") <= markup.count("<math") + markup.count("<script") + markup.count("<img")
    assert len(given) <= 20 * len(markup) + 100


@given(text=st.text(alphabet="<>&;abc\"'/= $\\{}^_%~#", max_size=30))
def test_what_stands_in_a_formula_cannot_become_a_tag(text: str) -> None:
    """Text of a formula must remain text when the page is parsed next."""
    formula = with_formulas(f"<math><mtext>{html.escape(text)}</mtext></math>")

    assert "<" not in formula.removeprefix("<math>").removesuffix("</math>")
    assert ">" not in formula.removeprefix("<math>").removesuffix("</math>")


@pytest.mark.parametrize(
    "markup",
    [
        "<div class=katex>ARTICLE<math><mi>x</mi></math></div>",
        "<span class=katex>ARTICLE<math><mi>x</mi></math></span>",
        "<math><annotation-xml>ARTICLE",
    ],
)
def test_a_formula_never_swallows_an_article(markup: str) -> None:
    """Class names are arbitrary, and end tags may be missing."""
    article = "<h2>Tides</h2>" + "<p>The harbour reopened on Tuesday, after the storm.</p>" * 200

    assert with_formulas(markup.replace("ARTICLE", article)).count("harbour") == 200

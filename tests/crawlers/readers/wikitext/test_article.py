"""The structure of pages: links, notes, lists, tables, sections, raw text; and hostile markup."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.crawlers.readers.wikitext.article import article
from tests.crawlers.readers.wikitext.pages import page_of, text_of


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("'''Orte''' is a ''town''.", "Orte is a town."),
        ("L'''Amour'' by '''Ann''''s", "L'Amour by Ann's"),
        (
            "[[Rome]], [[Rome|the city]], [[dog]]s, [[:Category:Towns]], [[#History]]",
            "Rome, the city, dogs, Category:Towns, History",
        ),
        ("a [https://a.example word] b [https://a.example] c", "a word b c"),
        ('One<ref name="a">See {{cite|x}}.</ref> two<ref name=a/>.', "One two."),
        ("One <!-- hidden --> two.", "One two."),
        ('One <span style="display:none">01</span>two<div style="display: none">x</div>.', "One two."),
        ('<span style="color:red">One</span> two.', "One two."),
        ("One<ref>A <ref>b</ref> c</ref> two.", "One two."),
        ("One<ref name=a> two.<ref>b</ref> Three.\n\nFour.", "One two. Three.\n\nFour."),
        ("One<ref>{{cite|x}} two.\n\nThree<ref>b</ref>.", "One two.\n\nThree."),
        ("One<ref>[http://a.example x] two.", "One two."),
        ("<nowiki>[[a]] {{b}}</nowiki>", "[[a]] {{b}}"),
        ("Let <math>x^2 \\over\n 2</math> be.", "Let $x^2 \\over 2$ be."),
        ("10<sup>6</sup> H<sub>2</sub>O 4<sup>th</sup>", "10⁶ H₂O 4th"),
        ("2<sup>k+1</sup>, ''x''<sub>''i''−1</sub>, e<sup>-x</sup>", "2^(k+1), x_(i−1), e^(-x)"),
        ("XX<sup>e</sup> 2<sup>''k''</sup> M<sup>me</sup> <sup>14</sup>C", "XXe 2ᵏ Mme ¹⁴C"),
        ("a<br/>b", "a\nb"),
        ("one\ntwo\n\nthree", "one two\n\nthree"),
        ("Orte ({{IPA}}; ) is ( , old) ({{citation needed}}) .", "Orte is (old)."),
        ("a&nbsp;b &lt;ref&gt; &amp;amp;", "a b <ref> &amp;"),
        ("* a\n** b\n# c\n# d\n: e\n; f : g", "- a\n  - b\n1. c\n2. d\n\ne\n\nf: g"),
        ('{| class="x"\n|-\n! a !! b\n|}\nText.', "Text."),
        ("[[File:a.jpg|thumb|200px|A [[cat]].]]Text.", "Text."),
        ("== A ==\n== B ==\nText.\n=== C ===\n== References ==\n* x\n=== D ===\ny\n== E ==\nz", "B\n\nText.\n\nE\n\nz"),
        ("== Bibliography ==\n* A book.\nWords.", "Bibliography\n\nWords."),
        ('__NOTOC__\n----\n<div style="x">a</div><references/>', "a"),
        ("<syntaxhighlight lang=c>\nint a[] = {{1}};\n  b();\n</syntaxhighlight>", "int a[] = {{1}};\n  b();"),
        ("<gallery>\nFile:a.jpg|One.\n</gallery>b", "b"),
        ("a {{unclosed\n| x = 1\n| y\nText {{nowrap|ok}} [[x", "a \nText ok x".replace(" \n", " ")),
    ],
)
def test_markup_becomes_the_text_that_readers_see(wikitext: str, text: str) -> None:
    """Each kind of markup, as the documentation of MediaWiki describes it."""
    assert text_of(wikitext) == text


@pytest.mark.parametrize(
    ("part", "wikitext", "text"),
    [
        ("tables", '{|\n|+ Title\n|-\n! a !! b\n|-\n| style="x" | 1 || 2\n|}', "Title\na | b\n1 | 2"),
        ("tables", "{|\n| a\n{|\n| b\n|}\n|}", "a\nb"),
        ("tables", "{|\n| a\n{| class=navbox\n| b\n{|\n| c\n|}\n|}\n|-\n| d<br>e\n|}", "a\nd e"),
        ("references", "a<references>\n<ref name=b>Notes.</ref>\n</references>", "a\n\nNotes."),
        ("tables", "<table><tr><td>a | b</td><th>c</th></tr></table>", "a | b | c"),
        ("captions", "[[File:a.jpg|thumb|A cat.]]", "A cat."),
        ("captions", "<gallery>\nFile:a.jpg|One.\n</gallery>", "One."),
        ("infoboxes", "{{Infobox town|name=Orte|pop={{formatnum:8900}}|image=a.jpg}}", "name: Orte\n\npop: 8,900"),
        (
            "references",
            "a<ref>{{cite book|last=Doe|title=On|year=2001}}</ref>\n== References ==\n<references/>",
            "a\n\nDoe. On. 2001.",
        ),
        ("lists", "* a", "- a"),
    ],
)
def test_optional_parts_are_kept_by_choice(part: str, wikitext: str, text: str) -> None:
    """They are text in some corpora and noise in others."""
    kept = text_of(wikitext, keep=(part,))

    assert kept.replace("References\n\n", "") == text
    assert text_of(wikitext, keep=()) != kept


@pytest.mark.parametrize("keep", [("lists",), ("lists", "tables")])
@pytest.mark.parametrize(
    "box",
    [
        '<div class="navbox noprint">In <div>a</div> box</div>',
        "<table class=navbox><tr><td>In</td></tr></table>",
        '{| class="wikitable navbox"\n| In\n|}',
    ],
)
def test_boxes_in_html_are_left_out(box: str, keep: tuple[str, ...]) -> None:
    """Old pages write them without a template."""
    assert text_of(f"One.\n\n{box}\n\nTwo.", keep=keep) == "One.\n\nTwo."


def test_a_table_in_html_is_a_table() -> None:
    """Both forms of tables are left out, or kept by rows; one without an end hides nothing."""
    wikitext = "One.\n<table><tr><th>a</th><td class=x>b</td></tr><tr><td>c</td></tr></table>\nTwo."

    assert text_of(wikitext) == "One.\n\nTwo."
    assert text_of(wikitext, keep=("tables",)) == "One.\n\na | b\nc\n\nTwo."
    assert "Two." in text_of(wikitext.replace("</table>", ""))


def test_categories_and_links_are_metadata() -> None:
    """Links between languages and categories are no text."""
    page = page_of()

    text = article("[[a b|x]] [[Category:Towns|Orte]] [[de:Orte]] [[uk:Орте]] [[Kategorie:y]]", page)

    assert text.split() == ["x", "Kategorie:y"]
    assert (list(page.categories), list(page.links)) == (["Towns"], ["a b", "Kategorie:y"])


N = 20_000
HOSTILE = {
    "braces": "{{" * N,
    "links": "[[" * N,
    "both": "{{[[" * N,
    "one brace": "{" * N,
    "nested": "{{nowrap|" * N + "x" + "}}" * N,
    "nested links": "[[a|" * N + "x" + "]]" * N,
    "tables": "\n{|" * N,
    "nested tables": "{|\n|\n" * N + "\n|}" * N,
    "ref": "<ref>" * N,
    "open ref": "<ref" * N,
    "comment": "<!--" * N,
    "quotes": "'''''a" * N,
    "headings": "\n== a ==" * N,
    "item": "*" * N,
    "parentheses": "( ; " * N,
    "blanks": " " * N + "x",
    "commas": ", " * N,
    "address": "[http://" + "a" * N,
    "addresses": "[http://a " * N,
    "tags": "<span " * N,
    "arguments": "{{nowrap|" + "a=b|" * N + "}}",
    "closed": "}}]]" * N,
    "expression": "{{#expr:" + "(" * N + "}}",
    "digits": "{{convert|" + "9" * N + "|mi|km}}{{val|" + "9" * N + "}}{{roman|" + "9" * N + "}}",
    "range": "{{convert|" + "1|to|" * N + "|mi}}",
    "unclosed": "{{Infobox\n| a = b\n" * N,
}


@pytest.mark.parametrize("markup", HOSTILE.values(), ids=HOSTILE)
def test_hostile_markup_takes_linear_time(markup: str) -> None:
    """A page that never closes its brackets must not stall a run; one at a time, they take up to 0.1 s."""
    start = time.process_time()

    text_of(markup, keep=("lists", "tables", "references", "captions", "infoboxes"))

    assert time.process_time() - start < 3


PIECES = [
    "{{",
    "}}",
    "[[",
    "]]",
    "|",
    "=",
    "a",
    "\n",
    "{|",
    "|}",
    "|-",
    "''",
    "<ref>",
    "</ref>",
    "*",
    "== x ==",
    "{{{",
    "\0",
]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_markup_is_an_answer(markup: str) -> None:
    """Broken pages are pages."""
    text = text_of(markup.replace("\0", ""), keep=("lists", "tables"))

    assert "\0" not in text
    assert "{{" not in text.replace("{{{", "") or "|" not in text

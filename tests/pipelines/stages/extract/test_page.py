"""The text and layout of a page. Metadata is tested separately."""

from __future__ import annotations

import pydoc
import textwrap
from datetime import UTC, datetime

import pytest

import corpusmill
from corpusmill.pipelines.stages.extract import Options, extract, extract_page
from corpusmill.pipelines.stages.extract.options import Favor, Selectors
from corpusmill.schemas.errors import DataError

STORY = (
    "The harbour reopened on Tuesday after a storm that closed it for nine days. Pilots said the channel had been "
    "surveyed twice, and that the first grain ships would sail before the weekend."
)


def page(body: str, head: str = "") -> bytes:
    return f"<!DOCTYPE html><html lang=en><head><title>Harbour</title>{head}</head><body>{body}</body></html>".encode()


def test_an_article_comes_out_without_what_surrounds_it() -> None:
    """Navigation, related links and footers repeat on every page of a site."""
    links = "".join(f"<li><a href=/{n}>Section number {n}</a></li>" for n in range(20))
    html = page(
        f"<header><nav><ul>{links}</ul></nav></header><main><article><h1>Harbour reopens</h1>"
        + "".join(f"<p>{n}. {STORY}</p>" for n in range(4))
        + "</article></main><aside class=related><h3>Related</h3><ul>"
        + "".join(f"<li><a href=/r{n}>Another story</a></li>" for n in range(9))
        + "</ul></aside><footer><p>Copyright 2024. All rights reserved.</p></footer>"
    )

    text = extract(html)

    assert all(f"{n}. {STORY}" in text for n in range(4))
    assert not any(word in text for word in ("Section", "Another", "Copyright"))


def test_blocks_are_laid_out_as_plain_text() -> None:
    """Paragraphs are separated, items have a dash, rows a line, `pre` its own lines, and `<br>` is a line end."""
    html = page(
        f"<article><h2>Head   line</h2><p>{STORY}</p><ul><li>one, a</li><li><p>two</p></li></ul>"
        "<pre>  x = 1\n    y</pre><table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>"
        f"<p>line<br>next&nbsp;line<br><br>apart</p><blockquote>{STORY}</blockquote></article>"
    )

    text = extract_page(html, options=Options(select=("article",))).text

    assert text == "\n\n".join(
        ["Head line", STORY, "- one, a\n- two", "  x = 1\n    y", "a | b\nc | d", "line\nnext line", "apart", STORY]
    )


@pytest.mark.parametrize("favor", ["precision", "balanced", "recall"])
def test_a_table_and_a_list_are_kept_whole_or_not_at_all(favor: Favor) -> None:
    """Half a table can be misleading: a size without its name, a name without its size."""
    cells = "".join(
        f"<tr><th>{name}<td>{size}" for name, size in [("Weight", "3.2 kg"), ("Colour", "–"), ("a", "8 mm")]
    )
    html = page(
        f"<div class=product><h2>Anchor</h2><p>{STORY}</p><table>{cells}</table><ul><li>Free returns<li>It holds well "
        f"in sand and between stones, on at least four metres of chain.<li>…<pre>fold</pre></ul><p>{STORY}</p></div>"
    )

    blocks = extract_page(html, options=Options(favor=favor)).blocks

    for kinds, count in ((("cell",), 6), (("item", "pre"), 4)):
        together = [(block.kept, block.score) for block in blocks if block.kind in kinds]
        assert len(together) == count
        assert len(set(together)) == 1


def test_cells_stand_in_the_columns_that_a_browser_gives_them() -> None:
    """A value under the wrong heading is a false statement."""
    table = (
        "<table><tr><th colspan=2>Place<th>People<tr><td rowspan=2>Norway<td>Oslo<td>700,000<tr><td>Bergen<td>290,000"
        "<tr><td>Malta<td rowspan=0>Valletta<td>6,000</table>"
    )
    html = page(f"<article><p>{STORY}</p>{table}</article>")

    written = extract_page(html, options=Options(select=("article",))).markdown()

    assert written.splitlines()[2:] == [
        "| Place |  | People |",
        "| --- | --- | --- |",
        "| Norway | Oslo | 700,000 |",
        "|  | Bergen | 290,000 |",
        "| Malta | Valletta | 6,000 |",
    ]


def test_items_have_the_numbers_that_the_page_gives_them() -> None:
    """Texts refer to steps by number."""
    html = page("<article><ol start=3><li>three<li>four<li value=9>nine<li>ten</ol></article>")

    assert extract_page(html, options=Options(select=("article",))).text == "3. three\n4. four\n9. nine\n10. ten"


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("<base href='https://base.example/sub/'>", "https://base.example/sub/x"),
        ("<base href='../up/'><base href=/second/>", "https://ex.example/up/x"),
        ("<base target=_top>", "https://ex.example/a/x"),
        ("<base href='http://[bad'>", "https://ex.example/a/x"),
    ],
)
def test_relative_addresses_start_where_the_page_says(base: str, expected: str) -> None:
    """`<base>` changes all relative addresses."""
    html = page("<article><p>See <a href=x>there</a>.</p></article>", base)
    options = Options(select=("article",), keep=("links",))

    extracted = extract_page(html, "https://ex.example/a/b", options=options)

    assert extracted.text == extracted.markdown() == f"See [there]({expected})."


def test_the_licence_of_a_picture_is_not_that_of_the_page() -> None:
    """Publishing a text under the license of its photograph would be wrong."""
    by = "<a rel=license href=https://creativecommons.org/licenses/by/2.0/>CC BY</a>"
    figure = page(f"<article><p>{STORY}</p><figure><img src=a><figcaption>Photo: {by}</figcaption></figure></article>")

    assert extract_page(figure).metadata.license is None
    assert extract_page(page(f"<p>{STORY}</p><footer>{by}</footer>")).metadata.as_text()["license"] == (
        "CC-BY-2.0",
        "rel-license",
    )


def test_formulas_of_a_page_are_tex_in_every_form() -> None:
    """Markdown parsers read TeX verbatim, so a backslash before each `_` would change the formula."""
    formula = "<math><msub><mi>h</mi><mi>t</mi></msub><mo>&lt;</mo><msub><mi>h</mi><mi>k</mi></msub></math>"
    html = page(f"<article><p>The level {formula} of file_1* and file_2* falls.</p></article>")

    extracted = extract_page(html, options=Options(select=("article",)))

    assert extracted.text == "The level $h_{t}<h_{k}$ of file_1* and file_2* falls."
    assert extracted.markdown() == r"The level $h_{t}\lt h_{k}$ of file_1\* and file_2\* falls."
    assert ("formula", 10, 23) in [span[:3] for span in extracted.blocks[0].spans]


def test_the_prose_of_a_page_of_pydoc_comes_out_nearly_whole() -> None:
    """The site of the demo has layout tables, `<dl>`, `<code>`, `&nbsp;` and no main container."""
    html = pydoc.HTMLDoc()

    text = extract(html.page("textwrap", html.document(textwrap, "textwrap")).encode())

    assert "\xa0" not in text
    prose = [" ".join(line.split()) for line in (textwrap.TextWrapper.__doc__ or "").splitlines() if line.strip()]
    assert sum(line in text for line in prose) >= 0.9 * len(prose)


def test_scripts_comments_and_hidden_words_are_not_text() -> None:
    """Invisible text is not prose."""
    html = page(
        f"<p>{STORY}</p><script>var hidden = 1;</script><style>p {{}}</style><p>{STORY} <span hidden>hidden</span>"
        "<b class=icon aria-hidden=true>hidden</b><i style='display: none'>hidden</i></p><!-- hidden -->"
        "<template>hidden</template>"
    )

    assert extract(html) == f"{STORY}\n\n{STORY}"


def test_favor_recall_keeps_at_least_what_precision_keeps() -> None:
    """They are the two ends of one scale."""
    html = page(
        f"<div class=content>{'<p>' + STORY + '</p>'}</div><div class=other><p>{STORY[:90]}</p></div>"
        "<ul><li><a href=/>A link</a> and a few words</li></ul>"
    )

    lengths = [
        len(extract_page(html, options=Options(favor=favor)).text) for favor in ("precision", "balanced", "recall")
    ]

    assert lengths == sorted(lengths)
    assert lengths[0] > 0


def test_selectors_of_a_site_come_before_everything() -> None:
    """A user who knows the site must be able to overrule the model."""
    html = page(f"<div id=a><p>{STORY}</p></div><div id=b><p>short <b class=ad>ad</b></p><nav>kept too</nav></div>")
    options = Options(
        drop=(".ad",), sites={"example.org": Selectors(select=("#b",)), "www.example.org": Selectors(drop=("nav",))}
    )

    assert extract_page(html, "https://docs.example.org/x", options=options).text == "short\n\nkept too"
    assert extract_page(html, "https://www.example.org/x", options=options).text.startswith(STORY)
    assert extract_page(html, "https://other.org/", options=options).text.startswith(STORY)
    assert extract_page(html, "http://[bad", options=options).text.startswith(STORY)


def test_a_page_on_which_nothing_is_selected_is_read_as_usual() -> None:
    """Some pages of a site differ from its template; dropping them would be a silent loss."""
    assert extract_page(page(f"<p>{STORY}</p>"), options=Options(select=("#content",))).text == STORY


def test_nested_matches_are_taken_once() -> None:
    """`div` matches nested elements too, and the text must not be repeated."""
    html = page("<div>outer <div>inner</div></div>")

    assert extract_page(html, options=Options(select=("div",))).text == "outer\n\ninner"


def test_a_page_says_what_it_is_and_when_it_was_written() -> None:
    """Auditors need title, date, license and language first, with their sources in the metadata."""
    html = page(
        f"<h1>Heading</h1><p>{STORY}</p>"
        "<a rel='license noopener' href='https://creativecommons.org/licenses/by-sa/4.0/'>x</a>",
        '<meta property="og:title" content=" A   title "><link rel=canonical href="https://example.org/a">'
        '<meta property="article:published_time" content="2024-05-01T10:00:00+02:00">',
    )

    found = extract_page(html)

    assert found.title == "A title"
    assert found.metadata.published is not None
    assert found.metadata.published.value == datetime(2024, 5, 1, 8, tzinfo=UTC)
    assert {
        name: value for name, (value, _) in found.metadata.as_text().items() if name not in ("title", "published")
    } == {
        "license": "CC-BY-SA-4.0",
        "canonical": "https://example.org/a",
        "language": "en",
    }


@pytest.mark.parametrize(
    "script", ["{" * 1000, '{"a": ' + "9" * 5000 + "}", "[" * 100_000, '{"datePublished": 5}', "nul"]
)
def test_broken_linked_data_is_passed_over(script: str) -> None:
    """Half of the linked data on the web is broken, some of it on purpose."""
    html = page(f"<p>{STORY}</p>", f'<script type="application/ld+json">{script}</script>')

    found = extract_page(html)

    assert found.text == STORY
    assert found.metadata.published is None


def test_every_block_tells_why_it_was_kept() -> None:
    """The output has kind, score and path of all blocks in page order; the text consists of the kept ones."""
    found = extract_page(page(f"<nav><a href=/>Home</a></nav><main id=m><p>{STORY}</p></main>"))

    assert [(block.text, block.path) for block in found.blocks] == [
        ("Home", "html > body > nav"),
        (STORY, "html > body > main.m > p"),
    ]
    assert found.blocks[0].score < found.blocks[1].score
    assert found.text == "\n\n".join(block.text for block in found.blocks if block.kept)


def test_a_page_as_str_is_refused_in_words() -> None:
    """Passing the text of a response is the most common mistake."""
    html = f"<meta charset=iso-8859-1><main><p>Café: {STORY}</p></main>"

    with pytest.raises(TypeError, match=r"^a page must be bytes, got str: .* text\.encode\(\)$"):
        corpusmill.extract(html)  # type: ignore[arg-type]

    assert corpusmill.extract(html.encode()) == f"Café: {STORY}"


def test_a_type_that_is_no_text_is_refused_and_plain_text_is_kept_as_it_is() -> None:
    """The server's content type decides."""
    assert extract_page(b"a < b\r\n  c", media_type="text/plain; charset=utf-8").text == "a < b\n  c"
    with pytest.raises(DataError):
        extract_page(b"abc", media_type="image/svg")

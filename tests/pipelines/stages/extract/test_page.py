"""What comes out of a page: text, layout, evidence."""

from __future__ import annotations

import pydoc
import textwrap
from datetime import UTC, datetime

import pytest

from pipelines.stages.extract import Options, extract, extract_page
from pipelines.stages.extract.evidence import moment
from pipelines.stages.extract.licenses import spdx
from pipelines.stages.extract.options import Selectors
from schemas.errors import DataError

STORY = (
    "The harbour reopened on Tuesday after a storm that closed it for nine days. Pilots said the channel had been "
    "surveyed twice, and that the first grain ships would sail before the weekend."
)


def page(body: str, head: str = "") -> bytes:
    return f"<!DOCTYPE html><html lang=en><head><title>Harbour</title>{head}</head><body>{body}</body></html>".encode()


def test_an_article_comes_out_without_what_surrounds_it() -> None:
    """The reason of the stage: navigation, related links and footers are on every page of a site."""
    links = "".join(f"<li><a href=/{n}>Section number {n}</a></li>" for n in range(20))
    html = page(
        f"<header><nav><ul>{links}</ul></nav></header><main><article><h1>Harbour reopens</h1>"
        + "".join(f"<p>{n}. {STORY}</p>" for n in range(4))
        + f"<div class=related-stories><p>{STORY} Inside.</p></div></article></main>"
        + f"<aside class=related><p>{STORY} Related.</p></aside><footer><p>Copyright {STORY}</p>"
    )

    text = extract(html)

    assert text == "Harbour reopens\n\n" + "\n\n".join(f"{n}. {STORY}" for n in range(4))


def test_blocks_are_laid_out_as_plain_text() -> None:
    """Paragraphs apart, items with a dash, rows on a line, `pre` with its own lines, `<br>` as a line end."""
    html = page(
        f"<article><h2>Head   line</h2><p>{STORY}</p><ul><li>one, a</li><li><p>two</p><p>more</p></li></ul>"
        "<pre>  x = 1\n    y</pre><table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>"
        f"<p>line<br>next&nbsp;line<br><br>apart</p><blockquote>{STORY}</blockquote></article>"
    )

    assert extract(html) == "\n\n".join(
        [
            "Head line",
            STORY,
            "- one, a\n- two",
            "more",
            "  x = 1\n    y",
            "a | b\nc | d",
            "line\nnext line",
            "apart",
            STORY,
        ]
    )


def test_code_that_is_indented_by_no_break_spaces_stays_indented() -> None:
    """pydoc and old pages write code so."""
    html = page("<p>def f(x):<br>&nbsp;&nbsp;&nbsp;&nbsp;return&nbsp;x</p>" + f"<p>{STORY}</p>" * 3)

    assert extract(html).startswith("def f(x):\n    return x\n\n")


def test_a_page_of_pydoc_comes_out_readable_and_nearly_whole() -> None:
    """The demo's site: layout tables, `<dl>`, `<code>`, `&nbsp;` and no container of its own."""
    html = pydoc.HTMLDoc()

    text = extract(html.page("textwrap", html.document(textwrap, "textwrap")).encode())

    assert "Text wrapping and filling." in text
    assert "\xa0" not in text
    prose = [" ".join(line.split()) for line in (textwrap.TextWrapper.__doc__ or "").splitlines() if line.strip()]
    assert sum(line in text for line in prose) >= 0.9 * len(prose)


def test_hidden_text_and_scripts_are_not_text() -> None:
    """What a reader does not see is no prose."""
    html = page(
        f"<p>{STORY}</p><script>var hidden = 1;</script><style>p {{}}</style><div hidden>hidden</div>"
        "<p style='display: none'>hidden</p><noscript>hidden</noscript><p aria-hidden=true>hidden</p><!-- hidden -->"
    )

    assert extract(html) == STORY


def test_favor_recall_keeps_at_least_what_precision_keeps() -> None:
    """The two ends of one scale."""
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
    """A curator who looked at the site knows better than any heuristic."""
    html = page(f"<div id=a><p>{STORY}</p></div><div id=b><p>short <b class=ad>ad</b></p><nav>kept too</nav></div>")
    options = Options(
        drop=(".ad",), sites={"example.org": Selectors(select=("#b",)), "www.example.org": Selectors(drop=("nav",))}
    )

    assert extract_page(html, "https://docs.example.org/x", options=options).text == "short\n\nkept too"
    assert extract_page(html, "https://www.example.org/x", options=options).text.startswith(STORY)
    assert extract_page(html, "https://other.org/", options=options).text.startswith(STORY)
    assert extract_page(html, "http://[bad", options=options).text.startswith(STORY)


def test_a_page_on_which_nothing_is_selected_is_read_as_usual() -> None:
    """A site has pages that its template does not fit; dropping them unseen would be a silent loss."""
    assert extract_page(page(f"<p>{STORY}</p>"), options=Options(select=("#content",))).text == STORY


def test_nested_matches_are_taken_once() -> None:
    """`div` matches an element and those in it: the text must not come twice."""
    html = page("<div>outer <div>inner</div></div>")

    assert extract_page(html, options=Options(select=("div",))).text == "outer\n\ninner"


def test_evidence_is_read_from_the_page() -> None:
    """Title, date, licence and language are what an auditor asks for first."""
    html = page(
        f"<h1>Heading</h1><p>{STORY}</p><a rel='license noopener' href='https://creativecommons.org/licenses/by-sa/4.0/'>x</a>",
        '<meta property="og:title" content=" A   title "><link rel=canonical href="https://example.org/a">'
        '<meta property="article:published_time" content="2024-05-01T10:00:00+02:00">',
    )

    found = extract_page(html)

    assert found.title == "A title"
    assert found.evidence.published_at == datetime(2024, 5, 1, 8, tzinfo=UTC)
    assert (found.evidence.license, found.evidence.license_source) == ("CC-BY-SA-4.0", "page:rel-license")
    assert found.evidence.metadata == {"canonical": "https://example.org/a", "declared_language": "en"}


def test_linked_data_gives_date_and_licence() -> None:
    """Where a page has both, JSON-LD is the more exact; `@graph` is how most sites write it."""
    html = page(
        f"<p>{STORY}</p><time datetime=2001-01-01>x</time>",
        '<script type="application/ld+json">{"@graph": [{"@type": "Article", "datePublished": "2020-02-03",'
        ' "license": "http://creativecommons.org/publicdomain/zero/1.0/"}]}</script>',
    )

    evidence = extract_page(html).evidence

    assert evidence.published_at == datetime(2020, 2, 3, tzinfo=UTC)
    assert (evidence.license, evidence.license_source) == ("CC0-1.0", "page:json-ld")


def test_two_licences_are_no_licence() -> None:
    """One of them is for a picture, and nobody can tell which."""
    links = "".join(f"<a rel=license href=https://creativecommons.org/licenses/{k}/4.0/>x</a>" for k in ("by", "by-nc"))

    assert extract_page(page(f"<p>{STORY}</p>{links}")).evidence.license is None


@pytest.mark.parametrize(
    "script",
    ["{" * 1000, '{"a": ' + "9" * 5000 + "}", "[" * 100_000, '{"datePublished": 5, "license": {"a": 1}}', "nul"],
)
def test_broken_linked_data_is_passed_over(script: str) -> None:
    """Half of it on the web is broken, some of it on purpose."""
    html = page(f"<p>{STORY}</p>", f'<script type="application/ld+json">{script}</script>')

    found = extract_page(html)

    assert found.text == STORY
    assert found.evidence.published_at is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-01", datetime(2024, 5, 1, tzinfo=UTC)),
        ("2024-05-01T23:30:00-02:00", datetime(2024, 5, 2, 1, 30, tzinfo=UTC)),
        ("Wed, 01 May 2024 10:00:00 GMT", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("0001-01-01T00:00:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("last week", None),
        ("", None),
    ],
)
def test_dates_are_utc_or_nothing(text: str, expected: datetime | None) -> None:
    """A wrong date is worse than none."""
    assert moment(text) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://creativecommons.org/licenses/by-nc-sa/3.0/de/", "CC-BY-NC-SA-3.0-DE"),
        ("https://creativecommons.org/licenses/by/4.0/deed.de", "CC-BY-4.0"),
        ("//creativecommons.org/licenses/by-sa/2.5/it/", "LicenseRef-CC-BY-SA-2.5-IT"),
        ("https://www.apache.org/licenses/LICENSE-2.0.html", "Apache-2.0"),
        ("https://example.org/terms", None),
    ],
)
def test_addresses_become_spdx_identifiers(url: str, expected: str | None) -> None:
    """Licences are compared by identifier; an address that says nothing exact stays unknown."""
    assert spdx(url) == expected


@pytest.mark.parametrize(("body", "kind"), [(b"%PDF-1.7", "not_html"), (b"\x1f\x8b\x08\x00", "not_html")])
def test_what_is_no_page_is_an_error_with_a_kind(body: bytes, kind: str) -> None:
    """`extract` gives an empty text; the stage needs to know why."""
    with pytest.raises(DataError) as caught:
        extract_page(body)

    assert caught.value.kind == kind
    assert extract(body) == ""


def test_a_type_that_is_no_text_is_refused_and_plain_text_is_kept_as_it_is() -> None:
    """The server's word on the type counts."""
    assert extract_page(b"a < b\r\n  c", media_type="text/plain; charset=utf-8").text == "a < b\n  c"
    with pytest.raises(DataError):
        extract_page(b"abc", media_type="image/svg")

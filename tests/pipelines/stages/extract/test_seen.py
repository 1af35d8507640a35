"""The visible text of a page: quotation marks, ruby, hidden elements, the rest of a script, announced lists."""

from __future__ import annotations

import pytest

from corpusmill.pipelines.stages.extract import extract, extract_page
from corpusmill.pipelines.stages.extract.options import Options
from tests.pipelines.stages.extract.readings import blocks, read, texts

PROSE = (
    "<p>The harbour reopened on Tuesday, after a storm that had closed it for nine days, and the pilots were glad.</p>"
    "<p>The first ships, with grain from the south, sailed before noon, as the harbour master told our reporter.</p>"
)


def seen(markup: str) -> list[str]:
    return [block.text for block in blocks(markup)]


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("She said <q>I have waited</q> and smiled.", "She said “I have waited” and smiled."),
        ("<q> So, </q> he said", "“So,” he said"),
        ("<q>a <q>b</q> c</q>", "“a ‘b’ c”"),
        ("<q><q>b</q> c</q>", "“‘b’ c”"),
        ("<html lang=de><p>Er rief <q>Halt</q>.", "Er rief „Halt“."),
        ("<html lang=fr-CA><p>Il dit <q>oui</q>.", "Il dit «oui»."),
        ("<html lang=ja><p>彼は<q>はい</q>と", "彼は「はい」と"),
        ("said “<q>yes</q>”", "said “yes”"),
        ('said <q>"yes"</q>', 'said "yes"'),
        ("said <q>&ldquo;yes&rdquo;</q>", "said “yes”"),
        ("an <q></q>empty one, <q> </q>or two", "an empty one, or two"),
        ("<q>never closed", "“never closed”"),
        ("say <q><em>yes</em></q> now", "say “yes” now"),
    ],
)
def test_quotations_get_the_marks_that_browsers_write(markup: str, expected: str) -> None:
    """HTML tells authors to omit the marks; if they write them anyway, there must not be two."""
    assert texts(markup) == [expected]


def test_a_quotation_of_two_paragraphs_is_not_a_paragraph_of_marks() -> None:
    """A mark alone has no meaning."""
    assert texts("<q><p>one</p><p>two</p></q>") == ["“one", "two"]


def test_marks_of_a_quotation_are_outside_of_links_in_it() -> None:
    """The range of a link must be that of its text."""
    (block,) = blocks("<p>say <q><a href=/y>yes</a></q> now")

    assert [block.text[span.start : span.end] for span in block.spans] == ["yes"]


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("この<ruby>図<rt>と</rt>書<rt>しょ</rt>館<rt>かん</rt></ruby>は", "この図書館は"),
        ("<ruby>朗読会<rp>(</rp><rt>ろうどくかい</rt><rp>)</rp></ruby>を", "朗読会を"),
        ("<ruby>漢<rt>かん<rp>)字<rt>じ</ruby>だ", "漢だ"),
        ("<ruby>漢<rt>かん<rb>字<rt>じ</ruby>だ", "漢字だ"),
        ("<ruby><rb>東</rb><rb>京</rb><rtc><rt>とう</rt><rt>きょう</rt></rtc></ruby>へ", "東京へ"),
        ("<ruby><ruby>東<rt>とう</rt></ruby><rt>east</rt></ruby>へ", "東へ"),
    ],
)
def test_readings_are_no_part_of_the_sentence(markup: str, expected: str) -> None:
    """Neither readers nor tokenizers recognize a word with its reading inside it."""
    assert texts(f"<p>{markup}</p>") == [expected]


def test_a_reading_that_is_never_closed_does_not_swallow_the_page() -> None:
    """A paragraph ends it, and an element outside of a ruby is not a reading."""
    assert texts("<p><ruby>漢<rt>かん<p>Next.</p><p><ruby>字<rt>じ</ruby>") == ["漢", "Next.", "字"]
    assert texts("<p>loose <rt>text") == ["loose text"]


@pytest.mark.parametrize(
    "hiding",
    [
        "hidden",
        "hidden=hidden",
        "HIDDEN",
        "popover",
        "style=display:none",
        'style=" DISPLAY : none !important; color:red"',
        "style='visibility: hidden;height:0'",
        "style='visibility:collapse'",
        "style='background:url(data:a;b);display:none'",
        "style='display:block;display:none'",
        "style='display:none !important; display:block'",
        "style='display&#58;none'",
        "style='display&colon; n&#x6f;ne'",
    ],
)
@pytest.mark.parametrize("tag", ["div", "p", "section", "span", "ul", "x-box"])
def test_hidden_elements_are_left_out(hiding: str, tag: str) -> None:
    """Invisible text is not text of the page."""
    assert seen(f"<p>one</p><{tag} {hiding}>draft <b>x</b></{tag}><p>two</p>") == ["one", "two"]


@pytest.mark.parametrize(
    "markup",
    [
        "<div hidden=until-found>kept</div>",
        "<div hidden style=display:block>kept</div>",
        "<div style='backface-visibility:hidden'>kept</div>",
        "<div style='--x:display:none'>kept</div>",
        "<div style='display:none;display:block'>kept</div>",
        "<div style='display:block !important; display:none'>kept</div>",
        "<div style='display:none !important; display:block !important'>kept</div>",
        "<div style='visibility:hidden'><p style='visibility:visible'>kept</p></div>",
        "<body style=display:none><div>kept</div>",
        "<html style='visibility:hidden'><body>kept",
        "<dialog open>kept</dialog>",
        "<details><summary>kept</summary></details>",
        "<p><span aria-hidden=true>kept</span></p>",
        "<div aria-hidden=true>kept</div>",
        "<div class=accordion><div hidden>kept</div></div>",
        "<div role=tabpanel hidden>kept</div>",
        '<div hidden id="S:0">kept</div>',
        "<button aria-expanded=false>Open</button><div hidden>kept</div>",
    ],
)
def test_what_is_shown_or_can_be_opened_is_kept(markup: str) -> None:
    """Styles override `hidden`; tabs and answers are opened by a click, like a closed `<details>`."""
    assert seen(markup) == ["kept"]


def test_dialogs_and_answers() -> None:
    """A closed dialog is not shown; an answer belongs to its question."""
    assert seen("<p>one</p><dialog><p>We use cookies.</p></dialog><p>two</p>") == ["one", "two"]
    assert seen("<h3>What does it cover?</h3><div style=display:none><p>Everything.</p></div>") == [
        "What does it cover?",
        "Everything.",
    ]


def test_icons_and_duplicates_for_screen_readers_are_left_out() -> None:
    """Letters of an icon font are an image, and texts for screen readers repeat visible text."""
    assert texts("<p>Go <i class=material-icons aria-hidden=true>arrow_forward</i> home") == ["Go home"]
    assert texts("<h2>Sizes<a class=anchor aria-hidden=true href=#sizes>#</a></h2>") == ["Sizes"]
    assert texts("<p>From <span aria-hidden=true>$5/mo.</span><span class=visually-hidden>$5 a month</span>") == [
        "From $5 a month"
    ]


def test_hidden_blocks_stay_hidden_whatever_is_favored() -> None:
    """They must not be blocks in any form of output."""
    hidden = "<div hidden><p>Ignore this draft, which the editor did not want to be seen.</p></div>"
    html = f"<article>{PROSE}{hidden}</article>"

    for favor in ("precision", "balanced", "recall"):
        page = extract_page(html.encode(), options=Options(favor=favor))
        assert "draft" not in page.text + page.markdown() + str(page.blocks)
    assert "draft" in extract_page(html.encode(), options=Options(select=("div",))).text


def test_a_page_that_a_script_shows_is_read() -> None:
    """Some pages hide everything until a script has loaded."""
    html = f"<p>Loading</p><div style=display:none>{PROSE * 6}</div>"

    assert "The harbour reopened" in extract(html.encode())


@pytest.mark.parametrize(
    "script",
    [
        "document.write(\"<script src='/a.js'></script>\");",
        "document.write('<script src=\"/a.js\"></script>')",
        'var a = "</script>", b = 1;',
        "var t = `<p>x</p></script>\n<p>leak</p>`;",
        'document.write("<script></script><script></script>");',
        "var it = 'it\\'s </script>'; // don't",
        "/* don't */ x('</script>');",
    ],
)
def test_the_rest_of_a_script_does_not_leak(script: str) -> None:
    """A string can contain an end tag; the rest of the script was never meant to be read."""
    assert texts(f"<p>one</p><script>{script}</script><p>two</p>") == ["one", "two"]


@pytest.mark.parametrize(
    "markup",
    [
        "<script>a = /'/;</script><p>It's one</p><script>b = 'x';</script>",
        "<script>// don't</script><p>It's one</p><script>b = 'x';</script>",
        "<script>a = 'x</script><p>It's one</p></script>",
        "<script>a = \"x</script><p>It's one</p>",
    ],
)
def test_a_script_ends_before_the_text_of_the_page(markup: str) -> None:
    """An apostrophe in text must not open a string, and a stray end tag must not end anything."""
    assert texts(markup) == ["It's one"]


def test_linked_data_may_hold_an_end_tag() -> None:
    """Articles about HTML contain end tags."""
    data = '{"@type": "Article", "articleBody": "Use </script>, then.", "headline": "Tags"}'

    records = read(f'<script type="application/ld+json">{data}</script><p>one').records

    assert [text for _, _, text in records] == [data]


LINKS = "<ul><li><a href=/py>Quickstart for Python</a><li><a href=/net>Quickstart for .NET</a></ul>"


@pytest.mark.parametrize(
    "announcement", ["Guides in two languages:", "Choose one of these:", "两种语言的指南 请选择："]
)
def test_a_list_of_links_that_a_sentence_announces_is_kept(announcement: str) -> None:
    """The announcing sentence means nothing without its list."""
    html = f"<article><h1>Harbour</h1>{PROSE}<p>{announcement}</p>{LINKS}{PROSE}</article>"

    assert f"{announcement}\n\n- Quickstart for Python\n- Quickstart for .NET\n\nThe harbour" in extract(html.encode())


@pytest.mark.parametrize(
    "html",
    [
        f"<article><h1>Harbour</h1>{PROSE}<p>Related articles:</p>{LINKS}{PROSE}</article>",
        f"<article><h1>Harbour</h1>{PROSE}<p>Read more about it:</p>{LINKS}{PROSE}</article>",
        f"<article><h1>Harbour</h1>{PROSE}<p>Guides in two languages:</p></article><nav>{LINKS}</nav><p>x</p>",
        f"<nav>{LINKS}</nav><article><h1>Harbour</h1>{PROSE}</article>",
    ],
)
def test_lists_that_lead_away_from_the_article_stay_out(html: str) -> None:
    """Keeping announced lists must not bring back navigation."""
    assert "Quickstart" not in extract(html.encode())

"""The date of publication of whole pages: which date on a page it is, and which it is not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from corpusmill.pipelines.stages.extract import Extract, extract_page
from corpusmill.pipelines.stages.extract.datelines import is_dateline
from corpusmill.pipelines.stages.extract.metadata import Metadata
from corpusmill.schemas.metadata import metadata_dicts
from tests.pipelines.stages.extract.test_stage import captures

STORY = "<p>The town library reopened last week after two years of building work, as the librarian told us.</p>" * 2


def metadata_of_page(head: str, body: str, *, fetched_at: datetime | None = None) -> Metadata:
    html = f"<html lang=en><head><title>Library reopens</title>{head}</head><body>{body}</body></html>"
    return extract_page(html.encode(), "https://example.org/library", fetched_at=fetched_at).metadata


def published(body: str, head: str = "", *, fetched_at: datetime | None = None) -> tuple[str, str] | None:
    found = metadata_of_page(head, body, fetched_at=fetched_at).published
    return (found.value.date().isoformat(), found.source) if found else None


def article(before: str, after: str = "") -> str:
    return f"<article><h1>Library reopens</h1>{before}{STORY}{after}</article>"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (article("<time datetime=2018-08-27>27 August</time>"), ("2018-08-27", "html:time")),
        (
            article("<header>By Jo Day, <time datetime=2018-08-27>27 August</time></header>"),
            ("2018-08-27", "html:time"),
        ),
        (article("<p class=byline>August 27, 2018 by A. Writer</p>"), ("2018-08-27", "html:date")),
        (article("<p class=date>Published 27 August 2018</p>"), ("2018-08-27", "html:date")),
        (article("<p>27 August 2018 | 3 min read</p>"), ("2018-08-27", "text")),
        (
            article("", "<footer class=entry-meta>Posted on <time>27 August 2018</time></footer>"),
            ("2018-08-27", "html:time"),
        ),
        (article("<p>Start date <time>27 August 2018</time></p>"), ("2018-08-27", "html:time")),
    ],
)
def test_the_day_of_a_byline_is_that_of_publication(body: str, expected: tuple[str, str]) -> None:
    """Other dates may come before and after it."""
    others = (
        "<nav><time datetime=2019-01-01></time></nav>"
        "<aside class=latest-news><ul><li><time datetime=2018-09-30>30 Sep</time> <a href=/x>Other</a></ul></aside>"
    )
    comments = (
        "<div class=comments><p class=date>2018-08-28</p><time datetime=2018-08-28T10:09:00>8 hours ago</time></div>"
    )
    related = "<section class=related-posts><time datetime=2018-09-01></time><p class=date>1 Sep 2018</p></section>"

    assert published(body) == expected
    assert published(others + body + related + comments) == expected
    assert published(f"<main>{others}{body}{comments}{related}</main>") == expected


@pytest.mark.parametrize(
    "body",
    [
        article("", "<p>The next concert is on 12 December 2031 at eight.</p>"),
        article("<p>The bridge beside it was built on 6 June 1944 by soldiers.</p>"),
        article("<p>The concert is on <time datetime=2018-12-24>24 December</time>.</p>"),
        article("", "<p>Come to the concert on <span class=date>24 December 2018</span> with friends.</p>"),
        article("<p>Server Built: Sep 18 2017</p>"),
        article("<p>Next meeting: 3 May 2018</p>"),
        article("<p>Born 3 May 1918 in Paris</p>"),
        article("<time itemprop=dateModified datetime=2017-11-27T19:20:45+01:00>27/11/2017 19:20</time>"),
        article("<p class=date>Last updated: 27 November 2017</p>"),
        article("<p>橋は1944年6月6日に建てられた。</p>"),
        article("", "<aside class=events><p><time datetime=2018-12-24>24 December</time> Concert</p></aside>"),
        article("", "<div class=related><p class=date>24 December 2018</p></div>"),
        article("", "<h2>Elsewhere</h2><ul><li><a href=/x>Other story</a> <time datetime=2018-09-30></time></ul>"),
        article("") + "<div id=comments><span itemprop=datePublished content=2018-08-28></span></div>",
        "<ul>"
        + "".join(f"<li><time datetime=2018-0{n}-01>{n}</time> <a href=/{n}>Story {n}</a>" for n in range(1, 5))
        + "</ul>",
    ],
)
def test_other_days_are_not_that_of_publication(body: str) -> None:
    """Null means unknown, which is better than a wrong date."""
    assert published(body) is None


OTHER_STORIES = "<section>{}</section>".format(
    "".join(f"<article><h3>Story {day}</h3><time datetime=2018-09-{day}></time></article>" for day in (29, 30))
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "<ul><li>2015-04-05: first release</li><li>2016-04-05: second release</li></ul>"),
        ("", "<table><tr><td>2015-04-05</td><td>14</td></tr><tr><td>2015-04-06</td><td>15</td></tr></table>"),
        ("<figure><img src=x.jpg><figcaption>The hall, 3 March 1999</figcaption></figure>", ""),
        ("", "<blockquote><p>I was there.</p><cite>Bob, 3 March 1999</cite></blockquote>"),
        ("<p>3 March 1919 – 4 April 1977</p>", ""),
        ("<div id=today>Monday, 30 November 2026</div>", ""),
        ("<p>Photo: Ann Lee, 3 March 1999</p>", ""),
        ("<p>3 March – 4 April 2019</p>", ""),
        ("<p>Open from 3 March 2019</p>", ""),
        ("<p>Price as of 3 March 2019</p>", ""),
        ("<p>Last checked 3 March 2019</p>", ""),
        ("<p>Date: 3 March 2019, 8 pm. Place: Town Hall</p>", ""),
        ("", "<h2>3 March 1999</h2><p>Something happened on that day in the town.</p>"),
        ("", "<table><caption>Visitors, 3 March 1999</caption><tr><td>1</td></tr></table>"),
        ("", "<div class=post-nav><a href=/p>Old story</a> <time datetime=2018-08-01></time></div>"),
        ("<time datetime=2018-W35>week 35</time>", ""),
        ("", OTHER_STORIES),
    ],
)
def test_days_within_or_beside_the_article_are_not_its_own(before: str, after: str) -> None:
    """Entries of lists and tables, captions, quotations, lives, the day of the visit, other articles."""
    assert published(article(before, after)) is None
    assert published(article(f"<p>27 August 2018</p>{before}", after)) == ("2018-08-27", "text")


@pytest.mark.parametrize(
    "line",
    [
        "Updated <time datetime=2018-09-03>3 Sep 2018</time>",
        "Mis à jour le 3 septembre 2018",
        "Atualizado em 3 de setembro de 2018",
        "Última actualización: 3 de septiembre de 2018",
        "Ultimo aggiornamento: 3 settembre 2018",
        "Bijgewerkt: 3 september 2018",
        "Uppdaterad 3 september 2018",
        "Aktualizacja: 3 września 2018",
        "Güncelleme: 3 Eylül 2018",
        "更新时间：2018-09-03 10:00",
    ],
)
def test_words_for_a_change_in_other_languages(line: str) -> None:
    """They stand where a byline does, and a day of publication before or after them is still the one."""
    found = metadata_of_page("", article(f"<p class=date>{line}</p>"))

    assert found.published is None
    assert found.modified is not None
    assert found.modified.value.date().isoformat() == "2018-09-03"


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("", "<p class=byline>Updated: 3 September 2018. Published: 27 August 2018</p>"),
        ("", "<p>27 августа 2018 г.</p>"),
        ("", "<p>27. kolovoza 2018.</p>"),
        ("", "<p>27 d'agost de 2018</p>"),
        ("", "<p>27 באוגוסט 2018</p>"),
        ("", "<abbr class=published title=2018-08-27T10:00:00>Monday</abbr>"),
        ("<meta property=article:published_time content=1900-01-01T00:00:00Z>", "<p>27 August 2018</p>"),
        ("<meta property=article:published_time content=1970-01-01T00:00:00Z>", "<p>27 August 2018</p>"),
        ('<script type="application/ld+json">{"@type": "JobPosting", "datePosted": "2018-08-27"}</script>', ""),
    ],
)
def test_days_of_publication_in_unusual_places(head: str, line: str) -> None:
    """Behind a change, before an abbreviated word for the year, beside a default value, of an offer of work."""
    day = published(article(line), head)

    assert day is not None
    assert day[0] == "2018-08-27"


def test_a_day_of_change_is_kept_apart() -> None:
    """It is stored in `modified`, and a date of publication beside it must still be detected."""
    changed = "<time itemprop=dateModified datetime=2017-11-27>27/11/2017</time>"
    found = metadata_of_page(
        '<script type="application/ld+json">{"dateModified": "2017-11-27"}</script>', article(changed)
    )

    assert (found.published, found.modified and found.modified.source) == (None, "json-ld:dateModified")
    assert published(article(f"<p>Published 3 May 2017, updated {changed}</p>")) == ("2017-05-03", "text")


def test_what_the_page_declares_goes_before_what_it_shows() -> None:
    """In order: JSON-LD, metas, marked elements, the byline, the address."""
    linked = '<script type="application/ld+json">{"@type": "Article", "datePublished": "2018-08-21"}</script>'
    meta = "<meta property=article:published_time content=2018-08-22>"
    marked = "<time class=published datetime=2018-08-23></time>"
    body = article(f"<p class=date>24 August 2018</p>{marked}")

    assert published(body, linked + meta) == ("2018-08-21", "json-ld:datePublished")
    assert published(body, meta) == ("2018-08-22", "meta:article:published_time")
    assert published(body) == ("2018-08-23", "html:time")


@pytest.mark.parametrize(
    "head",
    [
        "<meta name=date content=2031-05-01>",
        '<script type="application/ld+json">{"@type": "Article", "datePublished": "2031-05-01"}</script>',
        "",
    ],
)
def test_a_day_in_the_future_is_refused(head: str) -> None:
    """The bound is the time of capture or a constant, never the clock; later sources are then tried."""
    body = article("<time class=published datetime=2031-05-01></time><p class=date>27 August 2018</p>")
    fetched_at = datetime(2018, 8, 27, 23, tzinfo=UTC)

    assert published(body, head) == ("2018-08-27", "html:date")
    assert published(body, head, fetched_at=fetched_at) == ("2018-08-27", "html:date")
    assert published(body, head, fetched_at=datetime(2018, 8, 1, tzinfo=UTC)) is None
    assert published(body, head, fetched_at=datetime(2031, 5, 2, tzinfo=UTC)) != ("2018-08-27", "html:date")


def test_a_day_on_which_something_happens_is_not_that_of_publication() -> None:
    """JSON-LD says what the lines on the page are about."""
    event = '<script type="application/ld+json">{"@type": "Event", "startDate": "2018-12-24T20:00"}</script>'

    assert published(article("<p>24 December 2018, 8 pm, Town Hall</p>"), event) is None
    assert published(article("<p>24 December 2018</p><p>27 August 2018</p>"), event) == ("2018-08-27", "text")


def test_the_order_of_day_and_month_is_that_which_is_not_in_the_future() -> None:
    """12/03/2018 was captured in May, so it is the twelfth of March."""
    assert published(article("<p class=date>12/03/2018</p>"), fetched_at=datetime(2018, 5, 1, tzinfo=UTC)) == (
        "2018-03-12",
        "html:date",
    )


def test_the_stage_asks_when_a_page_was_captured_and_says_where_its_day_stood() -> None:
    """`published_at_source` shows how reliable the date is."""
    html = article("<time class=published datetime=2024-05-01></time><p class=date>27 August 2018</p>").encode()

    out = Extract().build()(
        captures({"content": html}, {"content": html, "fetched_at": datetime(2020, 1, 1, tzinfo=UTC)})
    )

    assert [day.date().isoformat() for day in out["published_at"].to_pylist()] == ["2024-05-01", "2018-08-27"]
    assert [(row or {})["published_at_source"] for row in metadata_dicts(out["metadata"])] == ["html:time", "html:date"]


@pytest.mark.parametrize(
    "line",
    [
        "May 5, 2020",
        "Published: January 3, 2024",
        "Von Anna Berg, 5. März 2024, 10:15 Uhr",
        "Publié le 5 mars 2024 à 10h",
        "2005年08月16日 来源：新华网",
        "http://house.sina.com.cn 2005年03月31日03:18 北京娱乐信报",
        "By Nick Levine | March 9, 2023 | 57 Comments",
        "Dec. 19, 2025 · Niko Matsakis on behalf of Vision Doc group",
        "Date: 5 May 2020",
        "submitted 17 hours ago by Insane, 4 Mar 2026",
    ],
)
def test_lines_of_a_byline(line: str) -> None:
    """The forms are from 2,884 real pages."""
    assert is_dateline(line)


@pytest.mark.parametrize(
    "line",
    [
        "The shop opened on 3 May 1987.",
        "Das Konzert fand am 5. Mai 2020 statt.",
        "Deadline: 5 May 2020",
        "© 2020 Coast Daily",
        "Event date: 5 May 2020",
        "Version 2.1, 5 May 2020",
        "这座桥建于1944年6月6日。",
        "no year at all",
    ],
)
def test_lines_that_are_none(line: str) -> None:
    """These lines state other dates."""
    assert not is_dateline(line)

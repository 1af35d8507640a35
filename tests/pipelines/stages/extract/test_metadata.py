"""What a page says about itself, from made records: each value, its evidence, and what is left out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.stages.extract.authors import names_in
from corpusmill.pipelines.stages.extract.declared import Record
from corpusmill.pipelines.stages.extract.found import Found
from corpusmill.pipelines.stages.extract.metadata import Metadata, metadata_of
from corpusmill.pipelines.stages.extract.titles import site_names, without_site
from corpusmill.schemas.dates import changed, in_path, stated, written

URL = "https://www.coast-daily.example/2024/05/02/storm"


def meta(name: str, content: str) -> Record:
    return ("meta", {"name": name, "content": content}, "")


def graph(name: str, content: str) -> Record:
    return ("meta", {"property": name, "content": content}, "")


def linked(value: object) -> Record:
    return ("script", {"type": "application/ld+json"}, value if isinstance(value, str) else json.dumps(value))


def element(tag: str, text: str, **attributes: str) -> Record:
    return (tag, {name.strip("_"): value for name, value in attributes.items()}, text)


ARTICLE = {
    "@graph": [
        {"@type": "WebSite", "@id": "#site", "name": "Coast Daily"},
        {"@type": "Person", "@id": "#jo", "name": "Jo Day"},
        {
            "@type": "NewsArticle",
            "headline": "Storm closes the harbour",
            "datePublished": "2024-05-01T23:30:00-02:00",
            "dateModified": "2024-05-03",
            "author": [{"@id": "#jo"}, {"@type": "Person", "name": "Anna Berg"}],
            "publisher": {"@id": "#site"},
            "inLanguage": "en-GB",
            "license": "https://creativecommons.org/licenses/by/4.0/",
        },
    ]
}


def test_linked_data_tells_everything_with_its_evidence() -> None:
    """Most news sites write one graph whose parts refer to each other."""
    found = metadata_of([linked(ARTICLE)], URL)

    assert found == Metadata(
        title=Found("Storm closes the harbour", "json-ld:headline"),
        authors=Found(("Jo Day", "Anna Berg"), "json-ld:author"),
        published=Found(datetime(2024, 5, 1, 23, 30, tzinfo=timezone(-timedelta(hours=2))), "json-ld:datePublished"),
        modified=Found(datetime(2024, 5, 3, tzinfo=UTC), "json-ld:dateModified"),
        language=Found("en-gb", "json-ld:inLanguage"),
        site=Found("Coast Daily", "json-ld:WebSite"),
        license=Found("CC-BY-4.0", "json-ld"),
    )


def test_metas_tell_everything_with_their_evidence() -> None:
    """OpenGraph for what is shared, Dublin Core and Highwire for papers."""
    found = metadata_of(
        [
            ("html", {"lang": "de_DE"}, ""),
            ("link", {"rel": "canonical", "href": "https://example.org/a"}, ""),
            graph("og:title", "Der  Sturm"),
            graph("og:site_name", "Küste"),
            graph("article:modified_time", "2024-05-02"),
            meta("citation_author", "Berg, Anna"),
            meta("citation_author", "Day, Jo"),
            meta("DC.date.issued", "2024/5/1"),
            meta("dcterms.license", "https://creativecommons.org/licenses/by-sa/4.0/"),
            meta("description", "Wind &amp; Wetter"),
        ]
    )

    assert found == Metadata(
        title=Found("Der Sturm", "meta:og:title"),
        authors=Found(("Berg, Anna", "Day, Jo"), "meta:citation_author"),
        published=Found(datetime(2024, 5, 1, tzinfo=UTC), "meta:dc.date.issued"),
        modified=Found(datetime(2024, 5, 2, tzinfo=UTC), "meta:article:modified_time"),
        language=Found("de-de", "html:lang"),
        site=Found("Küste", "meta:og:site_name"),
        canonical=Found("https://example.org/a", "link:canonical"),
        license=Found("CC-BY-SA-4.0", "meta:dcterms.license"),
        description=Found("Wind & Wetter", "meta:description"),
    )


def test_elements_tell_where_metas_are_silent() -> None:
    """Half of the blogs have nothing in their head."""
    found = metadata_of(
        [
            element("title", "Storm - Coast Daily"),
            element("h1", " Storm\n"),
            element("span", "By Jo Day | 2 May 2024", class_="post-byline"),
            element("time", "yesterday", datetime="2024-05-01T08:00:00Z"),
            element("time", "3 May", datetime="2024-05-03", class_="updated"),
            element("a", "CC", rel="license noopener", href="https://creativecommons.org/licenses/by/4.0/"),
        ],
        URL,
    )

    assert found.title == Found("Storm", "html:h1")
    assert found.authors == Found(("Jo Day",), "html:byline")
    assert found.published == Found(datetime(2024, 5, 1, 8, tzinfo=UTC), "html:time")
    assert found.modified == Found(datetime(2024, 5, 3, tzinfo=UTC), "html:time")
    assert found.license == Found("CC-BY-4.0", "rel-license")


def test_microdata_tells_author_and_date() -> None:
    """Properties are attributes of any element; their value is an attribute or the text."""
    found = metadata_of(
        [
            element("span", "Jo Day", itemprop="author"),
            element("meta", "", itemprop="datePublished", content="2024-05-01"),
            element("span", "A. Reader", itemprop="author", class_="comment-author"),
        ]
    )

    assert found.authors == Found(("Jo Day",), "microdata:author")
    assert found.published == Found(datetime(2024, 5, 1, tzinfo=UTC), "microdata:datePublished")


def test_lines_beside_the_title_tell_what_no_element_does() -> None:
    """Old pages have no marks; a reader finds day and author beside the title all the same."""
    lines = ["Home", "1 January 2020", "Storm", "By Jo Day", "May 2, 2024 – Updated on May 3, 2024", "It was windy."]

    found = metadata_of([element("h1", "Storm")], None, lambda: lines)

    assert found.authors == Found(("Jo Day",), "text")
    assert found.published == Found(datetime(2024, 5, 2, tzinfo=UTC), "text")
    assert found.modified == Found(datetime(2024, 5, 3, tzinfo=UTC), "text")


def test_lines_are_not_asked_for_when_elements_tell() -> None:
    """Making them costs more than everything else here."""

    def lines() -> list[str]:
        raise AssertionError("asked")

    assert metadata_of([linked(ARTICLE)], URL, lines).authors is not None


def test_chinese_bylines_name_their_reporter() -> None:
    """A name follows its role without a blank or after a colon."""
    lines = ["风暴", "2024年5月2日 记者 王小明 李华", "来源：海岸日报"]

    found = metadata_of([element("h1", "风暴")], None, lambda: lines)

    assert found.authors == Found(("王小明", "李华"), "text")
    assert found.published == Found(datetime(2024, 5, 2, tzinfo=UTC), "text")


def test_the_day_in_the_address_is_the_last_resort() -> None:
    """It is often the day of the first draft, and sometimes no day at all."""
    assert metadata_of([], URL).published == Found(datetime(2024, 5, 2, tzinfo=UTC), "url:path")
    assert metadata_of([element("time", "1 May 2024")], URL).published == Found(
        datetime(2024, 5, 1, tzinfo=UTC), "html:time"
    )


def test_a_day_of_change_is_not_the_day_of_publication() -> None:
    """Who dates a corpus by it must not take an old text for a new one."""
    found = metadata_of([element("p", "Last updated: 3 May 2024", class_="date")])

    assert found.published is None
    assert found.modified == Found(datetime(2024, 5, 3, tzinfo=UTC), "html:date")


def test_a_site_is_an_author_only_where_no_person_is_named() -> None:
    """Content systems put the name of the site where the author belongs."""
    records = [graph("og:site_name", "Coast Daily"), meta("author", "Coast Daily")]

    assert metadata_of(records, URL).authors == Found(("Coast Daily",), "meta:author")
    assert metadata_of([*records, element("a", "Jo Day", rel="author", href="/jo")], URL).authors == Found(
        ("Jo Day",), "html:rel-author"
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("By Anna Berg and Jo Day", ["Anna Berg", "Jo Day"]),
        ("ByAnna Berg", ["Anna Berg"]),
        ("Written by: Anna Berg, Jo Day", ["Anna Berg", "Jo Day"]),
        ("Von Anna Berg und Jo Day", ["Anna Berg", "Jo Day"]),
        ("Anna Berg, PhD, Chief Editor, Coast Daily", ["Anna Berg"]),
        ("Tom May", ["Tom May"]),
        ("https://social.example/anna", []),
        ("@anna", []),
        ("admin", []),
        ("", []),
    ],
)
def test_names_are_taken_out_of_what_stands_around_them(text: str, names: list[str]) -> None:
    """A corpus that is credited by author needs names, not bylines."""
    assert names_in(text) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Anna Berg Dec 19, 2025", ["Anna Berg"]),
        ("Anna Berg on Feb 24 4 min read", ["Anna Berg"]),
        ("Posted by Anna Berg | 3 comments", ["Anna Berg"]),
        ("Anna Berg Senior Autos Reporter", ["Anna Berg"]),
        ("12 minutes", []),
    ],
)
def test_a_byline_ends_where_date_or_role_begin(text: str, names: list[str]) -> None:
    """Elements run together what is set apart on the screen."""
    assert names_in(text, is_byline=True) == names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Storm closes harbour | Coast Daily", "Storm closes harbour"),
        ("Coast Daily: Storm", "Coast Daily: Storm"),
        ("Coast Daily - Storm", "Storm"),
        ("Storm – News – The Coast Daily", "Storm – News"),
        ("Well-known storm", "Well-known storm"),
        ("Coast Daily", "Coast Daily"),
    ],
)
def test_the_name_of_the_site_is_no_part_of_a_title(text: str, expected: str) -> None:
    """It would stand in every document of a site."""
    assert without_site(text, site_names("Coast Daily", URL), []) == expected


@pytest.mark.parametrize(
    ("heading", "stated_title", "expected"),
    [
        ("Storm closes the harbour", "Storm closes the harbour, boats lost - more", "Storm closes the harbour"),
        ("Copy page Open page Ask about this page Step one", "Storm closes the harbour", "Storm closes the harbour"),
        ("News", "Storm closes the harbour", "Storm closes the harbour"),
        ("Coast Daily", "Storm closes the harbour", "Storm closes the harbour"),
        ("Sport Storm closes the harbour", "Storm closes the harbour", "Storm closes the harbour"),
        (
            "How the storm came and closed our harbour for days",
            "Five boats lost in storm",
            "How the storm came and closed our harbour for days",
        ),
    ],
)
def test_a_heading_that_heads_the_page_is_its_title(heading: str, stated_title: str, expected: str) -> None:
    """The names of a section or of the site are headings too."""
    found = metadata_of([graph("og:title", stated_title), element("h1", heading)], URL)

    assert found.title is not None
    assert found.title.value == expected


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Published on 5. März 2024 by A. Writer", (2024, 3, 5)),
        ("Mar 5, 2024", (2024, 3, 5)),
        ("Tuesday, March 5th, 2024", (2024, 3, 5)),
        ("5 de marzo de 2024", (2024, 3, 5)),
        ("5 mars 2024 à 10 h", (2024, 3, 5)),
        ("5 марта 2024", (2024, 3, 5)),
        ("5 Μαρτίου 2024", (2024, 3, 5)),
        ("2024. március 5.", (2024, 3, 5)),
        ("5 marca 2024", (2024, 3, 5)),
        ("2024年3月5日 10:00", (2024, 3, 5)),
        ("2024년 3월 5일", (2024, 3, 5)),
        ("05.03.2024", (2024, 3, 5)),
        ("25/03/2024", (2024, 3, 25)),
        ("31 February 2024", None),
        ("5 May", None),
        ("call 2024 555 1234", None),
        ("12 ²²² 2024", None),
        ("12 ①②③ 2024", None),
    ],
)
def test_days_are_read_in_many_languages(text: str, day: tuple[int, int, int] | None) -> None:
    """What pages show is written for people."""
    expected = datetime(*day, tzinfo=UTC) if day else None

    assert written(text, month_first=False) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-01T10:00:00.123+0200", "2024-05-01T10:00:00.123000+02:00"),
        ("2024-05-01 10:00:00 +0200", "2024-05-01T10:00:00+02:00"),
        ("2024-5-1 9:05", "2024-05-01T09:05:00+00:00"),
        ("Wed, 01 May 2024 10:00:00 GMT", "2024-05-01T10:00:00+00:00"),
        ("1714557600", "2024-05-01T10:00:00+00:00"),
        ("1714557600000", "2024-05-01T10:00:00+00:00"),
        ("0001-01-01", None),
        ("2024-13-01 10:00", None),
        ("2500-01-01", None),
    ],
)
def test_machine_dates_keep_the_zone_that_they_state(text: str, expected: str | None) -> None:
    """The day of a page is its own day, not that of Greenwich."""
    found = stated(text)

    assert (found.isoformat() if found else None) == expected


def test_numbers_in_an_address_are_no_day_unless_they_look_like_one() -> None:
    """Articles have numbers of eight digits too."""
    assert in_path("https://example.org/a-20240305.html") == datetime(2024, 3, 5, tzinfo=UTC)
    assert in_path("https://example.org/news/120240305") is None
    assert in_path("https://example.org/?d=2024/03/05") is None


def test_a_front_page_has_no_author_and_no_day_of_its_own() -> None:
    """What stands on it are the bylines of what it lists; what it states for itself still counts."""
    records = [element("time", "1 May 2024"), element("span", "By Jo Day", class_="byline")]

    assert metadata_of(records, "https://example.org/?ref=1", lambda: ["By Jo Day", "1 May 2024"]) == Metadata()
    assert metadata_of([*records, meta("author", "Jo Day")], "https://example.org").authors is not None


def test_readers_are_not_the_authors() -> None:
    """Comments and reviews carry the same marks as the text above them."""
    records = [
        element("span", "A. Reader", itemprop="author", class_="review-author"),
        element("time", "1 May 2024", class_="comment-date"),
        element("span", "By A. Reader", class_="comment-byline"),
    ]

    assert metadata_of(records, "https://example.org/a") == Metadata()


def test_what_was_found_can_be_written_down_as_text() -> None:
    """Shards keep it in a map of strings, `--format json` prints it."""
    written_down = metadata_of([linked(ARTICLE)], URL).as_text()

    assert written_down["authors"] == ("Jo Day; Anna Berg", "json-ld:author")
    assert written_down["published"] == ("2024-05-01T23:30:00-02:00", "json-ld:datePublished")
    assert "canonical" not in written_down


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (
            [("link", {"rel": "canonical", "href": "/a?b"}, "")],
            Found("https://www.coast-daily.example/a?b", "link:canonical"),
        ),
        ([graph("og:url", "https://example.org/a")], Found("https://example.org/a", "meta:og:url")),
        ([element("a", "x", rel="canonical", href="/a")], None),
        ([("link", {"rel": "canonical", "href": "http://[bad"}, "")], None),
        ([("link", {"rel": "canonical", "href": "//[bad"}, "")], None),
    ],
)
def test_the_canonical_address_is_whole(records: list[Record], expected: Found[str] | None) -> None:
    """It is compared with those of other pages."""
    assert metadata_of(records, URL).canonical == expected


def test_two_licences_are_no_licence_and_one_without_a_name_is_an_address() -> None:
    """One of two is for a picture; an address nobody knows is still evidence."""
    by = element("a", "", rel="license", href="https://creativecommons.org/licenses/by/4.0/")
    by_nc = element("a", "", rel="license", href="https://creativecommons.org/licenses/by-nc/4.0/")
    terms = element("a", "", rel="license", href="https://example.org/terms")
    picture = linked({"@type": "ImageObject", "license": "https://creativecommons.org/licenses/by/4.0/"})

    assert metadata_of([by, by_nc]).license is None
    assert metadata_of([terms]).license_url == Found("https://example.org/terms", "rel-license")
    assert metadata_of([picture]).license is None


def test_a_license_has_a_scope() -> None:
    """That of the site counts where the page has none of its own; that of pictures is no license of the text."""
    by = "https://creativecommons.org/licenses/by/4.0/"
    article = linked({"@type": "Article", "license": "https://creativecommons.org/publicdomain/zero/1.0/"})
    site = linked({"@type": "WebSite", "license": by})
    picture = linked({"@type": "ImageObject", "license": by})
    another = linked({"@type": ["ImageObject"], "license": "https://example.org/pictures"})
    spelled = meta("dc:rights", by)

    both, alone, pictures = metadata_of([site, article]), metadata_of([site]), metadata_of([picture, picture, spelled])

    assert (both.license, both.license_scope) == (Found("CC0-1.0", "json-ld"), None)
    assert (alone.license, alone.license_scope) == (
        Found("CC-BY-4.0", "json-ld:WebSite"),
        Found("site", "json-ld:WebSite"),
    )
    assert pictures.license == Found("CC-BY-4.0", "meta:dc:rights")
    assert pictures.picture_license == Found("CC-BY-4.0", "json-ld:ImageObject")
    assert metadata_of([another]).picture_license == Found("https://example.org/pictures", "json-ld:ImageObject")
    assert metadata_of([picture, another]).picture_license is None


def test_an_offer_to_license_is_no_license() -> None:
    """A link to a document in RSL often stands beside the license of the text."""
    offer = element("link", "", rel="license", href="https://example.org/l.xml", type="application/rsl+xml")
    by = element("a", "", rel="license", href="https://creativecommons.org/licenses/by/4.0/")

    assert metadata_of([offer, by]).license == Found("CC-BY-4.0", "rel-license")
    assert metadata_of([offer]).license_url is None


@pytest.mark.parametrize(
    "script",
    [
        '<!-- {"@type": "Article", "headline": "Storm",} -->',
        '//<![CDATA[\n{"@type": "Article", "headline": "Storm"}\n//]]>',
        '{"@type": "Article", "headline": "Storm"};',
        '[{"@type": ["Article", 5], "headline": ["Storm"]}]',
        '{"@type": "WebPage", "mainEntity": {"@type": "Article", "headline": {"@value": "Storm"}}}',
        '{"@type": "Article", "headline": "Storm", "number": ' + "9" * 5000 + "}",
    ],
)
def test_linked_data_is_read_as_sites_write_it(script: str) -> None:
    """Comments, commas and semicolons are leftovers of templates."""
    assert metadata_of([linked(script)]).title == Found("Storm", "json-ld:headline")


@pytest.mark.parametrize(
    "script",
    [
        "{" * 1000,
        "[" * 100_000,
        '{"@graph":' * 300 + "1" + "}" * 300,
        '{"datePublished": 5, "license": {"a": 1}, "author": [null, 3, [[]], {"name": {}}]}',
        "nul",
        "",
        " " * 400_000 + "x",
        '{"a": "' + "x" * 600_000 + '"}',
        "{,}" * 100_000,
    ],
)
def test_broken_linked_data_is_passed_over(script: str) -> None:
    """Half of it on the web is broken, some of it on purpose."""
    assert metadata_of([linked(script)]) == Metadata()


def test_hostile_records_cost_little() -> None:
    """The page decides how many there are and how long."""
    author = [{"@id": f"#{n}"} for n in range(1000)]
    records: list[Record] = [
        *(linked([{"@type": "Article", "author": author}] * 50) for _ in range(30)),
        *(meta("author", ", " * 900) for _ in range(1000)),
        *(element("h1", "a | " * 500) for _ in range(1000)),
        *(element("time", "2024 " * 400, class_="x" * 2000) for _ in range(1000)),
        *(element("p", "by 1 " * 30, class_="author date") for _ in range(1000)),
        *(element("a", " " * 2000, rel="license author " * 50, href="x " * 1000) for _ in range(1000)),
    ]
    start = datetime.now(UTC)

    found = metadata_of(records, "https://example.org/" + "2024/" * 500, lambda: ["by 2024 " * 19] * 10_000)

    assert found.authors is None
    assert datetime.now(UTC) - start < timedelta(seconds=2)


TEXTS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["2024-05-01", "By Jo Day", "5 May 2024", "Updated 5 May 2024", '{"@type":"Article"}', "Wed, 01 May 2024 1:1:1"]
    ),
)
NAMES = st.sampled_from(
    ["property", "name", "content", "itemprop", "rel", "href", "class", "id", "datetime", "lang", "http-equiv"]
)
VALUES = st.one_of(
    TEXTS, st.sampled_from(["author", "og:title", "datePublished", "date", "byline", "license", "canonical"])
)
RECORDS = st.tuples(
    st.sampled_from(["html", "meta", "title", "script", "h1", "time", "a", "link", "span"]),
    st.dictionaries(NAMES, VALUES, max_size=4),
    TEXTS,
)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([element("html", "", lang="x-default"), meta("og:locale", "de_DE")], Found("de-de", "meta:og:locale")),
        ([element("html", "", lang="e\r<")], None),
        ([meta("content-language", "sv, en")], Found("sv", "meta:content-language")),
    ],
)
def test_a_language_is_a_tag_or_none(records: list[Record], expected: Found[str] | None) -> None:
    """What is no tag names no language; the next place that has one does."""
    assert metadata_of(records).language == expected


@pytest.mark.parametrize("address", ["javascript:x", "/news/1", "#top", "http://"])
def test_what_is_no_address_of_the_web_is_not_canonical(address: str) -> None:
    """A relative one says nothing where the page's own is not known; the next that is whole does."""
    records = [element("link", "", rel="canonical", href=address), meta("og:url", "https://ex.example/a")]

    assert metadata_of(records).canonical == Found("https://ex.example/a", "meta:og:url")
    assert metadata_of(records[:1]).canonical is None


@pytest.mark.parametrize(
    ("stated", "identifier"), [("CC BY-SA 4.0", "CC-BY-SA-4.0"), ("MIT", "MIT"), ("All rights reserved", None)]
)
def test_a_licence_can_be_named(stated: str, identifier: str | None) -> None:
    """By those who know its name; a sentence about rights is no licence, and no address."""
    for records in ([linked({"@type": "Article", "license": stated})], [meta("dcterms.license", stated)]):
        found = metadata_of(records)

        assert (found.license.value if found.license else None) == identifier
        assert found.license_url is None


def test_a_name_that_is_written_in_two_ways_is_one_author() -> None:
    """Bylines shout; and the sign beside a heading is no part of a title."""
    found = metadata_of([meta("author", "Ann Bo; Cy Dee; ANN BO"), element("h1", "Sizes and weights¶")])

    assert found.authors == Found(("Ann Bo", "Cy Dee"), "meta:author")
    assert found.title == Found("Sizes and weights", "html:h1")


@given(records=st.lists(RECORDS, max_size=12), url=st.one_of(st.none(), TEXTS), lines=st.lists(TEXTS, max_size=6))
def test_any_records_give_metadata_and_the_same_again(records: list[Record], url: str | None, lines: list[str]) -> None:
    """Reading never fails, and a page says the same whenever it is asked."""
    assert metadata_of(records, url, lambda: lines) == metadata_of(records, url, lambda: lines)


@given(text=st.text(max_size=80))
def test_any_text_is_a_date_or_none(text: str) -> None:
    """A date that cannot be read is no error; one that can is within the age of print."""
    for found in (
        stated(text),
        written(text, month_first=True),
        written(changed(text), month_first=False),
    ):
        assert found is None or (found.tzinfo is not None and 1449 < found.year < 2101)

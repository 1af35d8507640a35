"""Feeds as files: every form of RSS and Atom, JSON Feed, and the mistakes that real feeds make."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from corpusmill.crawlers.loaders.feed import FeedEntries
from tests.crawlers.loaders.reading import Row, rows, samples


def read(folder: Path, content: str | bytes) -> list[Row]:
    path = folder / "feed.xml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return rows(FeedEntries(), path, name="feed.xml")


def item(folder: Path, content: str, *, channel: str = "", root: str = "") -> Row:
    (row,) = read(folder, f"<rss version='2.0' {root}><channel>{channel}<item>{content}</item></channel></rss>")
    return row


def atom(folder: Path, content: str, *, attributes: str = "", head: str = "") -> Row:
    feed = f"<feed xmlns='http://www.w3.org/2005/Atom' {attributes}>{head}<entry>{content}</entry></feed>"
    (row,) = read(folder, feed)
    return row


def test_an_item_of_rss_fills_the_columns(tmp_path: Path) -> None:
    row = item(
        tmp_path,
        """<title>Tea &amp;amp; coffee</title><link>/news/1</link><guid isPermaLink="false">n-1</guid>
        <pubDate>Tue, 05 Mar 2024 10:30:00 +0100</pubDate><dc:creator>Ann Author</dc:creator>
        <author>ann@example.org</author><category>Food</category><dc:subject>Drinks</dc:subject>
        <description>&lt;p&gt;Prices rose by 5&amp;nbsp;%.&lt;/p&gt;&lt;p&gt;Again.&lt;/p&gt;</description>""",
        channel="<title>Daily</title><link>https://example.org/</link><language>en-GB</language>",
    )

    assert row["source_id"] == "n-1"
    assert row["url"] == "https://example.org/news/1"
    assert row["title"] == "Tea & coffee"
    assert row["published_at"] == datetime(2024, 3, 5, 9, 30, tzinfo=UTC)
    assert row["text"].replace("\xa0", " ") == "Prices rose by 5 %.\n\nAgain."
    assert row["metadata"] == {"feed": "Daily", "language": "en-GB", "categories": "Food; Drinks"}
    assert not any(name in str(row) for name in ("Ann", "ann@"))


def test_the_fuller_of_summary_and_content_is_the_text(tmp_path: Path) -> None:
    summary, content = (
        "<description>Short.</description>",
        "<content:encoded><![CDATA[<p>Long &amp; full.]]></content:encoded>",
    )

    assert item(tmp_path, summary + content)["text"] == "Long & full."
    assert item(tmp_path, content + "<description>A much longer summary than that.</description>")["text"].startswith(
        "A much"
    )


@pytest.mark.parametrize(
    ("element", "text"),
    [
        ('<content type="html">&lt;p&gt;a&lt;/p&gt;&lt;p&gt;b</content>', "a\n\nb"),
        ('<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>a<br/>b</p></div></content>', "a\nb"),
        (
            '<content type="xhtml"><x:div xmlns:x="http://www.w3.org/1999/xhtml"><x:p>a</x:p><x:p>b</x:p></x:div></content>',
            "a\n\nb",
        ),
        ('<summary type="text">1 &lt;b 2</summary>', "1 <b 2"),
        ('<content type="text">&lt;b&gt; stays</content>', "<b> stays"),
        ('<content type="image/png">iVBORw0KGgo=</content><summary>s</summary>', "s"),
        ("<media:group><media:description>film</media:description></media:group>", "film"),
    ],
)
def test_contents_of_atom_are_read_by_their_type(tmp_path: Path, element: str, text: str) -> None:
    assert atom(tmp_path, f"<id>1</id>{element}")["text"] == text


def test_an_entry_of_atom_has_its_own_address_date_and_language(tmp_path: Path) -> None:
    row = atom(
        tmp_path,
        """<id>urn:1</id><title type="html">A &amp;lt;i&gt;b</title><link rel="self" href="x"/>
        <link rel="enclosure" href="a.mp3"/><link href="deep/page"/><updated>2024-05-06T07:08:09Z</updated>
        <published>2024-05-01T00:00:00Z</published><category term="t" label="Topic"/><author><name>Ann</name></author>
        <summary>s</summary>""",
        attributes="xml:base='https://example.org/a/' xml:lang='de'",
        head="<title>F</title>",
    )

    assert (row["source_id"], row["url"]) == ("urn:1", "https://example.org/a/deep/page")
    assert row["published_at"] == datetime(2024, 5, 1, tzinfo=UTC)
    assert row["metadata"] == {"feed": "F", "language": "de", "categories": "Topic"}


@pytest.mark.parametrize(
    ("entry", "channel", "expected"),
    [
        (
            "<creativeCommons:license>http://creativecommons.org/licenses/by/2.0/</creativeCommons:license>",
            "",
            "CC-BY-2.0",
        ),
        ("<cc:license rdf:resource='https://creativecommons.org/publicdomain/zero/1.0/'/>", "", "CC0-1.0"),
        ("<link rel='license' href='https://creativecommons.org/licenses/by-sa/4.0/'/>", "", "CC-BY-SA-4.0"),
        ("<dc:rights>CC BY 4.0</dc:rights>", "<copyright>© A Publisher</copyright>", "CC-BY-4.0"),
        ("", "<copyright>CC BY-NC 4.0</copyright>", "CC-BY-NC-4.0"),
        ("", "<copyright>© A Publisher</copyright>", None),
    ],
)
def test_the_license_is_that_of_the_entry_else_of_the_feed(
    tmp_path: Path, entry: str, channel: str, expected: str | None
) -> None:
    row = item(tmp_path, f"<description>x</description>{entry}", channel=channel)

    assert row["license"] == expected
    assert (row["license_source"] or "feed:").startswith("feed:")


def test_rss_1_and_netscape_forms_are_read(tmp_path: Path) -> None:
    rdf = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
    <channel rdf:about="c"><title>C</title></channel>
    <item rdf:about="https://example.org/1"><title>T</title><description>d</description><dc:date>2020-01-02</dc:date></item>
    </rdf:RDF>"""

    (row,) = read(tmp_path, rdf)

    assert (row["source_id"], row["text"], row["metadata"]) == ("https://example.org/1", "d", {"feed": "C"})
    assert row["published_at"] == datetime(2020, 1, 2, tzinfo=UTC)


def test_a_json_feed_is_read(tmp_path: Path) -> None:
    items: list[Any] = [
        {"id": 7, "url": "/p", "content_html": "<p>a</p><p>b</p>", "summary": "s", "tags": ["x"], "title": "T"},
        {"id": "8", "content_text": "plain\ntext", "date_modified": "2024-02-03T04:05:06Z"},
        {"url": "https://example.org/q"},
        "no object",
    ]
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "J",
        "home_page_url": "https://example.org",
        "items": items,
    }

    first, second, empty, broken = read(tmp_path, json.dumps(feed))

    assert (first["source_id"], first["url"], first["text"]) == ("7", "https://example.org/p", "a\n\nb")
    assert first["metadata"] == {"feed": "J", "categories": "x"}
    assert (second["text"], second["published_at"]) == ("plain\ntext", datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC))
    assert (empty["source_id"], empty["rule"]) == ("https://example.org/q", "error.no_text")
    assert broken["rule"] == "error.not_json"


def test_a_broken_entry_is_set_aside_and_its_neighbors_are_read(tmp_path: Path) -> None:
    feed = (
        "<rss><channel><item><guid>1</guid><description>one</description></item>"
        "<item><guid>2</guid><description>two</b></description></item>"
        "<item><guid>3</guid><description>R&D caf&eacute;\x08</description></item></channel></rss> trailing"
    )

    one, two, three = read(tmp_path, feed)

    assert (one["text"], three["text"]) == ("one", "R&D café")
    assert two["rule"] == "error.not_xml"


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"<html><body>no feed</body></html>", "error.wrong_format"),
        (b"no markup at all", "error.wrong_format"),
        (b'{"a": 1}', "error.wrong_format"),
        (b'{"items": [', "error.not_json"),
        (b"<rss><channel><item><description>cut", "error.truncated"),
        (b"<rss><channel><item>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</item></channel></rss>", "error.not_xml"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_feed_is_set_aside_with_its_name(tmp_path: Path, content: bytes, rule: str) -> None:
    (row,) = read(tmp_path, content)

    assert row["rule"] == rule
    assert rule == "error.not_xml" or row["message"].startswith("feed.xml: ")


def test_an_entry_with_entities_of_the_file_is_set_aside_and_its_neighbor_published(tmp_path: Path) -> None:
    bomb = """<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b SYSTEM "file:///etc/passwd">]>
    <rss><channel><item><description>&a;&b;</description></item>
    <item><description>Fish &amp; chips&nbsp;</description></item></channel></rss>"""

    broken, good = read(tmp_path, bomb)

    assert broken["rule"] == "error.entities"
    assert good["text"] == "Fish & chips"


@pytest.mark.parametrize(
    "feed",
    [
        "<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:title>F</a:title><a:entry><a:title>T</a:title>"
        "<a:summary>Words</a:summary></a:entry></a:feed>",
        "<r:rss xmlns:r='http://backend.userland.com/rss2'><r:channel><r:title>F</r:title><r:item><r:title>T</r:title>"
        "<r:description>Words</r:description></r:item></r:channel></r:rss>",
        "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns:x='http://purl.org/rss/1.0/'>"
        "<x:channel><x:title>F</x:title></x:channel><x:item><x:title>T</x:title><x:description>Words</x:description>"
        "</x:item></rdf:RDF>",
    ],
)
def test_a_feed_without_a_default_namespace_is_read(tmp_path: Path, feed: str) -> None:
    (row,) = read(tmp_path, feed)

    assert (row["title"], row["text"], row["metadata"]) == ("T", "Words", {"feed": "F"})


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("<title>The &lt;video&gt; tag</title>", "The <video> tag"),
        ("<title>&lt;i&gt;Emma&lt;/i&gt; &amp;amp;amp; Co</title>", "Emma & Co"),
        ('<title type="text">How &lt;b&gt; works</title>', "How <b> works"),
        ('<title type="xhtml"><div>Why <b>&lt;i&gt;</b></div></title>', "Why <i>"),
    ],
)
def test_words_of_a_title_that_look_like_tags_stay(tmp_path: Path, title: str, words: str) -> None:
    assert atom(tmp_path, f"{title}<summary>s</summary>")["title"] == words


def test_base64_of_atom_03_is_decoded(tmp_path: Path) -> None:
    content = '<content type="text/html" mode="base64">RXhhbXBsZSA8Yj5BdG9tPC9iPg==</content>'

    assert atom(tmp_path, content)["text"] == "Example Atom"
    assert atom(tmp_path, content.replace("RXhh", "\u00e9"))["rule"] == "error.no_text"


@pytest.mark.parametrize(
    ("date", "day"), [("lun., 02 janv. 2006 15:04:05 +0100", 2), ("Jan 3, 2006", 3), ("02/01/2006", None)]
)
def test_a_date_in_words_is_a_day_and_an_unclear_one_is_none(tmp_path: Path, date: str, day: int | None) -> None:
    row = item(tmp_path, f"<description>a</description><pubDate>{date}</pubDate>")

    assert row["published_at"] == (datetime(2006, 1, day, tzinfo=UTC) if day else None)


def test_all_real_feeds_are_read_or_refused_with_a_reason() -> None:
    texts = {path.name: rows(FeedEntries(), path, name=path.name) for path in samples("feed")}

    assert {name: sum(row["text"] is not None for row in found) for name, found in texts.items()} == {
        "feed-sample1.xml": 0,  # a list of products
        "feed.json": 25,
        "feed1.atom": 2,
        "feed2.rss": 1,
        "rss_entries.xml": 12,  # the others have an empty description
        "stormcrawler.rss": 6,
    }

"""Sitemaps and feeds of any kind are read, within bounds, and up to the first error."""

from __future__ import annotations

import gzip
import os
import tracemalloc
import zlib
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.crawlers.discovery.listing import MAX_ENTRIES, Listing, newest_first
from corpusmill.crawlers.discovery.reading import MAX_FEED_BYTES, MAX_SITEMAP_BYTES, read_listing

SAMPLES = Path(os.environ.get("CORPUSMILL_SHARED", "/nowhere")) / "data" / "samples"


def _read(body: bytes | str, *, role: Literal["sitemap", "feed"] = "sitemap", media_type: str = "") -> Listing:
    return read_listing(body.encode() if isinstance(body, str) else body, role=role, media_type=media_type)


def _addresses(listing: Listing) -> list[str]:
    return [item.address for item in (*listing.pages, *listing.sitemaps)]


def _urlset(*addresses: str, head: str = "") -> str:
    return f"{head}<urlset>{''.join(f'<url><loc>{address}</loc></url>' for address in addresses)}</urlset>"


@pytest.mark.parametrize(
    ("name", "pages", "sitemaps"),
    [
        ("sitemap/sitemap.xml", 84, 0),
        ("sitemap/sitemap.xml.gz", 84, 0),
        ("sitemap/sitemap2.xml", 0, 2),
        ("sitemap/sitemap-hreflang.xml", 12, 0),
        ("sitemap/sitemap-news.xml", 3, 0),
        ("sitemap/feed-with-sitemap-namespace.xml", 2, 0),
        ("sitemap/stormcrawler.sitemap.index.xml", 0, 4),
        ("sitemap/stormcrawler.sitemap.extensions.image.xml", 7, 0),
        ("feed/feed.json", 25, 0),
        ("feed/feed2.rss", 1, 0),
        ("feed/rss_entries.xml", 30, 0),
    ],
)
def test_real_files_are_read_whole(name: str, pages: int, sitemaps: int) -> None:
    """The numbers were counted with grep; images and videos in a sitemap are no pages."""
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"no {path}")

    listing = _read(path.read_bytes(), role="feed" if name.startswith("feed/") else "sitemap")

    assert listing.problem is None
    assert (len(listing.pages), len(listing.sitemaps)) == (pages, sitemaps)
    assert all(address.startswith("http") for address in _addresses(listing))


FEEDS = {
    "rss 2.0": "<rss><channel><link>/home</link><item><link>/a</link></item>"
    "<item><guid>/b</guid></item></channel></rss>",
    "rss 0.91": '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://x.example/rss.dtd"><rss>'
    "<channel><item><title>&eacute;</title><link>/a</link></item><item><link>/b</link></item></channel></rss>",
    "rss 1.0": '<rdf:RDF xmlns:rdf="r" xmlns="n"><item rdf:about="x"><link>/a</link></item>'
    "<item><link><![CDATA[ /b ]]></link></item></rdf:RDF>",
    "atom link in rss": "<rss><channel><item><atom:link href='/x' rel='self'/><link>/a</link></item>"
    "<item><guid isPermaLink='false'>/x</guid><link>/b</link></item></channel></rss>",
    "atom": "<feed><link href='/home'/><entry><link rel='self' href='/x'/><link href='/a'/></entry>"
    "<entry><link rel='alternate' href='/b'/><link href='/x'/><content><a href='/x'/></content></entry></feed>",
    "atom with a prefix": "<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:entry><a:link href='/a'/></a:entry>"
    "<a:entry><a:link href='/b'/></a:entry></a:feed>",
    "json": '{"home_page_url": "/home", "items": [{"url": "/a", "external_url": "/x"}, {"url": "/b"}]}',
}


@pytest.mark.parametrize("name", FEEDS)
def test_each_format_of_feeds_gives_the_links_of_its_entries(name: str) -> None:
    """The links of the feed itself, of comments and of enclosures are no entries."""
    listing = _read(FEEDS[name], role="feed")

    assert listing.problem is None
    assert _addresses(listing) == ["/a", "/b"]


def test_an_identifier_that_is_no_address_is_not_followed() -> None:
    """The entry counts, and the ledger says that it has no address."""
    listing = _read("<rss><item><guid isPermaLink='false'>/x</guid></item></rss>", role="feed")

    assert _addresses(listing) == [""]


def test_relative_addresses_of_atom_start_at_its_base() -> None:
    """`xml:base` may be nested (RFC 4287 §2)."""
    inner = "<entry xml:base='c/'><link href='x'/></entry><entry><link href='y'/></entry>"

    listing = _read(f"<feed xml:base='http://a.example/b/'>{inner}</feed>", role="feed")

    assert _addresses(listing) == ["http://a.example/b/c/x", "http://a.example/b/y"]


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (_urlset("http://a/é").encode("utf-8-sig"), ""),
        (_urlset("http://a/é").encode("utf-16"), ""),
        (_urlset("http://a/é").encode("utf-16-le"), ""),
        (_urlset("http://a/é").encode("utf-16-be"), ""),
        (_urlset("http://a/é", head='<?xml version="1.0" encoding="ISO-8859-1"?>').encode("latin-1"), ""),
        (_urlset("http://a/é", head='<?xml version="1.0" encoding="utf-16"?>').encode(), ""),
        (_urlset("http://a/é").encode("latin-1"), "text/xml; charset=iso-8859-1"),
        (("\r\n  " + _urlset("http://a/é", head='<?xml version="1.0"?>')).encode(), ""),
        ("http://a/é\r\n\r\n".encode("utf-8-sig"), "text/plain"),
        (_urlset("http://a/é").replace("urlset", "urlset xmlns='http://wrong.example'", 1).encode(), ""),
        (gzip.compress(_urlset("http://a/é").encode()), ""),
        (gzip.compress(gzip.compress(_urlset("http://a/é").encode())), ""),
        (gzip.compress(b"<urlset><url><loc>http") + gzip.compress("://a/é</loc></url></urlset>".encode()), ""),
    ],
)
def test_encodings_and_compression_are_found_in_the_content(body: bytes, media_type: str) -> None:
    """Servers declare them wrongly or not at all."""
    listing = _read(body, media_type=media_type)

    assert listing.problem is None
    assert _addresses(listing) == ["http://a/é"]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("", "the file is empty"),
        ("<!DOCTYPE html><title>Not found</title>", "it is a web page"),
        ("Not found", "neither XML nor a list of web addresses"),
        ("<products/>", "the root element is <products>"),
        ("<urlset><url><loc>/a</loc></url><url>", "line 1: no element found"),
        (b"\x1f\x8b\x08 not gzip", "the compressed data are damaged"),
        ("<!DOCTYPE u [<!ENTITY a 'b'>]><urlset/>", "it declares the entity `a`"),
        ("<!DOCTYPE u [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><urlset/>", "it declares the entity `a`"),
        ("<!DOCTYPE u [<!ENTITY % a SYSTEM 'http://127.0.0.1/'> %a;]><urlset/>", "it declares the entity `a`"),
    ],
)
def test_what_is_no_sitemap_has_a_reason(body: str | bytes, problem: str) -> None:
    """The reason is in the ledger."""
    listing = _read(body)

    assert listing.problem is not None
    assert listing.problem.kind == "invalid"
    assert problem in listing.problem.message


def test_what_comes_before_an_error_is_used() -> None:
    """A file that was cut off, in XML or in its compression, still names pages."""
    body = _urlset(*(f"http://a/{number:x}" for number in range(20_000))).encode()
    packed = gzip.compress(body)

    in_xml = _read(body[:-100])
    in_gzip = _read(packed[: len(packed) // 2])
    in_feed = _read('{"items": [', role="feed")

    assert in_xml.entries > 19_990
    assert 5_000 < in_gzip.entries < 15_000
    assert in_xml.problem is not None
    assert in_gzip.problem is not None
    assert in_gzip.problem.message == "the compressed data break off"
    assert in_feed.problem is not None
    assert in_feed.problem.message.startswith("not JSON")


def _packed(head: bytes, repeated: bytes, *, size: int) -> bytes:
    """Return *head* and then *repeated* up to *size* bytes, compressed twice without holding them."""
    inner, outer = zlib.compressobj(wbits=31), zlib.compressobj(wbits=31)
    piece = repeated * (100_000 // len(repeated))
    parts = [outer.compress(inner.compress(head))]
    parts += [outer.compress(inner.compress(piece)) for _ in range(size // len(piece))]
    return b"".join((*parts, outer.compress(inner.flush()), outer.flush()))


@pytest.mark.parametrize(
    ("head", "repeated", "problem"),
    [
        (b"<urlset>", b"<a>", "more than 64 nested elements"),
        (b"<urlset><url>", b"<x:link rel='alternate' href=''/>", "more than 1,000 alternates of a page"),
        (b"<urlset>", b" ", f"above {MAX_SITEMAP_BYTES:,} bytes"),
        (b"<urlset><!--", b"x", "a tag or a comment above"),
        (b"<urlset a='", b"x", "a tag or a comment above"),
        (b"<urlset><url><loc>", b"x", f"above {MAX_SITEMAP_BYTES:,} bytes"),
        (b"http://", b"a", f"above {MAX_SITEMAP_BYTES:,} bytes"),
    ],
)
def test_a_bomb_takes_little_memory_and_time(head: bytes, repeated: bytes, problem: str) -> None:
    """Each is at most 1 kB when it is sent; nested elements took 3 GB and a minute."""
    body = _packed(head, repeated, size=60_000_000)

    tracemalloc.start()
    listing = _read(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(body) < 2_000
    assert listing.problem is not None
    assert listing.problem.kind == "too_large"
    assert problem in listing.problem.message
    assert peak < 25_000_000


@pytest.mark.parametrize(("head", "entry"), [("", "http://a/\n"), ("<urlset>", "<url><loc/></url>")])
def test_entries_are_bounded(head: str, entry: str) -> None:
    """The protocol allows 50,000; the first ones are used."""
    listing = _read(head + entry * (MAX_ENTRIES + 1))

    assert listing.entries == MAX_ENTRIES
    assert listing.problem is not None
    assert listing.problem.message == f"more than {MAX_ENTRIES:,} entries"


def test_distinct_names_are_bounded() -> None:
    """Expat keeps each name of an element or attribute until the end of the file."""
    elements = _read("<urlset>" + "".join(f"<a{number}/>" for number in range(100_000)))
    attributes = _read("<urlset " + "".join(f"a{number}='' " for number in range(50_000)) + "/>")

    assert elements.problem is not None
    assert attributes.problem is not None
    assert "names of elements" in elements.problem.message
    assert "names of elements" in attributes.problem.message


def test_a_json_feed_is_bounded_before_it_is_parsed() -> None:
    """Empty lists in JSON take about 20 times their size in memory."""
    deep = _read('{"items": ' + "[" * 1_000_000, role="feed")
    large = _read(_packed(b'{"items": [', b"[],", size=MAX_FEED_BYTES + 1_000_000), role="feed")

    assert deep.problem is not None
    assert "recursion" in deep.problem.message
    assert large.problem is not None
    assert large.problem.message == f"above {MAX_FEED_BYTES:,} bytes"


def test_the_newest_pages_come_first_and_those_without_a_date_last() -> None:
    """With a budget, a crawl then fetches what changed. Pages with the same date keep their order."""
    dates = ("2024-01-01", "", "2025-01-01T00:00:00+02:00", "2025-01-01T00:00:00Z", "soon", "2024")
    entries = "".join(f"<url><loc>{at}</loc><lastmod>{date}</lastmod></url>" for at, date in enumerate(dates))
    news = "<url><loc>news</loc><n:news><n:publication_date>2026-01-01</n:publication_date></n:news></url>"

    listing = _read(f"<urlset>{entries}{news}</urlset>")

    assert [item.address for item in newest_first(listing.pages)] == ["news", "3", "2", "0", "5", "1", "4"]


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200), role=st.sampled_from(("sitemap", "feed")), packed=st.booleans())
def test_any_bytes_give_a_listing(body: bytes, role: Literal["sitemap", "feed"], packed: bool) -> None:
    """Bad input is an answer, not a crash."""
    whole = b"<urlset>" + body if packed else body

    listing = _read(gzip.compress(whole) if packed else whole, role=role)

    assert listing.problem is not None or listing.entries

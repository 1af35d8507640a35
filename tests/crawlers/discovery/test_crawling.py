"""A crawl finds pages in sitemaps, feeds and lists of URLs, and records what it does not use."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from corpusmill.crawlers.crawl import crawl
from corpusmill.crawlers.job import Limits
from corpusmill.crawlers.loaders.warc import Warc
from corpusmill.pipelines.stages.extract import Extract
from corpusmill.schemas.document import CAPTURE
from corpusmill.schemas.errors import RecipeError, SourceError
from corpusmill.schemas.raw import RawManifest
from tests.crawlers.sites import CONTACT, QUICK, SITE_FILES, Answer, Site, archived, ledger, page, serve, source_of

XML = {"Content-Type": "application/xml"}


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "site"


def urlset(*paths: str) -> Answer:
    """Return a sitemap of *paths*, each with its `lastmod` after a blank, if any."""
    entries = ""
    for path in paths:
        address, _, date = path.partition(" ")
        entries += f"<url><loc>{address}</loc>{date and f'<lastmod>{date}</lastmod>'}</url>"
    return Answer(f"<urlset>{entries}</urlset>", headers=XML)


def index(*paths: str) -> Answer:
    """Return an index of the sitemaps *paths*."""
    entries = "".join(f"<sitemap><loc>{path}</loc></sitemap>" for path in paths)
    return Answer(f"<sitemapindex>{entries}</sitemapindex>", headers=XML)


def robots(*lines: str) -> Answer:
    return Answer("\n".join(lines), headers={"Content-Type": "text/plain"})


def _crawl(site: Site, raw_dir: Path, *, limits: Limits = QUICK, base: Path = Path(), **options: object) -> RawManifest:
    return crawl(source_of(site, **{"start_urls": (), **options}), raw_dir, limits=limits, base=base)


def _pages(site: Site) -> list[str]:
    """Return the requested paths, in order, without the files of the site."""
    return [path for path in site.paths if path not in SITE_FILES]


def test_the_sitemaps_of_robots_txt_are_read_through_an_index_and_newest_pages_come_first(raw_dir: Path) -> None:
    """Pages that no page links to are found, each once."""
    with serve({"/": page("/a"), "/a": page(), "/b": page(), "/c": page(), "/d": page()}) as site:
        site.answers["/robots.txt"] = robots(f"Sitemap: {site.url}/index.xml")
        coded = gzip.compress(str(index("/s.xml.gz").body).encode())
        site.answers["/index.xml"] = Answer(coded, headers=XML | {"Content-Encoding": "gzip"})
        packed = gzip.compress(str(urlset("/a", "/b 2024-05-01", "/c 2025-01-01", "/d 2024").body).encode())
        site.answers["/s.xml.gz"] = Answer(packed, headers={"Content-Type": "application/octet-stream"})
        manifest = _crawl(site, raw_dir, start_urls=(site.url + "/",), sitemaps=True, max_depth=1)

    assert _pages(site) == ["/", "/index.xml", "/s.xml.gz", "/a", "/c", "/b", "/d"]
    assert ledger(raw_dir, manifest) == {}
    assert manifest.counts["pages"] == 5
    assert manifest.counts["listings"] == 2
    assert manifest.counts["responses"] == len(archived(raw_dir)) == 7 + len(SITE_FILES)


def test_without_the_field_no_sitemap_is_read(raw_dir: Path) -> None:
    """An existing recipe fetches what it did before."""
    with serve({"/": page(), "/s.xml": urlset("/a")}) as site:
        site.answers["/robots.txt"] = robots(f"Sitemap: {site.url}/s.xml")
        _crawl(site, raw_dir, start_urls=(site.url + "/",))

    assert _pages(site) == ["/"]


def test_pages_of_a_sitemap_obey_the_patterns_and_hosts_of_the_crawl(raw_dir: Path) -> None:
    """`allow` is about pages, so it need not match the sitemap."""
    answers = {"/s.xml": urlset("/in/a", "/in/old", "/out", "http://other.example/in/x"), "/in/a": page()}
    with serve(answers) as site:
        manifest = _crawl(site, raw_dir, sitemaps=(site.url + "/s.xml",), allow=("/in/",), deny=("old",))

    assert _pages(site) == ["/s.xml", "/in/a"]
    assert ledger(raw_dir, manifest) == {
        "/in/old": "scope.denied",
        "/out": "scope.not_allowed",
        "http://other.example/in/x": "scope.offsite",
    }


def test_robots_txt_holds_for_sitemaps_and_their_pages(raw_dir: Path) -> None:
    """A sitemap is no permission."""
    answers = {
        "/robots.txt": robots("User-agent: *", "Disallow: /private"),
        "/s.xml": urlset("/a", "/private/b"),
        "/a": page(),
    }
    with serve(answers) as site:
        sitemaps = (site.url + "/s.xml", site.url + "/private.xml")
        manifest = _crawl(site, raw_dir, sitemaps=sitemaps)

    assert ledger(raw_dir, manifest) == {"/private/b": "robots.disallowed", "/private.xml": "robots.disallowed"}


def test_a_sitemap_with_an_error_is_used_up_to_it_and_the_rest_is_in_the_ledger(raw_dir: Path) -> None:
    """The same holds for missing files and for pages of errors; none of them ends the crawl."""
    answers = {
        "/cut.xml": Answer("<urlset><url><loc>/a</loc></url><url><loc>/b?x&y</loc></url></urlset>", headers=XML),
        "/entity.xml": Answer('<!DOCTYPE a [<!ENTITY x "y">]><urlset><url><loc>/a</loc></url></urlset>', headers=XML),
        "/page.xml": page(),
        "/long.xml": urlset(*(f"/{number}" for number in range(5000))),
        "/bad.xml": urlset("/a", "mailto:a@example.org", ""),
        "/a": page(),
    }
    with serve(answers) as site:
        names = ("/cut.xml", "/entity.xml", "/page.xml", "/missing.xml", "/long.xml", "/bad.xml")
        limits = Limits(timeout_s=5.0, retries=0, listing_bytes=150)
        manifest = _crawl(site, raw_dir, limits=limits, sitemaps=tuple(site.url + name for name in names), max_pages=4)

    refused = ledger(raw_dir, manifest)
    assert {name: refused.get(name) for name in names} == {
        "/cut.xml": "sitemap.invalid",
        "/entity.xml": "sitemap.invalid",
        "/page.xml": "sitemap.invalid",
        "/missing.xml": "http.404",
        "/long.xml": "sitemap.too_large",
        "/bad.xml": "sitemap.invalid",
    }
    assert "/a" in site.paths
    assert "/0" in site.paths


def test_sitemaps_on_other_hosts_are_read_only_if_robots_txt_names_them(raw_dir: Path) -> None:
    """Anyone can write a sitemap of someone else's pages."""
    with serve({"/": page(), "/a": page()}) as site, serve({"/x": page()}, host="127.0.0.2") as other:
        site.answers["/robots.txt"] = Answer(status=301, headers={"Location": f"{other.url}/robots-of-site"})
        other.answers["/robots-of-site"] = robots(f"Sitemap: {other.url}/ours.xml", "Sitemap: ftp://example.org/s.xml")
        other.answers["/ours.xml"] = index(f"{site.url}/moved.xml", f"{other.url}/more.xml", "http://third.example/s")
        other.answers["/more.xml"] = urlset(f"{site.url}/a", f"{other.url}/x")
        site.answers["/moved.xml"] = Answer(status=302, headers={"Location": "/s.xml"})
        site.answers["/s.xml"] = urlset("/a")
        manifest = _crawl(site, raw_dir, start_urls=(site.url + "/",), sitemaps=True)

    assert sorted(_pages(site)) == ["/", "/a", "/moved.xml", "/s.xml"]
    assert sorted(_pages(other)) == ["/more.xml", "/ours.xml", "/robots-of-site"]
    assert ledger(raw_dir, manifest) == {
        "http://third.example/s": "scope.offsite",
        f"{other.url}/x": "scope.offsite",
        "ftp://example.org/s.xml": "sitemap.invalid",
    }


def test_indexes_that_never_end_are_cut_by_depth_and_number(raw_dir: Path) -> None:
    """Sitemaps do not count as pages, so `max_pages` does not end them."""

    def generate(path: str) -> Answer | None:
        return index(f"{path}1", path) if path.startswith("/s") else None

    with serve({"/": page()}, generate=generate) as site:
        options = {"start_urls": (site.url + "/",), "sitemaps": (site.url + "/s", site.url + "/s2")}
        deep = _crawl(site, raw_dir, **options)
        deep_rules = set(ledger(raw_dir, deep).values())
        limits = Limits(timeout_s=5.0, retries=0, max_listings=5)
        few = _crawl(site, raw_dir, limits=limits, **options)

    assert deep.counts["listings"] == 2 * 6
    assert deep_rules == {"sitemap.too_deep"}
    assert few.counts["listings"] == 5
    assert set(ledger(raw_dir, few).values()) == {"budget.listings"}


def test_the_entries_of_feeds_are_queued_and_those_that_start_pages_announce(raw_dir: Path) -> None:
    """A page announces its feeds with `<link rel=alternate>`; each has an entry of its own."""
    rss = "<rss><channel><link>/x</link><item><link>/from-rss</link></item></channel></rss>"
    atom = '<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="/from-atom"/></entry></feed>'
    head = '<link rel="alternate" type="application/atom+xml" href="/atom"><link rel="alternate" href="/de">'
    answers = {
        "/": page("/a", head=head),
        "/a": page(head=head.replace('"/atom"', '"/comments"')),
        "/rss": Answer(rss, headers=XML),
        "/atom": Answer(atom, headers=XML),
        "/json": Answer('{"items": [{"url": "/from-json"}]}', headers={"Content-Type": "application/feed+json"}),
        **{name: page() for name in ("/from-rss", "/from-atom", "/from-json")},
    }
    with serve(answers) as site:
        _crawl(site, raw_dir, start_urls=(site.url + "/",), feeds=True)
        announced = _pages(site)
        site.seen.clear()
        manifest = _crawl(site, raw_dir, feeds=(site.url + "/rss", site.url + "/json"))

    assert announced == ["/", "/atom", "/a", "/from-atom"]
    assert _pages(site) == ["/rss", "/json", "/from-rss", "/from-json"]
    assert ledger(raw_dir, manifest) == {}


def test_a_file_that_is_linked_as_a_page_is_read_as_a_sitemap_all_the_same(raw_dir: Path) -> None:
    """Both roles have an outcome of their own."""
    with serve({"/": page("/s.xml"), "/s.xml": urlset("/a"), "/a": page()}) as site:
        manifest = _crawl(site, raw_dir, start_urls=(site.url + "/",), sitemaps=(site.url + "/s.xml",))

    assert "/a" in site.paths
    assert ledger(raw_dir, manifest) == {"/s.xml": "content.not_html"}


def test_lists_of_urls_are_crawled_and_broken_lines_are_in_the_ledger(raw_dir: Path, tmp_path: Path) -> None:
    """Their hosts are in scope; the ledger names file and line."""
    with serve({"/a": page("/more"), "/more": page(), "/b": page()}) as site:
        (tmp_path / "one.txt").write_text(f"\ufeff# pages\n{site.url}/a\n\nnot an address\n{site.url}/denied\n")
        (tmp_path / "two.gz").write_bytes(gzip.compress(f"{site.url}/b\r\n{site.url}/a".encode()))
        manifest = _crawl(site, raw_dir, urls=("one.txt", "*.gz"), base=tmp_path, deny=("denied",))

    assert sorted(_pages(site)) == ["/a", "/b", "/more"]
    rows = _rows(raw_dir, manifest)
    assert {row["url"].removeprefix(site.url): row["rule"] for row in rows} == {
        "not an address": "urls.invalid",
        "/denied": "scope.denied",
    }
    assert next(row["message"] for row in rows if row["rule"] == "urls.invalid").startswith("one.txt, line 4: ")


def _rows(raw_dir: Path, manifest: RawManifest) -> list[dict[str, str]]:
    import pyarrow.parquet as pq

    return [row for name in manifest.ledger for row in pq.read_table(raw_dir / name).to_pylist()]


def test_a_list_of_urls_that_cannot_be_read_ends_the_crawl_before_it_starts(raw_dir: Path, tmp_path: Path) -> None:
    """A crawl of half a list would look like a whole one."""
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"http://127.0.0.1:1/a\n" * 1000)[:-20])
    (tmp_path / "binary.txt").write_bytes(b"\0\1\2")
    with serve({}) as site:
        for name, message in (("cut.gz", "cut.gz"), ("binary.txt", "null character"), ("none.txt", "none.txt")):
            with pytest.raises((RecipeError, SourceError), match=message):
                _crawl(site, raw_dir, urls=name, base=tmp_path)

    assert site.paths == []


def test_a_sitemap_alone_that_names_no_page_is_an_error_with_its_reason(raw_dir: Path) -> None:
    """An empty corpus needs an explanation."""
    with serve({"/s.xml": page()}) as site, pytest.raises(SourceError, match="it is a web page") as error:
        _crawl(site, raw_dir, sitemaps=(site.url + "/s.xml",))

    assert error.value.hint == "correct the addresses in `sitemaps`"


def test_the_loader_takes_no_sitemap_for_a_document(raw_dir: Path) -> None:
    """A sitemap in plain text has the media type of a document."""
    with serve({"/a": page()}) as site:
        site.answers["/s.txt"] = Answer(f"{site.url}/a\n", headers={"Content-Type": "text/plain"})
        manifest = _crawl(site, raw_dir, sitemaps=(site.url + "/s.txt",))
        counts: Counter[str] = Counter()
        (file,) = manifest.files
        batches = list(Warc().read(str(raw_dir / file.path), name=file.path, counts=counts))

    assert [row["url"].removeprefix(site.url) for batch in batches for row in batch.to_pylist()] == ["/a"]
    assert counts["sitemap"] == 1


def test_a_news_sitemap_dates_and_names_pages_that_say_nothing(raw_dir: Path) -> None:
    """Its entries reach the documents through the archive; what a page states itself is more reliable."""
    news = """<urlset xmlns:news="http://www.google.com/schemas/sitemap-news/0.9" xmlns:image="i">{}</urlset>"""
    entry = (
        "<url><loc>{}</loc><image:image><image:title>A photo</image:title></image:image><news:news><news:publication>"
        "<news:name>Daily</news:name></news:publication><news:publication_date>2024-03-05T08:00:00+01:00"
        "</news:publication_date><news:title> Tea &amp; caf\u00e9\n prices </news:title></news:news></url>"
    )
    story = "<p>The price of tea rose again on Tuesday, because the harvest of the spring was small.</p>"
    own = f"<title>Own title</title><meta property='article:published_time' content='2020-01-01'>{story}"
    sitemap = Answer(news.format(entry.format("/bare") + entry.format("/own")), headers=XML)
    with serve({"/news.xml": sitemap, "/bare": Answer(story), "/own": Answer(own)}) as site:
        _crawl(site, raw_dir, sitemaps=(site.url + "/news.xml",))

    (archive,) = raw_dir.glob("*.warc.gz")
    rows = [row for batch in Warc().read(str(archive), name=archive.name) for row in batch.to_pylist()]
    captures = [{**row, "id": str(place), "source": "site"} for place, row in enumerate(rows)]
    columns = Extract().build()(pa.RecordBatch.from_pylist(captures, schema=CAPTURE))
    bare, stated = sorted(columns.to_pylist(), key=lambda row: str(row["url"]))
    facts = dict(pair.values() for pair in bare["metadata"])

    assert (bare["title"], bare["published_at"]) == ("Tea & caf\u00e9 prices", datetime(2024, 3, 5, 7, tzinfo=UTC))
    assert facts["title_source"] == facts["published_at_source"] == "sitemap:news"
    assert (stated["title"], stated["published_at"]) == ("Own title", datetime(2020, 1, 1, tzinfo=UTC))


def test_a_kill_while_sitemaps_are_read_loses_no_page(raw_dir: Path, tmp_path: Path) -> None:
    """A sitemap is settled together with its entries, so it is read again or all of them are queued."""
    names = [f"/{number}" for number in range(30)]
    answers = {f"/s{part}.xml": urlset(*names[part::3]) for part in range(3)}
    answers |= {"/index.xml": index(*answers), **{name: page() for name in names}}
    with serve(answers) as site:
        source = source_of(site, start_urls=(), sitemaps=(site.url + "/index.xml",), contact=CONTACT)
        program = (
            "import sys, pathlib; from corpusmill.crawlers.crawl import crawl;"
            "from corpusmill.schemas.crawl_source import CrawlSource;"
            "crawl(CrawlSource.model_validate_json(sys.argv[1]), pathlib.Path(sys.argv[2]))"
        )
        for number in (2, 4):
            child = subprocess.Popen([sys.executable, "-c", program, source.model_dump_json(), str(raw_dir)])

            def kill(path: str, *, child: subprocess.Popen[bytes] = child, number: int = number) -> None:
                if len(set(_pages(site))) >= number:
                    os.kill(child.pid, signal.SIGKILL)

            site.before = kill
            child.wait()
        site.before = None
        manifest = crawl(source, raw_dir)

    assert manifest.counts["pages"] == len(names)
    assert manifest.counts["listings"] == 4
    kept = Counter(url for url, status, _ in archived(raw_dir) if status == 200 and not url.endswith(".txt"))
    assert max(kept.values()) == 1
    assert len(kept) == len(names) + 4

"""A recrawl asks whether known pages changed, stores what changed, and records what is gone."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastwarc.warc import WarcRecordType
from warcio.checker import Checker

from corpusmill.crawlers.crawl import crawl
from corpusmill.schemas.errors import UnfinishedError
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.storage import open_store
from tests.crawlers.recrawl.sites import Nights, articles, gone, records, tagged
from tests.crawlers.sites import QUICK, Answer, Site, ledger, page, serve, source_of

ROBOTS = {"Content-Type": "text/plain"}


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "site"


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(articles("a", "b", "c")) as site:
        yield site


def is_valid(raw_dir: Path) -> bool:
    """Check the archives with warcio, like `warcio check`."""
    checker = Checker(SimpleNamespace(inputs=[str(path) for path in raw_dir.glob("*.warc.gz")], verbose=False))
    with redirect_stdout(io.StringIO()):
        return checker.process_all() == 0


def counts(manifest: RawManifest) -> dict[str, int]:
    """Return the counts of a recrawl that are not 0."""
    names = ("pages", "revisits", "new", "changed", "carried", "gone")
    return {name: manifest.counts[name] for name in names if manifest.counts[name]}


def test_an_unchanged_site_answers_without_bodies_and_none_is_stored_twice(site: Site, raw_dir: Path) -> None:
    """A nightly recrawl must cost neither the site nor the disk anything."""
    nights = Nights(site, raw_dir)
    first = nights.crawl(recrawl=False)

    second = nights.crawl()

    assert nights.requests == {path: {"If-None-Match": site.answers[path].headers["ETag"]} for path in site.answers}
    assert records(raw_dir, WarcRecordType.response, number=1) == []
    originals = {record["WARC-Target-URI"]: record for record in records(raw_dir, WarcRecordType.response, number=0)}
    revisits = {record["WARC-Target-URI"]: record for record in records(raw_dir, WarcRecordType.revisit, number=1)}
    assert revisits.keys() == originals.keys()
    for url, revisit in revisits.items():
        original = originals[url]
        is_page = "/robots.txt" not in url and "/ai.txt" not in url and "/tdmrep" not in url
        profile = "server-not-modified" if is_page else "identical-payload-digest"
        assert revisit["WARC-Profile"] == f"http://netpreserve.org/warc/1.1/revisit/{profile}"
        assert revisit["WARC-Refers-To-Target-URI"] == url
        assert revisit["WARC-Refers-To-Date"] == original["WARC-Date"] < revisit["WARC-Date"]
        assert revisit["WARC-Payload-Digest"] == original["WARC-Payload-Digest"]
    assert is_valid(raw_dir)
    assert [(file.path, file.responses) for file in second.files] == [
        ("site-00000.warc.gz", 7),
        ("site-00001.warc.gz", 0),
    ]
    assert second.files[0] == first.files[0]
    assert counts(second) == {"pages": 4, "revisits": 4}
    assert (second.counts["requests"], second.counts["responses"]) == (7, 0)
    assert (first.generation, second.generation) == (0, 1)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Odd]:
    """A site with every kind of page, in three nights; from the second one on it is another one."""
    folder = tmp_path_factory.mktemp("odd") / "raw" / "site"
    packed = {"Content-Type": "text/html", "Content-Encoding": "gzip"}
    date = {"Last-Modified": "Sun, 29 Nov 2026 10:00:00 GMT"}
    names = ("a", "b", "stray", "noai", "noindex", "disallowed", "moved", "away", "failing", "vanished", "changed")
    answers = articles(*names) | {
        "/packed": Answer(gzip.compress(b"<p>compressed"), headers=packed),
        "/plain": page(text="no validators"),
        "/dated": replace(page(text="dated"), headers={"Content-Type": "text/html", **date}),
        "/old": Answer(status=302, headers={"Location": "/a"}),
        "/busy": Answer(status=503),
    }
    answers["/"] = tagged(page(*answers, "/missing", "http://example.org/", text="All pages."))
    with serve(answers) as site:
        nights = Nights(site, folder)
        first = nights.crawl(recrawl=False)
        first_ledger = ledger(folder, first)
        site.answers |= {
            "/stray": replace(answers["/stray"], not_modified=b"<p>a body that no 304 may have"),
            "/noai": tagged(answers["/noai"], **{"X-Robots-Tag": "noai"}),
            "/noindex": tagged(answers["/noindex"], **{"X-Robots-Tag": "noindex"}),
            "/robots.txt": Answer("User-agent: *\nDisallow: /disallowed\n", headers=ROBOTS),
            "/moved": Answer(status=301, headers={"Location": "/a"}),
            "/away": Answer(status=302, headers={"Location": "/a"}),
            "/old": Answer(status=302, headers={"Location": "/new"}),
            "/new": tagged(page(text="new")),
            "/failing": Answer(status=500),
            "/busy": tagged(page(text="works again")),
            "/vanished": Answer(status=404),
            "/changed": tagged(page("/unasked", text="Another text.")),
            "/unasked": Answer(status=304),
        }
        second = nights.crawl()
        found = Odd(folder, first_ledger, second, nights.requests, ledger(folder, second), gone(folder, second))
        third = nights.crawl()
        yield replace(found, third=third, gone_then=gone(folder, third))


@dataclass(frozen=True)
class Odd:
    """The site of `odd`: the ledger of its first night, and the second and the third night."""

    folder: Path
    first_ledger: dict[str, str]
    second: RawManifest
    requests: dict[str, dict[str, str]]
    ledger: dict[str, str]
    gone: dict[str, str]
    third: RawManifest | None = None
    gone_then: dict[str, str] | None = None

    def archived(self, kind: WarcRecordType) -> set[str]:
        """Return the paths of the records of a *kind* of the second night."""
        return {"/" + record["WARC-Target-URI"].split("/", 3)[3] for record in records(self.folder, kind, number=1)}


def test_only_validators_of_the_server_make_a_request_conditional(odd: Odd) -> None:
    """Neither a date nor an age is made up. Without validators, an equal body is not stored again."""
    # The dict has the last request of each page; those with a new opt-out were asked again for the whole page.
    whole = {"/noai", "/noindex"}
    conditional = {path for path, conditions in odd.requests.items() if conditions}

    assert odd.requests["/dated"] == {"If-Modified-Since": "Sun, 29 Nov 2026 10:00:00 GMT"}
    assert odd.requests.keys() - conditional == {"/packed", "/plain", "/old", "/busy", "/new", "/unasked", *whole}
    assert {"/packed", "/plain", "/dated", "/"} <= odd.archived(WarcRecordType.revisit)


def test_responses_are_stored_for_what_is_new(odd: Odd) -> None:
    """Of a page that states an opt-out in a 304 too, because the archive is the evidence; never for an equal body."""
    pages = {"/noai", "/busy", "/new", "/changed"}

    assert odd.archived(WarcRecordType.response) == {*pages, "/moved", "/away", "/old", "/robots.txt"}
    assert odd.second.files[1].responses == len(pages) + 1
    assert is_valid(odd.folder)


def test_a_304_that_breaks_http_costs_no_page(odd: Odd) -> None:
    """A body after a 304 is no part of the next answer, and a 304 to an unconditional request has no page."""
    assert "/stray" in odd.archived(WarcRecordType.revisit)
    assert odd.ledger["/unasked"] == "error.bad_response"


def test_pages_are_gone_with_a_reason(odd: Odd) -> None:
    """At once if the owner says so; after two nights if the site may be under construction. A failure says nothing."""
    assert odd.gone == {
        "/noindex": "gone.noindex",
        "/disallowed": "gone.disallowed",
        "/moved": "gone.redirected",
    }
    assert odd.gone_then == odd.gone | {"/vanished": "gone.404", "/away": "gone.redirected"}
    assert "/disallowed" not in odd.requests


def test_what_the_crawl_before_refused_stays_in_the_ledger(odd: Odd) -> None:
    """The links of an unchanged page are not found again. Failures that may pass are tried again, others are not."""
    assert odd.first_ledger == {"/missing": "http.404", "http://example.org/": "scope.offsite", "/busy": "http.503"}
    assert odd.ledger == {
        **{"/missing": "http.404", "http://example.org/": "scope.offsite"},
        **{"/vanished": "http.404", "/failing": "http.500", "/unasked": "error.bad_response"},
        **{"/noindex": "robots.noindex", "/disallowed": "robots.disallowed"},
    }
    assert "/missing" not in odd.requests


def test_a_recrawl_counts_what_became_of_pages(odd: Odd) -> None:
    """`crawl` prints it, and a graph of it shows when a site breaks."""
    # carried: /away, /failing and /vanished; stored already: /, /a, /b, /stray, /packed, /plain, /dated
    assert counts(odd.second) == {"pages": 14, "new": 2, "changed": 1, "revisits": 7, "carried": 3, "gone": 3}
    assert odd.third is not None
    assert counts(odd.third) == {"pages": 12, "revisits": 11, "carried": 1, "gone": 2}


@pytest.mark.slow
def test_a_page_that_robots_txt_disallows_now_is_gone_at_once_and_not_requested(site: Site, raw_dir: Path) -> None:
    """Its owner said so. When the rule goes away, the page comes back."""
    nights = Nights(site, raw_dir)
    nights.crawl(recrawl=False)
    site.answers["/robots.txt"] = Answer("User-agent: *\nDisallow: /a\n", headers=ROBOTS)

    second = nights.crawl()

    assert gone(raw_dir, second) == {"/a": "gone.disallowed"}
    assert "/a" not in nights.requests
    assert second.files[1].responses == 1
    site.answers["/robots.txt"] = Answer("User-agent: *\nDisallow:\n", headers=ROBOTS)
    assert counts(nights.crawl()) == {"pages": 4, "revisits": 4, "new": 1}


def test_a_page_that_is_not_due_stays_without_a_request(site: Site, raw_dir: Path) -> None:
    """A start page always is due, because new pages are linked there. A link to a page does not make it due."""
    nights = Nights(site, raw_dir, recrawl={"min_interval": "1d", "max_interval": "3d"})
    nights.crawl(recrawl=False)
    site.answers["/a"] = tagged(page("/b", text="Changed in the second night."))
    nights.crawl()
    asked = set(nights.requests)
    site.answers["/a"] = tagged(page("/b", text="Changed again."))

    third = nights.crawl()

    assert asked == {"/", "/a", "/b", "/c"}
    assert set(nights.requests) == {"/", "/a"}
    assert counts(third) == {"pages": 4, "revisits": 1, "changed": 1, "carried": 2}


@pytest.mark.slow
def test_known_pages_come_before_new_ones(site: Site, raw_dir: Path) -> None:
    """Otherwise new pages would push known ones out of the budget. What does not fit is in the ledger."""
    nights = Nights(site, raw_dir, max_pages=4)
    nights.crawl(recrawl=False)
    site.answers |= articles("d", "e", "a", "b", "c")

    second = nights.crawl()

    assert set(nights.requests) == {"/", "/a", "/b", "/c"}
    assert ledger(raw_dir, second) == {"/d": "budget.pages", "/e": "budget.pages"}
    nights.options["max_pages"] = 5
    third = nights.crawl()
    assert third.counts["pages"] == 5
    assert ledger(raw_dir, third) == {"/e": "budget.pages"}


@pytest.mark.slow
def test_a_page_whose_server_fails_stays(site: Site, raw_dir: Path) -> None:
    """A failure says nothing about the page. A site that does not answer at all leaves the crawl as it was."""
    nights = Nights(site, raw_dir)
    nights.crawl(recrawl=False)
    site.answers["/a"] = Answer(status=500)

    second = nights.crawl()

    assert counts(second) == {"pages": 4, "revisits": 3, "carried": 1}
    assert ledger(raw_dir, second) == {"/a": "http.500"}
    site.answers |= dict.fromkeys(("/", "/b", "/c"), Answer(status=500))
    with pytest.raises(UnfinishedError, match=r"http\.500"):
        nights.crawl()
    assert RawManifest.model_validate_json((raw_dir / "manifest.json").read_bytes()) == second


def test_a_body_whose_archive_is_lost_is_fetched_again(site: Site, raw_dir: Path) -> None:
    """A 304 would leave the page without a body."""
    nights = Nights(site, raw_dir)
    nights.crawl(recrawl=False)
    (raw_dir / "site-00000.warc.gz").unlink()

    second = nights.crawl()

    assert nights.requests == {path: {} for path in site.answers}
    assert [(file.path, file.responses) for file in second.files] == [("site-00001.warc.gz", 7)]


@pytest.mark.slow
def test_an_archive_that_no_page_needs_is_removed(site: Site, raw_dir: Path) -> None:
    """Otherwise a site that changes every night would fill the disk."""
    nights = Nights(site, raw_dir)
    nights.crawl(recrawl=False)
    for path in ("/", "/a", "/b", "/c"):
        site.answers[path] = tagged(page("/a", "/b", "/c", text=f"new {path}"))
    site.answers["/robots.txt"] = Answer("User-agent: *\n", headers=ROBOTS)
    nights.crawl()
    site.answers |= {path: Answer("x", status=404) for path in ("/ai.txt", "/.well-known/tdmrep.json")}

    third = nights.crawl()

    assert [file.path for file in third.files] == ["site-00001.warc.gz", "site-00002.warc.gz"]
    on_disk = {path.name for path in raw_dir.iterdir()}
    assert on_disk == {"manifest.json", "ledger-00002.parquet", "pages-00002.parquet", *(f.path for f in third.files)}


@pytest.mark.slow
def test_another_definition_is_crawled_from_its_start_pages(site: Site, raw_dir: Path) -> None:
    """Known pages may be out of its scope."""
    nights = Nights(site, raw_dir)
    nights.crawl(recrawl=False)
    nights.options["deny"] = ("/c",)

    second = nights.crawl()

    assert nights.requests == {"/": {}, "/a": {}, "/b": {}}
    assert (second.generation, second.counts["pages"]) == (0, 3)


RECRAWL = """
import sys
from pathlib import Path
from corpusmill.crawlers.crawl import crawl
from corpusmill.schemas.crawl_source import CrawlSource
crawl(CrawlSource.model_validate_json(sys.argv[1], strict=True), Path(sys.argv[2]), recrawl=True)
"""


def test_a_killed_recrawl_resumes_and_the_crawl_stays_readable(raw_dir: Path) -> None:
    """Until the recrawl is finished, a run uses the crawl before. At most the page in flight is requested again."""
    names = [str(number) for number in range(30)]
    with serve(articles(*names)) as site:
        nights = Nights(site, raw_dir)
        first = nights.crawl(recrawl=False)
        site.answers["/7"] = tagged(page(text="changed"))
        site.before = lambda path: time.sleep(0.02)
        asked = len(site.seen)
        for stop in (8, 20):
            source = source_of(site).model_dump_json()
            process = subprocess.Popen(
                [sys.executable, "-c", RECRAWL, source, str(raw_dir)], start_new_session=True, env=os.environ
            )
            while len(site.seen) < asked + stop and process.poll() is None:
                time.sleep(0.005)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert RawManifest.model_validate_json((raw_dir / "manifest.json").read_bytes()) == first

        second = nights.crawl(recrawl=False)

        paths = [path for path in site.paths[asked:] if path.lstrip("/").isdigit()]
        assert set(paths) == {f"/{name}" for name in names}
        assert len(paths) <= len(names) + 2
        assert counts(second) == {"pages": 31, "revisits": 30, "changed": 1}
        assert (second.generation, is_valid(raw_dir)) == (1, True)
        archived = [record["WARC-Target-URI"] for record in records(raw_dir, WarcRecordType.revisit, number=1)]
        assert len([url for url in archived if url.rpartition("/")[2].isdigit()]) == 29


@pytest.mark.slow
def test_a_recrawl_of_a_crawl_on_a_store_keeps_its_archives_there(site: Site, raw_dir: Path, tmp_path: Path) -> None:
    """The folder of the machine is empty after a crawl, so the recrawl starts from the tables on the store."""
    store = open_store(tmp_path / "store")
    crawl(source_of(site), raw_dir, store=store, limits=QUICK)
    site.answers["/a"] = tagged(page(text="changed"))

    second = crawl(source_of(site), raw_dir, store=store, limits=QUICK, recrawl=True)

    assert counts(second) == {"pages": 4, "revisits": 3, "changed": 1}
    expected = {"manifest.json", *second.ledger, *second.pages, *(file.path for file in second.files)}
    assert {entry.key for entry in store.files()} == expected
    assert [file.path for file in second.files] == ["site-00000.warc.gz", "site-00001.warc.gz"]
    assert list(raw_dir.iterdir()) == []
    assert json.loads(store.read("manifest.json"))["generation"] == 1

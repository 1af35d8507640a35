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
    assert (first.generation, second.generation) == (0, 1)


def test_what_changed_appeared_and_vanished_is_found(site: Site, raw_dir: Path) -> None:
    """A page is gone when it was missing twice in a row: a site that is being changed may answer 404 for an hour."""
    nights = Nights(site, raw_dir)
    nights.crawl(recrawl=False)
    site.answers |= articles("a", "b", "d") | {"/b": tagged(page(text="Another text."))}
    del site.answers["/c"]

    second = nights.crawl()

    assert counts(second) == {"pages": 5, "new": 1, "changed": 1, "revisits": 1, "carried": 1}
    assert gone(raw_dir, second) == {}
    assert ledger(raw_dir, second) == {"/c": "http.404"}
    third = nights.crawl()
    assert counts(third) == {"pages": 4, "revisits": 4, "gone": 1}
    assert gone(raw_dir, third) == {"/c": "gone.404"}
    fourth = nights.crawl()
    assert gone(raw_dir, fourth) == {"/c": "gone.404"}
    assert third.gone[0].sha256 == fourth.gone[0].sha256
    site.answers |= articles("c")
    assert gone(raw_dir, nights.crawl()) == {}


def test_a_page_that_is_missing_once_stays(site: Site, raw_dir: Path) -> None:
    """Only misses in a row count."""
    nights = Nights(site, raw_dir)
    nights.crawl(recrawl=False)
    found = site.answers.pop("/c")
    for answer in (None, found, None):
        site.answers.pop("/c", None)
        if answer is not None:
            site.answers["/c"] = answer
        manifest = nights.crawl()

    assert gone(raw_dir, manifest) == {}
    assert manifest.counts["pages"] == 4


def test_a_server_without_validators_sends_bodies_that_are_not_stored_again(raw_dir: Path) -> None:
    """Then the body decides. Neither a date nor an age is made up for the request."""
    body = gzip.compress(b"<p>compressed")
    packed = Answer(body, headers={"Content-Type": "text/html", "Content-Encoding": "gzip"})
    dated = page(text="dated")
    dated.headers["Last-Modified"] = "Sun, 29 Nov 2026 10:00:00 GMT"
    with serve({"/": page("/packed", "/dated"), "/packed": packed, "/dated": dated}) as site:
        nights = Nights(site, raw_dir)
        nights.crawl(recrawl=False)

        second = nights.crawl()

    conditions = {"If-Modified-Since": "Sun, 29 Nov 2026 10:00:00 GMT"}
    assert nights.requests == {"/": {}, "/packed": {}, "/dated": conditions}
    assert records(raw_dir, WarcRecordType.response, number=1) == []
    assert counts(second) == {"pages": 3, "revisits": 3}
    assert is_valid(raw_dir)


def test_a_304_that_breaks_http_costs_no_page(site: Site, raw_dir: Path) -> None:
    """A body after a 304 is no part of the next answer, and a 304 to an unconditional request has no page."""
    nights = Nights(site, raw_dir)
    nights.crawl(recrawl=False)
    stray = b"<p>a body that no 304 may have"
    for path, answer in site.answers.items():
        answer.not_modified = b"" if path == "/" else stray
    site.answers["/new"] = Answer(status=304)
    site.answers["/"] = tagged(page("/a", "/b", "/c", "/new"))

    second = nights.crawl()

    assert counts(second) == {"pages": 4, "revisits": 3, "changed": 1}
    assert ledger(raw_dir, second) == {"/new": "error.bad_response"}


def test_an_opt_out_that_only_a_304_states_is_archived_with_the_page(site: Site, raw_dir: Path) -> None:
    """The archive is the evidence, and the earlier response does not state it."""
    nights = Nights(site, raw_dir)
    nights.crawl(recrawl=False)
    site.answers["/a"].headers["X-Robots-Tag"] = "noai"
    site.answers["/b"].headers["X-Robots-Tag"] = "noindex"

    second = nights.crawl()

    (response,) = records(raw_dir, WarcRecordType.response, number=1)
    assert response["WARC-Target-URI"].endswith("/a")
    assert gone(raw_dir, second) == {"/b": "gone.noindex"}
    assert counts(second) == {"pages": 3, "revisits": 2, "gone": 1}
    third = nights.crawl()
    assert counts(third) == {"pages": 3, "revisits": 3}


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


def test_redirects_are_asked_again_and_their_pages_move(site: Site, raw_dir: Path) -> None:
    """A permanent redirect moves a page at once; a temporary one may be a page about maintenance."""
    site.answers |= {"/": tagged(page("/a", "/b", "/old")), "/old": Answer(status=302, headers={"Location": "/c"})}
    nights = Nights(site, raw_dir)
    nights.crawl(recrawl=False)
    site.answers |= articles("d") | {
        "/": site.answers["/"],
        "/old": Answer(status=302, headers={"Location": "/d"}),
        "/a": Answer(status=301, headers={"Location": "/b"}),
        "/b": Answer(status=302, headers={"Location": "/c"}),
    }

    second = nights.crawl()

    assert gone(raw_dir, second) == {"/a": "gone.redirected"}
    assert counts(second) == {"pages": 4, "revisits": 2, "new": 1, "carried": 1, "gone": 1}
    third = nights.crawl()
    assert gone(raw_dir, third) == {"/a": "gone.redirected", "/b": "gone.redirected"}
    assert third.counts["pages"] == 3


def test_intervals_adapt_to_each_page(site: Site, raw_dir: Path) -> None:
    """A page that is not due stays, without a request. A start page always is, because new pages are linked there."""
    nights = Nights(site, raw_dir, recrawl={"min_interval": "1d", "max_interval": "3d"})
    nights.crawl(recrawl=False)
    asked = []
    for night in range(2, 9):
        site.answers["/a"] = tagged(page(text=f"Changes each night, such as the night {night}."))
        manifest = nights.crawl()
        asked.append((night, "".join(sorted(nights.requests)).replace("/", "")))
        assert manifest.counts["pages"] == 4

    assert asked == [(2, "abc"), (3, "a"), (4, "abc"), (5, "a"), (6, "a"), (7, "abc"), (8, "a")]
    assert counts(manifest) == {"pages": 4, "revisits": 1, "changed": 1, "carried": 2}


def test_known_pages_come_before_new_ones(site: Site, raw_dir: Path) -> None:
    """Otherwise new pages would push known ones out of the budget. What does not fit is in the ledger."""
    nights = Nights(site, raw_dir, max_pages=4)
    nights.crawl(recrawl=False)
    site.answers |= articles("d", "e", "a", "b", "c")

    second = nights.crawl()

    assert set(nights.requests) == {"/", "/a", "/b", "/c"}
    assert ledger(raw_dir, second) == {"/d": "budget.max_pages", "/e": "budget.max_pages"}
    nights.options["max_pages"] = 5
    third = nights.crawl()
    assert third.counts["pages"] == 5
    assert ledger(raw_dir, third) == {"/e": "budget.max_pages"}


def test_what_the_crawl_before_refused_stays_in_the_ledger(site: Site, raw_dir: Path) -> None:
    """The links of an unchanged page are not found again. Failures that may pass are tried again, others are not."""
    site.answers |= {"/": tagged(page("/a", "/missing", "/failing", "http://example.org/"))}
    site.answers["/failing"] = Answer(status=503)
    nights = Nights(site, raw_dir)
    first = ledger(raw_dir, nights.crawl(recrawl=False))
    site.answers["/failing"] = tagged(page(text="works again"))

    second = nights.crawl()

    assert set(nights.requests) == {"/", "/a", "/failing"}
    assert ledger(raw_dir, second) == {path: rule for path, rule in first.items() if path != "/failing"}
    assert counts(second) == {"pages": 3, "revisits": 2, "new": 1}


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
from corpusmill.schemas.recipe import CrawlSource
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

"""Pages whose archive is lost or damaged are fetched again, and until then they are counted and in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpusmill.crawlers.load import changed_files
from corpusmill.schemas.crawl_source import Recrawl
from tests.crawlers.recrawl.sites import Nights, articles, gone
from tests.crawlers.sites import Answer, Site, serve
from tests.crawlers.sites import pages as archived_pages

DISALLOWED = Answer("User-agent: *\nDisallow: /c\n", headers={"Content-Type": "text/plain"})
WEEKS = Recrawl.model_validate({"min_interval": "7d", "max_interval": "30d"})


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "site"


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(articles("a", "b", "c")) as site:
        yield site


def damage(path: Path) -> None:
    """Change a byte of the file at *path*, which keeps its size."""
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(bytes(body))


def test_a_page_that_is_lost_and_does_not_answer_is_counted_and_due_until_it_does(site: Site, raw_dir: Path) -> None:
    """No version has it, so it must not count as carried, and its interval must not keep it out."""
    answers = dict(site.answers)
    nights = Nights(site, raw_dir, recrawl=WEEKS)
    nights.crawl(recrawl=False)
    (raw_dir / "site-00000.warc.gz").unlink()
    site.answers |= {"/a": Answer(status=404), "/b": Answer(status=500), "/robots.txt": DISALLOWED}

    second = nights.crawl()

    rows = {row["url"][-2:]: row for name in second.ledger for row in pq.read_table(raw_dir / name).to_pylist()}
    assert {name: second.counts[name] for name in ("pages", "carried", "gone", "lost")} == {
        **{"pages": 1, "carried": 0, "gone": 1, "lost": 2}
    }
    assert gone(raw_dir, second) == {"/c": "gone.disallowed"}
    assert rows.pop("/c")["message"] == "robots.txt forbids it"
    assert {path: row["rule"] for path, row in rows.items()} == {"/a": "http.404", "/b": "http.500"}
    assert all(row["message"].endswith("no version has it until it is fetched again") for row in rows.values())
    site.answers |= answers
    del site.answers["/robots.txt"]

    third = nights.crawl()

    assert nights.requests.keys() == {"/", "/a", "/b", "/c"}
    assert {name: third.counts[name] for name in ("pages", "new", "carried", "lost")} == {
        **{"pages": 4, "new": 3, "carried": 0, "lost": 0}
    }
    assert third.counts["refused"] == 0


def test_a_page_that_is_lost_and_redirects_now_is_gone(site: Site, raw_dir: Path) -> None:
    """There is nothing to carry until the redirect has been seen twice."""
    nights = Nights(site, raw_dir)
    nights.crawl(recrawl=False)
    (raw_dir / "site-00000.warc.gz").unlink()
    site.answers["/a"] = Answer(status=302, headers={"Location": "/b"})

    second = nights.crawl()

    assert (second.counts["pages"], second.counts["gone"], second.counts["lost"]) == (3, 1, 0)
    assert archived_pages(raw_dir) == ["/", "/b", "/c"]


def test_a_damaged_archive_of_the_same_size_is_replaced(site: Site, raw_dir: Path) -> None:
    """A run would refuse it. The pages in it are fetched without a condition, also those that are not due."""
    nights = Nights(site, raw_dir, recrawl=WEEKS)
    nights.crawl(recrawl=False)
    damage(raw_dir / "site-00000.warc.gz")

    second = nights.crawl()

    assert nights.requests == {"/": {}, "/a": {}, "/b": {}, "/c": {}}
    assert [file.path for file in second.files] == ["site-00001.warc.gz"]
    assert changed_files(second, raw=raw_dir) == []
    assert (second.counts["pages"], second.counts["new"], second.counts["changed"]) == (4, 0, 0)
    assert not (raw_dir / "site-00000.warc.gz").exists()

"""A recrawl whose archives and tables are on a store of objects keeps the promises of one on a disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpusmill.crawlers.crawl import crawl
from corpusmill.crawlers.crawl_files import frontier_path
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.load import changed_files
from corpusmill.schemas.crawl_source import Recrawl
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.storage import open_store
from tests.crawlers.recrawl.sites import articles, tagged
from tests.crawlers.sites import QUICK, Answer, Site, page, serve, source_of

pytestmark = pytest.mark.slow
WEEKS = Recrawl.model_validate({"min_interval": "7d", "max_interval": "30d"})


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(articles("a", "b", "c")) as site:
        yield site


def test_a_recrawl_on_s3_heals_an_archive_and_obeys_robots_txt(site: Site, s3_url: str, tmp_path: Path) -> None:
    """The archives are compared by their ETags, and nothing stays on the machine."""
    raw_dir, store = tmp_path / "raw" / "site", open_store(s3_url).below("raw/site")

    def recrawl() -> RawManifest:
        return crawl(source_of(site, recrawl=WEEKS), raw_dir, store=store, limits=QUICK, recrawl=True)

    recrawl()
    site.answers["/"] = tagged(page("/a", "/b", "/c", text="The second night."))
    second = recrawl()
    (before, _) = second.files
    body = bytearray(store.read(before.path))
    body[-200] ^= 1
    store.write(before.path, bytes(body))
    site.answers |= {
        "/robots.txt": Answer("User-agent: *\nDisallow: /b\n", headers={"Content-Type": "text/plain"}),
        "/c": Answer(status=500),
    }
    frontier = Frontier(frontier_path("site", raw_dir))
    frontier.remember(finished=0)  # the state after a kill between the manifest and the end of the queue
    frontier.close()

    third = recrawl()

    assert {name: second.counts[name] for name in ("pages", "carried", "changed")} == {
        **{"pages": 4, "carried": 3, "changed": 1}
    }
    assert {name: third.counts[name] for name in ("pages", "carried", "gone", "lost")} == {
        **{"pages": 2, "carried": 0, "gone": 1, "lost": 1}
    }
    assert changed_files(third, raw=store) == []
    assert before.path not in {entry.key for entry in store.files()}
    with store.open(third.gone[0].path) as file:
        assert [row["url"].rpartition("/")[2] for row in pq.read_table(file).to_pylist()] == ["b"]
    assert list(raw_dir.iterdir()) == []

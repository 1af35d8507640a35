"""Pages that opt out are not published: in a crawl, in the archives of others, and however these are divided."""

from __future__ import annotations

import gzip
import random
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from corpusmill.pipelines.dataset.explain import explain
from corpusmill.pipelines.dataset.version import Version, version_in
from corpusmill.pipelines.workspace import Workspace
from tests.crawlers.optouts import signs
from tests.crawlers.sites import CONTACT, page, serve
from tests.shared_engines import SharedEngines
from tests.test_promises import run_once


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Version]:
    """A workspace in which the site of `signs` was crawled and published, and the version."""
    folder = tmp_path_factory.mktemp("crawled")
    with serve(signs.answers()) as site:
        recipe = recipe_of(folder, f"crawl: {{name: s, start_urls: ['{site.url}/'], {POLITE}}}")
        result, _ = run_once(recipe, folder / "corpus")
    return folder, version_in(Path(result["path"]))


POLITE = f"contact: {CONTACT}, delay: 0, allow_private: true"


def recipe_of(folder: Path, source: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(f"dataset: d\nsources:\n  - {source}\nstages: [extract, normalize]\n")
    return path


def paths(version: Version, table: str) -> dict[str, dict[str, Any]]:
    """Return the rows of a table of *version* by the path of their URL."""
    rows = [row for batch in version.batches(table) for row in batch.to_pylist()]
    return {urlsplit(row["url"]).path: row for row in rows}


def test_each_opt_out_of_a_crawled_site_is_in_the_ledger_with_its_evidence(crawled: tuple[Path, Version]) -> None:
    """Pages without one, with one for others, or with a permission, are published."""
    _, version = crawled
    ledger = paths(version, "ledger")

    assert {path: row["rule"] for path, row in ledger.items()} == {
        path: f"optout.{kind}" for path, kind in signs.FORBIDDEN.items()
    }
    assert paths(version, "shard").keys() == {"/", *(path for path in signs.PATHS if path not in signs.FORBIDDEN)}
    assert all(row["message"].endswith("Z)") for row in ledger.values())
    assert ledger["/tdm/no-file"]["message"].startswith(
        "/.well-known/tdmrep.json: 1, policy https://example.org/policy"
    )
    assert not any(row["sample_text"] for row in ledger.values())


def archive_records(folder: Path) -> list[bytes]:
    """Return the records of the crawl's archives, each compressed by itself."""
    members = []
    for path in sorted((folder / "corpus" / "raw" / "s").glob("*.warc.gz")):
        data = path.read_bytes()
        while data:
            member = zlib.decompressobj(wbits=31)
            member.decompress(data)
            members.append(data[: len(data) - len(member.unused_data)])
            data = member.unused_data
    return members


def load(folder: Path, records: list[bytes], *, files: int = 1, **options: Any) -> Version:
    """Publish *records*, divided into *files* archives, as a source of the same name."""
    (folder / "archives").mkdir(parents=True, exist_ok=True)
    for number in range(files):
        (folder / "archives" / f"{number}.warc.gz").write_bytes(b"".join(records[number::files]))
    recipe = recipe_of(folder, "load: {name: s, format: warc, path: archives}")
    result, _ = run_once(recipe, folder / "corpus", **options)
    return version_in(Path(result["path"]))


def test_an_archive_of_others_is_judged_like_a_crawl(crawled: tuple[Path, Version], tmp_path: Path) -> None:
    """Neither the order of the records nor their division into files matters: the version is the same."""
    folder, version = crawled
    records = archive_records(folder)
    shuffled = random.Random(1).sample(records, len(records))

    loaded = load(tmp_path / "a", records)
    divided = load(tmp_path / "b", shuffled, files=7)

    assert loaded.manifest.version == divided.manifest.version == version.manifest.version


@pytest.mark.parametrize(
    ("name", "batch_rows"),
    [
        *(("local", 1), ("local", 7), ("local", None)),
        *(pytest.param(name, None, marks=pytest.mark.engine) for name in ("beam", "spark")),
    ],
)
def test_engines_and_batches_change_nothing(
    crawled: tuple[Path, Version], tmp_path: Path, name: str, batch_rows: int | None, shared_engine: SharedEngines
) -> None:
    """Promise 1, with the files of the site in the last archive."""
    folder, version = crawled
    records = archive_records(folder)[::-1]

    loaded = load(tmp_path, records, files=3, engine=None if batch_rows else shared_engine(name), batch_rows=batch_rows)

    assert loaded.manifest.version == version.manifest.version


def test_a_page_that_opted_out_is_explained(crawled: tuple[Path, Version]) -> None:
    """By its URL, whether its own signal or a file of its site decides, or the crawl did not even store it."""
    folder, version = crawled
    workspace = Workspace(folder / "corpus")
    host = next(iter(version.batches("ledger")))["url"][0].as_py().split("/")[2]

    own, site, refused = (
        explain(f"http://{host}{path}", workspace) for path in ("/noai/no-meta", "/agents/no", "/robots/no")
    )

    assert (own["status"], own["trail"][-1]["stage"], own["trail"][-1]["rule"]) == ("rejected", "read", "optout.noai")
    assert (site["trail"][-1]["stage"], site["trail"][-1]["rule"]) == ("optouts", "optout.agents")
    assert site["trail"][-1]["message"].startswith("robots.txt: User-agent: GPTBot, CCBot; Disallow: /agents/no (2")
    assert refused["trail"][-1]["rule"] == "robots.disallowed"


def test_respect_is_changed_without_a_request(tmp_path: Path) -> None:
    """Only the pages are read again. What is not respected is recorded in the metadata of the published page."""
    paths_of = ("/noai/no-header", "/tdm/no-file", "/tdm/no-meta", "/nofollow/yes-meta")
    answers = {**signs.SITE_FILES, "/": page(*paths_of), **{path: signs.answer(path) for path in paths_of}}
    published: dict[str, set[str]] = {}
    with serve(answers) as site:
        for respect in ("all", "[noai]", "none"):
            source = f"crawl: {{name: s, start_urls: ['{site.url}/'], {POLITE}, respect: {respect}}}"
            result, _ = run_once(recipe_of(tmp_path, source), tmp_path / "corpus")
            version = version_in(Path(result["path"]))
            published[respect] = set(paths(version, "shard"))
            if respect == "all":
                requests = len(site.seen)
        assert len(site.seen) == requests

    assert published["all"] == {"/", "/nofollow/yes-meta"}
    assert published["[noai]"] == published["all"] | {"/tdm/no-file", "/tdm/no-meta"}
    assert published["none"] == published["[noai]"] | {"/noai/no-header"}
    notes = {path: dict(map(tuple, map(dict.values, row["metadata"]))) for path, row in paths(version, "shard").items()}
    assert notes["/noai/no-header"]["optouts"] == "header X-Robots-Tag: noai"
    assert "optouts" not in notes["/nofollow/yes-meta"]


def test_a_site_that_opts_out_later_leaves_the_next_version(tmp_path: Path) -> None:
    """The latest robots.txt speaks for all pages of the site, and the latest capture for its page."""
    before = [
        record("/a", at=1),
        record("/b", at=1),
        record("/c", at=1),
        record("/robots.txt", "User-agent: *\nDisallow:", at=1),
    ]
    after = [record("/a", at=2, head="X-Robots-Tag: noai"), record("/robots.txt", f"{NO_TRAINING}Disallow: /b", at=2)]

    first = load(tmp_path / "a", before)
    second = load(tmp_path / "b", [*after, *before])
    third = load(tmp_path / "c", [*after, record("/robots.txt", "gone", at=3, status="410 Gone"), *before])

    assert paths(first, "shard").keys() == {"/a", "/b", "/c"}
    assert {(row["rule"], row["message"]) for row in second.batches("ledger") for row in row.to_pylist()} == {
        ("optout.noai", "header X-Robots-Tag: noai (2026-01-02T00:00:00Z)"),
        ("identity.superseded", "the latest capture of this page opted out"),
        ("optout.agents", "robots.txt: User-agent: GPTBot; Disallow: /b (2026-01-02T00:00:00Z)"),
    }
    assert paths(third, "shard").keys() == {"/b", "/c"}


NO_TRAINING = "User-agent: gptbot\n"


def record(path: str, body: str = "", *, at: int, head: str = "X: y", status: str = "200 OK") -> bytes:
    """Return the record of a page or file of a site that was captured on day *at*."""
    kind = "text/html" if not body else "text/plain"
    body = body or f"<p>The harbour {path} reopened on Tuesday, after the storm of day {at}."
    block = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{head}\r\n\r\n{body}"
    fields = f"WARC-Type: response\r\nWARC-Target-URI: http://a.example{path}\r\nWARC-Date: 2026-01-0{at}T00:00:00Z"
    size = f"Content-Length: {len(block)}"
    return gzip.compress(f"WARC/1.1\r\n{fields}\r\n{size}\r\n\r\n{block}\r\n\r\n".encode(), mtime=0)

"""Common Crawl's columnar index: a condition chooses records, and only their bytes are read."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.crawlers.load import load
from corpusmill.crawlers.loaders.cc_where import columns_of
from corpusmill.crawlers.loaders.warc import Warc
from corpusmill.schemas.errors import CorpusmillError, SourceError
from corpusmill.schemas.problems import HintedValueError
from corpusmill.schemas.raw import RawManifest
from tests.crawlers.loaders.reading import rows
from tests.crawlers.loaders.test_warc import response
from tests.crawlers.test_load import source

ARCHIVES = ("crawl-data/A/warc/b.warc.gz", "crawl-data/A/warc/a.warc.gz")


def crawl(folder: Path, *, archives: Sequence[str] = ARCHIVES) -> list[dict[str, Any]]:
    """Write archives of ten pages each, and return the rows of their index."""
    captures: list[dict[str, Any]] = []
    for archive in archives:
        members = []
        for number in range(10):
            country = "no" if number % 2 else "se"
            url = f"https://{Path(archive).stem}{number}.example.{country}/"
            members.append(gzip.compress(response(b"<!doctype html><p>page %d" % number, url=url), mtime=0))
            place = {"warc_filename": archive, "warc_record_length": len(members[-1])}
            offset = sum(map(len, members[:-1]))
            captures.append(place | {"warc_record_offset": offset, "url": url, "url_host_tld": country, "n": number})
        path = folder / archive
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(members))
    return captures


def indexed(folder: Path, captures: list[dict[str, Any]], name: str = "part-0.parquet") -> None:
    place = folder / "index" / "crawl=A" / "subset=warc" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(captures), place)


def registered(folder: Path, *, raw: str = "raw", path: Any = ".", **fields: Any) -> RawManifest:
    wanted = {"index": "index/**/*.parquet"} | fields
    return load(source(path, "warc", **wanted), folder / raw, base=folder)


def urls(folder: Path, manifest: RawManifest, *, raw: str = "raw") -> list[str]:
    return [row["url"] for file in manifest.files for row in rows(Warc(), folder / raw / file.path)]


def test_only_records_that_fit_are_loaded_in_the_order_of_archives(tmp_path: Path) -> None:
    """The order in the index does not change the bytes, nor does a row that stands there twice."""
    captures = crawl(tmp_path)
    indexed(tmp_path, captures[::-1])
    indexed(tmp_path, captures[:3], "part-1.parquet")
    where = "url_host_tld = 'no' AND n > 4 AND subset = 'warc'"

    manifest = registered(tmp_path, where=where)

    expected = [f"https://{name}.warc{number}.example.no/" for name in "ab" for number in (5, 7, 9)]
    assert urls(tmp_path, manifest) == expected
    assert [file.name for file in manifest.files] == ["records-00000.warc.gz"]
    indexed(tmp_path, captures)
    assert registered(tmp_path, where=where, raw="again").files[0].sha256 == manifest.files[0].sha256


def test_bytes_of_other_records_are_not_read(tmp_path: Path) -> None:
    """An archive has a gigabyte; damage elsewhere does not matter."""
    captures = crawl(tmp_path, archives=ARCHIVES[:1])
    indexed(tmp_path, captures)
    path = tmp_path / ARCHIVES[0]
    start = captures[3]["warc_record_offset"]
    length = captures[3]["warc_record_length"]
    path.write_bytes(b"x" * start + path.read_bytes()[start : start + length])

    assert urls(tmp_path, registered(tmp_path, where="n = 3")) == [captures[3]["url"]]


@pytest.mark.parametrize(
    ("damage", "where", "field", "message"),
    [
        ("missing", "n = 3", None, "the archive is not there"),
        ("short", "n = 9", None, "ends before the record"),
        ("other", "n = 3", None, "no record begins there"),
        (None, "n = 77", "where", "no record matches `n = 77`"),
        (None, "url_host_tdl = 'no'", "where", "no column `url_host_tdl`"),
        (None, "n = 'x'", "where", "the condition fails"),
        ("index", "n = 3", "index", "not a file of an index"),
        ("place", "n = 3", "index", "names no place"),
    ],
)
def test_what_does_not_fit_together_is_named(
    tmp_path: Path, damage: str | None, where: str, field: str | None, message: str
) -> None:
    """A user who fetches single archives sees which one is left."""
    captures = crawl(tmp_path, archives=ARCHIVES[:1])
    path = tmp_path / ARCHIVES[0]
    if damage == "place":
        captures = [capture | {"warc_filename": "../../etc/passwd"} for capture in captures]
    indexed(tmp_path, captures)
    match damage:
        case "missing":
            path.unlink()
        case "short":
            path.write_bytes(path.read_bytes()[:-20])
        case "other":
            path.write_bytes(b"x" * path.stat().st_size)
        case "index":
            (tmp_path / "index/crawl=A/subset=warc/part-0.parquet").write_text("words")

    with pytest.raises(SourceError, match=message) as caught:
        registered(tmp_path, where=where)

    assert caught.value.field == field
    assert caught.value.hint
    assert field == "where" or caught.value.file


def test_a_wrong_column_has_a_near_name_in_the_hint(tmp_path: Path) -> None:
    """The index has 30 columns."""
    indexed(tmp_path, crawl(tmp_path))

    with pytest.raises(SourceError) as caught:
        registered(tmp_path, where="url_host_tdl = 'no'")

    assert "url_host_tld" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "where",
    [
        *("n = 1) UNION SELECT 1 WHERE (1 = 1", "n IN (SELECT 1)", "random() < 0.5", "now() > n", "count(*) > 1"),
        *(
            "n = 1; DROP TABLE records",
            "n = 1) ORDER BY (1",
            "read_text('/etc/passwd') = ''",
            "row_number() OVER () = 1",
        ),
        *("n = ?", "n BETWEEN 1", "getenv('HOME') = ''"),
    ],
)
def test_a_condition_only_compares(where: str) -> None:
    """It comes from a recipe that others wrote, and a function such as `random` would change the corpus."""
    with pytest.raises(HintedValueError) as caught:
        columns_of(where)

    assert caught.value.hint


def test_a_condition_needs_an_index(tmp_path: Path) -> None:
    """Otherwise it would be ignored silently."""
    with pytest.raises(CorpusmillError, match="`where` chooses records of an `index`"):
        load(source("x", "warc", where="n = 1"), tmp_path / "raw", base=tmp_path)

"""Pages meet the files of their site in an exchange, whose batches may be cut anywhere and whose groups may be huge."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from corpusmill.pipelines.engines.base import PLACE
from corpusmill.pipelines.stages.optouts.page import without_opted_out
from corpusmill.pipelines.stages.optouts.sites import MOVED, Files, JudgeBySite, Pages
from corpusmill.schemas.document import CAPTURE
from corpusmill.schemas.metadata import metadata_column, metadata_dicts
from corpusmill.schemas.optout_columns import SITE_FILE
from corpusmill.schemas.optouts import RESPECTED, respected_kinds

POLICY = "corpusmill.crawlers.optouts.site:SitePolicy"
NO_TRAINING = "User-agent: GPTBot\nDisallow: /no"
DAY = datetime(2026, 5, 4, tzinfo=UTC)


def site_rows(host: str, *bodies: str | None, path: str = "/robots.txt") -> list[dict[str, Any]]:
    """Return the captures of a file of *host*, one a day, in order."""
    row = {"host": host, "role": 0, "path": path, PLACE: -1, "fetched_at": DAY}
    return [{**row, "captured": day, "record_sha256": str(day), "body": body} for day, body in enumerate(bodies)]


def page_rows(host: str, *paths: str, source: str = "s", first: int = 0) -> list[dict[str, Any]]:
    row = {"host": host, "role": 1, "path": "", "captured": 0, "record_sha256": "", "source": source, "text_bytes": 3}
    return [
        {**row, PLACE: first + number, "url": f"https://{host}{path}", "optouts": None}
        for number, path in enumerate(paths)
    ]


def judged(rows: list[dict[str, Any]], *, size: int = 1000, **respected: tuple[str, ...]) -> dict[int, str]:
    """Return the rules of the rejected pages by place, for batches of *size* rows."""
    table = pa.Table.from_pylist(rows, schema=MOVED)
    judge = JudgeBySite(policy=POLICY, respected=respected or {"s": RESPECTED}).build()
    decisions = [row for batch in judge(iter(table.to_batches(max_chunksize=size))) for row in batch.to_pylist()]
    assert all(row["text_bytes"] == 3 and row["message"] for row in decisions)
    return {row[PLACE]: row["rule"] for row in decisions}


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_verdicts_do_not_depend_on_where_batches_are_cut(size: int) -> None:
    """The files of a site may be in an earlier batch than its pages."""
    rows = [
        *page_rows("a.example", "/no", "/yes"),
        *site_rows("b.example", "", NO_TRAINING),
        *site_rows("b.example", "User-Agent: *\nDisallow: /ai", path="/ai.txt"),
        *page_rows("b.example", "/no", "/yes", "/ai", first=10),
        *site_rows("c.example", NO_TRAINING, None),
        *page_rows("c.example", "/no", first=20),
        *site_rows("d.example", NO_TRAINING, ""),
    ]

    assert judged(rows, size=size) == {10: "optout.agents", 12: "optout.ai_txt"}


def test_the_respect_of_the_source_decides() -> None:
    """Two sources may have pages of one site."""
    rows = [
        *site_rows("a.example", f"License: /l.xml\n{NO_TRAINING}"),
        *page_rows("a.example", "/no", source="one"),
        *page_rows("a.example", "/no", "/yes", source="two", first=1),
    ]

    assert judged(rows, one=("rsl",), two=("agents",)) == {0: "optout.rsl", 1: "optout.agents"}


def test_the_pages_of_a_huge_site_are_streamed() -> None:
    """A site of a million pages must not be joined in memory: each batch is judged before the next one is read."""
    read = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal read
        yield pa.RecordBatch.from_pylist(site_rows("a.example", NO_TRAINING), schema=MOVED)
        pages = pa.RecordBatch.from_pylist(page_rows("a.example", "/no", "/yes"), schema=MOVED)
        for _ in range(1_000_000):
            read += 1
            yield pages

    decisions = JudgeBySite(policy=POLICY, respected={"s": RESPECTED}).build()(batches())

    assert next(decisions).num_rows == 1
    assert read == 1


def test_only_living_pages_of_judged_sources_are_moved() -> None:
    """A page without a web address has no site."""
    rows = [
        {"id": "1", "source": "s", "url": "https://A.example:443/x", "fetched_at": DAY},
        {"id": "2", "source": "s", "url": "https://a.example/", "rule": "error.empty"},
        {"id": "3", "source": "t", "url": "https://a.example/"},
        {"id": "4", "source": "s", "url": "notes/a.md"},
        {"id": "5", "source": "s", "url": None},
    ]
    table = pa.Table.from_pylist([{"source_id": "", "record_sha256": "", **row} for row in rows], schema=CAPTURE)
    captures = table.append_column(PLACE, pa.array(range(5))).to_batches()
    files = pa.RecordBatch.from_pylist([{"host": "a.example", "path": "/ai.txt", "record_sha256": "x"}], SITE_FILE)

    (pages,) = Pages(sources=("s",)).build()(iter(captures))
    (moved,) = Files().build()(iter([files]))

    assert [(row[PLACE], row["host"], row["role"]) for row in pages.to_pylist()] == [(0, "a.example", 1)]
    assert [(row[PLACE], row["host"], row["role"], row["captured"] < 0) for row in moved.to_pylist()] == [
        (-1, "a.example", 0, True)
    ]
    assert pages.schema == moved.schema == MOVED


def test_a_page_that_opts_out_loses_its_content_and_others_are_noted() -> None:
    """No later stage, and no sample, may see the text. An error of the record stays its rule."""
    signal = {"kind": "noai", "place": "meta robots", "value": "noai", "applies": True}
    rows = [
        {"optouts": [signal], "content": b"x", "fetched_at": DAY},
        {"optouts": [{**signal, "applies": False}], "text": "yes", "text_bytes": 3},
        {"optouts": [{**signal, "kind": "tdm"}], "text": "yes", "text_bytes": 3},
        {"optouts": [signal], "rule": "error.empty"},
        {"optouts": None, "text": "yes", "text_bytes": 3},
    ]
    base = {"id": "", "source": "s", "source_id": "", "record_sha256": ""}
    columns = {f.name: pa.array([{**base, **row}.get(f.name) for row in rows], f.type) for f in CAPTURE}
    columns["metadata"] = metadata_column([None, None, {"a": "b"}, None, None])
    captures = pa.RecordBatch.from_pydict(columns, schema=CAPTURE)

    judged = without_opted_out(captures, respected_kinds(["noai"]))

    assert judged["rule"].to_pylist() == ["optout.noai", None, None, "error.empty", None]
    assert judged["message"][0].as_py() == "meta robots: noai (2026-05-04T00:00:00Z)"
    assert judged["content"].to_pylist() == [None] * 5
    assert judged["text"].to_pylist() == [None, "yes", "yes", None, "yes"]
    assert metadata_dicts(judged["metadata"]) == [*(None, None, {"a": "b", "optouts": "meta robots: noai"}, None, None)]

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill.pipelines.engines.base import Batches, Function, Scan
from corpusmill.pipelines.engines.batches import IpcFile
from corpusmill.pipelines.engines.driver import Silent, run_plan
from corpusmill.pipelines.engines.local import LocalEngine
from corpusmill.pipelines.engines.plan import Plan, ScanTask
from corpusmill.pipelines.engines.store import TaskStore
from corpusmill.pipelines.engines.tables import read_table
from corpusmill.pipelines.stages.base import Documents
from corpusmill.pipelines.stages.site_boilerplate.cutting import CREATED, NOTHING_LEFT, TEMPLATE
from corpusmill.pipelines.stages.site_boilerplate.stage import SiteBoilerplate
from corpusmill.schemas.document import CAPTURE
from tests.pipelines.stages.dedup.corpus import capture, table
from tests.pipelines.stages.site_boilerplate.sites import FOOT, HEAD, ITEM, site

NAME = "site_boilerplate"
DEFAULT = SiteBoilerplate()


class ReadFile(Function):
    """Gives the captures of a Parquet file."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (
            captures.cast(CAPTURE)
            for batch in batches
            for path in batch["path"].to_pylist()
            for captures in pq.read_table(path).to_batches()
        )


def run_stage(
    captures: list[dict[str, Any]],
    folder: Path,
    *,
    stage: SiteBoilerplate = DEFAULT,
    files: int = 1,
    workers: int = 0,
    batch_rows: int | None = None,
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Return the sorted documents and the account of the stage, from the real engine."""
    folder.mkdir(parents=True, exist_ok=True)
    corpus, tasks = table(captures), []
    for number in range(files):
        path = folder / f"{number}.parquet"
        pq.write_table(corpus.take(pa.array(range(number, corpus.num_rows, files), pa.int64())), path)
        tasks.append(ScanTask(({"path": str(path)},), number))
    steps = stage.steps(NAME, Documents("documents", CAPTURE))
    plan = Plan((Scan(name="documents", function=ReadFile(), schema=CAPTURE), *steps), {"documents": tasks})
    engine = LocalEngine(workers)
    try:
        done = run_plan(plan, TaskStore(folder), engine, observer=Silent(), batch_rows=batch_rows)
    finally:
        engine.close()
    store = TaskStore(folder)
    columns = (*CAPTURE.names, "site_boilerplate.cut_bytes")
    rows = [row for batch in read_table(plan, done, store, NAME, columns) for row in batch.to_pylist()]
    for task in done[NAME].tasks:
        batches = IpcFile(store.store, f"{store.out(task.fingerprint)}.{CREATED}.arrow").batches()
        rows += [{**dict.fromkeys(columns), **row} for batch in batches for row in batch.to_pylist()]
    rows.sort(key=lambda row: (row["id"], row["record_sha256"], repr(row)))
    law = {name.removeprefix(f"law/{NAME}/"): number for name, number in sorted(done[NAME].counters.items())}
    return rows, law


def holds(law: dict[str, int]) -> bool:
    law = dict.fromkeys(("created", "bytes_added", "bytes_cut", "ledger", "bytes_ledger"), 0) | law
    return (
        law["documents_in"] + law["created"] == law["documents_out"] + law["ledger"]
        and law["bytes_in"] + law["bytes_added"] == law["bytes_out"] + law["bytes_ledger"] + law["bytes_cut"]
    )


def texts(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {row["source_id"]: row["text"] for row in rows if row["rule"] is None}


def test_what_stands_on_most_pages_of_a_site_is_cut_and_recorded_once(tmp_path: Path) -> None:
    """The page keeps its own words, and the ledger shows what was cut, from where, and how common it was."""
    pages = site("www.daily.example", 8)
    text = pages[0]["text"].removeprefix(f"{HEAD}\n\n")
    pages[0] |= {"text": text, "text_bytes": len(text.encode())}

    rows, law = run_stage(pages + site("other.example", 3), tmp_path)

    assert all(HEAD not in text and "Share" not in text for name, text in texts(rows).items() if "daily" in name)
    assert all(text.startswith(HEAD) for name, text in texts(rows).items() if "other" in name)
    by_template = {row["sample_text"]: row for row in rows if row["rule"] == TEMPLATE}
    assert set(by_template) == {HEAD, FOOT}
    assert (by_template[HEAD]["value"], by_template[HEAD]["threshold"]) == (7 / 8, 0.5)
    assert by_template[HEAD]["message"] == "on 7 of 8 pages of daily.example"
    assert by_template[HEAD]["url"].startswith("https://www.daily.example/")
    assert (law["created"], law["ledger"], law[f"rule/{TEMPLATE}"]) == (2, 2, 2)
    assert holds(law)


def test_items_of_lists_are_cut_one_by_one(tmp_path: Path) -> None:
    """A menu after one of the page's own lists must not remove that list."""
    pages = [
        capture(f"{n}", f"- own item {n}\n{ITEM}\n- another of {n}", url=f"https://one.example/{n}") for n in range(5)
    ]

    rows, _ = run_stage(pages, tmp_path)

    assert texts(rows)["3"] == "- own item 3\n- another of 3"


def test_a_document_with_nothing_of_its_own_goes_to_the_ledger_as_it_was(tmp_path: Path) -> None:
    """An empty text is not a document; the ledger must show what it said."""
    pages = [*site("one.example", 8), capture("login", f"{FOOT}\n\n* * *\n\n{HEAD}", url="https://one.example/login")]

    rows, law = run_stage(pages, tmp_path)

    (row,) = [row for row in rows if row["rule"] == NOTHING_LEFT]
    assert (row["source_id"], row["text_bytes"]) == ("login", len(f"{FOOT}\n\n* * *\n\n{HEAD}"))
    assert (law["documents_in"], law["documents_out"]) == (9, 8)
    assert holds(law)


def test_documents_without_a_site_and_rejected_ones_pass_untouched(tmp_path: Path) -> None:
    """Files have no site, and earlier verdicts stay."""
    files = [one | {"url": url} for one, url in zip(site("one.example", 6), [None, "a/b.md"] * 3, strict=True)]
    dead = capture("dead", None, url="https://one.example/dead", stage="quality", rule="quality.some")

    rows, law = run_stage([*files, dead], tmp_path)

    assert texts(rows) == {one["source_id"]: one["text"] for one in files}
    assert {row["site_boilerplate.cut_bytes"] for row in rows} == {None}
    assert [row["rule"] for row in rows if row["source_id"] == "dead"] == ["quality.some"]
    assert law["documents_in"] == 6


def test_the_signal_counts_the_bytes_cut_from_a_document(tmp_path: Path) -> None:
    """Reports use it, and it helps to identify pages that are mostly template."""
    rows, _ = run_stage(
        [*site("one.example", 6), capture("own", "Nothing shared.", url="http://one.example")], tmp_path
    )

    lost = {row["source_id"]: row["site_boilerplate.cut_bytes"] for row in rows if row["rule"] is None}
    assert lost.pop("own") == 0
    assert set(lost.values()) == {len(f"{HEAD}\n\n\n\n{FOOT}".encode())}


def test_all_captures_of_a_page_lose_the_template_which_is_recorded_once(tmp_path: Path) -> None:
    """The capture to keep is chosen later; equal captures must not record a piece twice."""
    pages = site("one.example", 6)

    rows, law = run_stage(pages + pages + [one | {"record_sha256": "0" * 64} for one in pages], tmp_path)

    assert [row["rule"] for row in rows].count(TEMPLATE) == law["created"] == 2
    assert not any(HEAD in text for text in texts(rows).values())
    assert law["documents_out"] == 18


@pytest.fixture(scope="module")
def corpus() -> list[dict[str, Any]]:
    """Sites of several sizes with a common piece, one of them in two sources, and documents without a site."""
    sites = [
        site(f"{name}.example", size, pieces=(HEAD, f"About {name}", FOOT))
        for name, size in zip("abcde", (3, 5, 9, 40, 1), strict=True)
    ]
    pages = [page for one in sites for page in one]
    for page in pages[::7]:
        page["source"] = "second"
    bare = [capture(f"file {n}", f"{HEAD}\n\nfile {n}") for n in range(9)]
    return [*pages, *bare, capture("login", HEAD, url="https://c.example/login")]


@pytest.mark.parametrize(
    ("files", "workers", "batch_rows"), [(3, 0, 1), (2, 0, 7), pytest.param(3, 2, None, id="processes")]
)
def test_files_workers_and_batches_change_nothing(
    corpus: list[dict[str, Any]], tmp_path: Path, files: int, workers: int, batch_rows: int | None
) -> None:
    """Promise 1: equal documents, ledger rows and account for any execution."""
    expected = run_stage(corpus, tmp_path / "plain")

    found = run_stage(corpus[::-1], tmp_path / "other", files=files, workers=workers, batch_rows=batch_rows)

    assert found == expected
    assert [row["rule"] for row in found[0]].count(TEMPLATE) == 3 * 3
    assert holds(found[1])


PARTS = (HEAD, FOOT, ITEM, "own words", "more of them", "* * *")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pages=st.lists(st.lists(st.sampled_from(PARTS), max_size=5), max_size=12),
    rows=st.sampled_from([1, 3, None]),
    share=st.sampled_from([0.3, 0.5, 1.0]),
)
def test_nothing_is_lost_and_every_piece_that_is_cut_is_recorded(
    tmp_path_factory: pytest.TempPathFactory, pages: list[list[str]], rows: int | None, share: float
) -> None:
    """For any site, text that is missing from a document must be in the ledger, and the account must balance."""
    captures = [capture(f"{n}", "\n\n".join(parts), url=f"https://a.example/{n}") for n, parts in enumerate(pages)]

    found, law = run_stage(
        captures, tmp_path_factory.mktemp("law"), stage=SiteBoilerplate(share=share, min_pages=2), batch_rows=rows
    )

    assert holds({"documents_in": 0, "documents_out": 0, "bytes_in": 0, "bytes_out": 0} | law)
    by_template = {row["sample_text"] for row in found if row["rule"] == TEMPLATE}
    assert len(by_template) == [row["rule"] for row in found].count(TEMPLATE)
    before = {one["id"]: one["text"] for one in captures}
    for row in (row for row in found if row["rule"] != TEMPLATE):
        left = [part for part in before[row["id"]].split("\n\n") if part not in by_template]
        if row["rule"] is None:
            assert row["text"] == "\n\n".join(left)
        else:
            assert row["rule"] == NOTHING_LEFT
            assert set(left) <= {"* * *"}


@pytest.mark.parametrize(
    "given", [{"share": 0}, {"share": 1.5}, {"min_pages": 1}, {"min_characters": 0}, {"hosts": []}]
)
def test_parameters_that_cannot_be_meant_are_refused(given: dict[str, Any]) -> None:
    """One page is not a template, and a share is above 0 and at most 1."""
    with pytest.raises(ValidationError):
        SiteBoilerplate.model_validate_json(json.dumps(given), strict=True)

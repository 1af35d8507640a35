"""`crawl --partition`: several machines with one store get the documents that one machine gets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from corpusmill.command import main
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.storage import open_store
from tests.commands.conftest import Answer
from tests.crawlers.partitions.machines import linked_sites, source_of, two_sites
from tests.crawlers.sites import Answer as Response
from tests.crawlers.sites import page

_TIMES = {"fetched_at", "record_sha256"}
"""Columns that differ between any two crawls: the time, and the hash of the record that has it."""

Machine = Callable[..., Answer]


@pytest.fixture
def machine(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Run a command on a machine with a workspace of its own; return its output and exit code."""
    monkeypatch.setattr("signal.signal", lambda *_: None)

    def run(workspace: Path, store: Path | str, *arguments: Any) -> Answer:
        with pytest.raises(SystemExit) as end:
            main([*map(str, arguments), "--workspace", str(workspace), "--store", str(store)])
        printed = capsys.readouterr()
        return Answer(int(end.value.code or 0), printed.out, printed.err)

    return run


def _recipe(folder: Path, *sources: CrawlSource) -> Path:
    crawls = [{"crawl": source.model_dump(mode="json", exclude_defaults=True)} for source in sources]
    for crawl in crawls:
        crawl["crawl"] |= {"max_pages": None}
    path = folder / "recipe.yaml"
    path.write_text(json.dumps({"dataset": "made", "sources": crawls, "stages": ["extract"]}))
    return path


def _documents(answer: Answer) -> list[list[dict[str, Any]]]:
    """Return the documents and the ledger of the published version, without the times at which pages were fetched."""
    assert answer.code == 0, answer.err
    result = json.loads(answer.out)
    version = open_store(result["path"])
    tables = []
    for start in ("train-", "ledger-"):
        names = [entry.key for entry in version.files() if entry.key.startswith(start)]
        rows = [row for name in names for row in pq.read_table(version.open(name)).to_pylist()]
        tables.append([{name: value for name, value in row.items() if name not in _TIMES} for row in rows])
    assert len(tables[0]) == result["counts"]["published"] > 0
    return tables


def test_the_documents_are_those_of_one_machine(machine: Machine, tmp_path: Path) -> None:
    """A data set must not depend on how many machines crawled it."""
    shared, alone = tmp_path / "shared", tmp_path / "alone"
    with two_sites() as (a, b):
        b.answers["/b"] = page(f"{a.url}/private/x", "http://192.0.2.1/out", text="two")
        a.answers["/robots.txt"] = Response(
            "User-agent: *\nDisallow: /private/", headers={"Content-Type": "text/plain"}
        )
        recipe = _recipe(tmp_path, source_of(a, b))
        expected = _documents(machine(alone, alone / "store", "run", recipe, "--workers", 0, "--json"))

        first = machine(tmp_path / "1", shared, "crawl", recipe, "--partition", "1/2")
        early = machine(tmp_path / "1", shared, "run", recipe)
        second = machine(tmp_path / "2", shared, "crawl", recipe, "--partition", "2/2")
        last = machine(tmp_path / "1", shared, "crawl", recipe, "--partition", "1/2", "--json")
        documents = _documents(machine(tmp_path / "1", shared, "run", recipe, "--workers", 0, "--json"))
        published = machine(tmp_path / "3", shared, "explain", f"{b.url}/b", "--json")
        refused = machine(tmp_path / "3", shared, "explain", f"{a.url}/private/x", "--json")

    assert first.code == early.code == second.code == 5
    assert "partition 2/2 has not finished" in first.err
    assert "the source `site` is crawled in partitions: not all of its partitions are complete" in early.err
    assert "--partition I/N" in early.err
    assert "partition 1/2 must run again: partition 2/2 found " in second.err
    assert last.code == 0
    assert json.loads(last.out)["counts"]["pages"] == json.loads(last.out)["statistics"]["pages"] == 2
    assert documents == expected
    assert json.loads(published.out)["status"] == "published"
    assert "robots.disallowed" in refused.out


def test_a_source_that_waits_for_other_machines_does_not_stop_the_next_one(machine: Machine, tmp_path: Path) -> None:
    """A machine should do all that it can before it exits with 5."""
    with two_sites() as (a, b):
        recipe = _recipe(tmp_path, source_of(a, b), source_of(a, b, name="other"))

        answer = machine(tmp_path / "1", tmp_path / "shared", "crawl", recipe, "--partition", "1/2")

    assert answer.code == 5
    assert [f"partition 1/2 of the crawl of `{name}` is finished" in answer.err for name in ("site", "other")] == [
        True
    ] * 2
    assert a.paths.count("/") == 2


@pytest.mark.parametrize(
    ("options", "problem", "hint"),
    [
        (["--partition", "3/2"], "`--partition`: the partitions are 1/2 to 2/2, got `3/2`", "`--partition 1/2`"),
        (["--partition", "1/2", "--recrawl"], "`--recrawl` cannot be combined", "leave out `--recrawl`"),
        (["--wait", "2h"], "`--wait` has no effect without `--partition`", "add `--partition I/N`"),
        (["--partition", "1/2", "--wait", "soon"], "`--wait`: ", "for example `--wait "),
        (["--partition", "1/2", "--wait", "never"], "expected a duration with an end, got `never`", "`--wait 2h`"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    machine: Machine, tmp_path: Path, options: list[str], problem: str, hint: str
) -> None:
    """The message has to show the right form."""
    answer = machine(tmp_path, tmp_path, "crawl", "recipe.yaml", *options)

    assert answer.code == 2
    assert problem in answer.err
    assert hint in answer.err


@pytest.mark.slow
def test_partitions_share_a_store_on_s3(machine: Machine, tmp_path: Path, s3_url: str) -> None:
    """Machines that share nothing else have no common disk."""
    with linked_sites() as (a, b, c):
        recipe = _recipe(tmp_path, source_of(a, b, c))
        codes = []
        while 0 not in codes and len(codes) < 12:
            index = len(codes) % 3 + 1
            codes.append(machine(tmp_path / str(index), s3_url, "crawl", recipe, "--partition", f"{index}/3").code)
        documents = _documents(machine(tmp_path / "1", s3_url, "run", recipe, "--workers", 0, "--json"))
        expected = _documents(machine(tmp_path / "0", tmp_path / "alone", "run", recipe, "--workers", 0, "--json"))

    assert set(codes) == {0, 5}
    assert documents == expected

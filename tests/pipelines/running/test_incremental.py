"""`incremental: true`: a run over a parent version ends with the documents of a run from nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.command import main
from corpusmill.pipelines.dataset.version import version_in
from corpusmill.pipelines.engines.driver import Engine
from corpusmill.pipelines.stages.dedup import pool
from corpusmill.schemas.errors import RecipeError
from corpusmill.schemas.manifest import VersionManifest
from tests.pipelines.stages.dedup.corpus import edited, prose
from tests.test_promises import run_once

RECIPE = """\
dataset: grown
sources:
  - load: {name: notes, format: jsonl, path: "data/*.jsonl"}
stages:
  - near_dedup: {threshold: 0.8}
split: {train: 1, validation: 0, test: 0}
"""
Document = dict[str, Any]


def documents(seed: int, *, day: int, families: int = 30) -> list[Document]:
    """Return documents in families, some of which other days have too."""
    chance = random.Random(f"{seed} {day}")
    made = []
    for family in range(families):
        words = prose(random.Random(family // 2 if family % 2 else f"{day} {family}"), 80)
        for member in range(chance.randrange(1, 4)):
            text = " ".join(edited(words, chance, chance.choice([0, 0, 1, 2, 4, 8])))
            made.append(
                {"id": f"{day}-{family}-{member}", "text": text, "fetched_at": f"2024-01-{day + 1:02d}T00:00:00Z"}
            )
    return made


class Project:
    """A recipe, its files and its workspace."""

    def __init__(self, folder: Path, *, recipe: str = RECIPE, incremental: bool = True) -> None:
        (folder / "data").mkdir(parents=True)
        self.folder = folder
        self.recipe = folder / "recipe.yaml"
        self.change(recipe, incremental=incremental)

    def change(self, recipe: str, *, incremental: bool = True) -> None:
        self.recipe.write_text(recipe + f"incremental: {str(incremental).lower()}\n")

    def write(self, name: str, rows: Sequence[Document]) -> None:
        (self.folder / "data" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(self, *, engine: Engine | None = None, **options: Any) -> VersionManifest:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("signal.signal", lambda *_: None)
            with pytest.raises(SystemExit) as end:
                main(["load", str(self.recipe), "--workspace", str(self.folder / "w")])
        assert not end.value.code
        result, manifest = run_once(self.recipe, self.folder / "w", engine=engine, **options)
        self.steps = {step["name"]: step for step in result["steps"]}
        self.path = Path(result["path"])
        return manifest

    def kept(self) -> set[str]:
        return set(self.table("shard").column("source_id").to_pylist())

    def removed(self) -> dict[str, str]:
        """Return the kept document of each removed one."""
        rows = self.table("ledger")
        names = dict(zip(*(self.table("shard")[name].to_pylist() for name in ("id", "source_id")), strict=True))
        pairs = zip(rows["source_id"].to_pylist(), rows["duplicate_of"].to_pylist(), strict=True)
        return {name: names[other] for name, other in pairs if other is not None}

    def table(self, kind: str) -> pa.Table:
        files = version_in(self.path).stored(kind)
        return pa.concat_tables([pq.read_table(self.path / file.key) for file in files])


def from_nothing(folder: Path, files: dict[str, Sequence[Document]]) -> Project:
    project = Project(folder, incremental=False)
    for name, rows in files.items():
        project.write(name, rows)
    project.run()
    return project


@pytest.mark.parametrize("seed", range(4))
def test_growing_day_by_day_keeps_the_documents_of_all_days_at_once(tmp_path: Path, seed: int) -> None:
    """Law 4: later documents change nothing before them, so the order of runs cannot matter."""
    grown = Project(tmp_path / "grown")
    files = {}
    survivors: set[str] = set()
    for day in range(3):
        files[f"day{day}"] = documents(seed, day=day)
        grown.write(f"day{day}", files[f"day{day}"])
        grown.run()
        assert survivors <= grown.kept()
        survivors = grown.kept()

    at_once = from_nothing(tmp_path / "once", files)

    assert grown.kept() == at_once.kept()
    assert grown.removed().keys() == at_once.removed().keys()
    sizes = [
        project.table("shard").select(["source_id", "cluster_size"]).sort_by("source_id")
        for project in (grown, at_once)
    ]
    assert sum(sizes[0]["cluster_size"].to_pylist()) == sum(sizes[1]["cluster_size"].to_pylist())


@pytest.mark.parametrize(("bound", "value"), [("MAX_KEYS", 0), ("_KEYS_PER_PARTITION", 40)])
def test_the_size_of_the_pool_and_of_its_partitions_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    """Beyond a number of keys all kept documents are compared, and a large pool has several partitions."""
    files = {"one": documents(11, day=0), "two": documents(11, day=1)}
    at_once = from_nothing(tmp_path / "once", files)
    monkeypatch.setattr(pool, bound, value)
    grown = Project(tmp_path / "grown")
    for name, rows in files.items():
        grown.write(name, rows)
        grown.run()

    assert grown.kept() == at_once.kept()
    assert grown.removed().keys() == at_once.removed().keys()
    assert grown.steps["near_dedup.pool"]["out"] >= len(files["two"])


def test_old_documents_are_not_compared_again(tmp_path: Path) -> None:
    """A run over a new crawl should cost what the new documents cost."""
    project = Project(tmp_path)
    old = documents(1, day=0, families=60)
    project.write("old", old)
    project.run()
    project.write("new", documents(1, day=1, families=2))

    manifest = project.run()

    assert manifest.counts.read > len(old)
    assert project.steps["near_dedup.pool"]["out"] < 10
    assert project.steps["near_dedup.buckets"]["out"] < 10 * 20
    assert project.steps["near_dedup.ranks"]["out"] < 10


def test_a_taken_down_document_gives_back_what_it_alone_displaced(tmp_path: Path) -> None:
    """Its duplicates are compared again, among each other and with the others."""
    chance = random.Random(3)
    words = prose(chance, 100)
    first, second, third = (" ".join(edited(words, chance, count)) for count in (0, 1, 1))
    rows = [{"id": name, "text": text} for name, text in zip("abc", (first, second, third), strict=True)]
    others = documents(5, day=0, families=10)
    project = Project(tmp_path)
    project.write("family", [row | {"fetched_at": f"2024-01-0{day + 1}T00:00:00Z"} for day, row in enumerate(rows)])
    project.write("others", others)
    project.run()
    assert project.kept() & set("abc") == {"a"}
    before = project.kept()

    project.write("family", [row | {"fetched_at": f"2024-01-0{day + 2}T00:00:00Z"} for day, row in enumerate(rows[1:])])
    project.run()

    assert project.kept() == before - {"a"} | {"b"}
    assert project.removed()["c"] == "b"


def test_a_changed_document_is_compared_again(tmp_path: Path) -> None:
    """The decision of the parent was about another text."""
    chance = random.Random(4)
    words, other = prose(chance, 100), prose(chance, 100)
    project = Project(tmp_path)
    project.write("a", [{"id": "a", "text": " ".join(words)}, {"id": "b", "text": " ".join(edited(words, chance, 1))}])
    project.run()
    (removed,) = project.removed()

    project.write("a", [{"id": name, "text": " ".join(other if name == removed else words)} for name in "ab"])
    project.run()

    assert project.kept() == {"a", "b"}


def test_the_index_is_the_same_however_the_version_was_made(tmp_path: Path) -> None:
    """Each run with the same documents must leave what the next one needs."""
    files = {"one": documents(6, day=0), "two": documents(6, day=1)}
    grown = Project(tmp_path / "grown")
    for name, rows in files.items():
        grown.write(name, rows)
        grown.run()
    at_once = Project(tmp_path / "once")
    for name, rows in files.items():
        at_once.write(name, rows)
    at_once.run()

    indexes = [project.table("near_dedup.index").sort_by("id") for project in (grown, at_once)]

    columns = ["id", "size", "set_a", "set_b", "bands", "parameters"]
    assert indexes[0].select(columns).equals(indexes[1].select(columns))
    removed = {row["id"] for row in indexes[0].to_pylist() if row["duplicate_of"]}
    assert len(removed) == len(grown.removed())
    assert {row["id"] for row in indexes[0].to_pylist() if row["bands"] is None} == removed


def test_a_run_without_new_documents_publishes_the_same_version(tmp_path: Path) -> None:
    """The parent is an input, but the content is what counts."""
    project = Project(tmp_path)
    project.write("one", documents(7, day=0))
    first = project.run()

    again = project.run()
    third = project.run()

    assert first.version == again.version == third.version


def test_an_index_made_with_other_parameters_is_refused(tmp_path: Path) -> None:
    """Its keys would match nothing, or its decisions would mean something else."""
    project = Project(tmp_path)
    project.write("one", documents(8, day=0))
    project.run()

    project.change(RECIPE.replace("threshold: 0.8", "threshold: 0.9, ngram: 4"))

    with pytest.raises(
        RecipeError, match=r"`near_dedup.index` of grown@\w+: .*`ngram` was 5 and is 4, `threshold` was 0.8 and is 0.9"
    ) as refused:
        project.run()
    assert (refused.value.file, refused.value.line) == (str(project.recipe), 5)
    assert "`incremental: false`" in str(refused.value.hint)


def test_a_parent_without_an_index_is_no_parent(tmp_path: Path) -> None:
    """The first incremental run of an old data set compares all documents."""
    project = Project(tmp_path, incremental=False)
    project.write("one", documents(9, day=0))
    project.run()
    kept = project.kept()

    project.change(RECIPE)
    project.run()

    assert project.kept() == kept
    assert project.table("near_dedup.index").num_rows

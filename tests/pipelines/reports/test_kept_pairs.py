"""The report shows kept documents just below the threshold of a stage, so that a reader can judge it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from corpusmill.pipelines.reports.duplicates import PAIRS
from corpusmill.pipelines.reports.statistics import statistics
from corpusmill.pipelines.stages.dedup.below import SAMPLE
from corpusmill.schemas.manifest import VersionManifest
from tests.pipelines.stages.dedup.corpus import edited, prose, similarity
from tests.shared_engines import SharedEngines
from tests.test_promises import run_once

RECIPE = """\
dataset: pairs
sources:
  - load: {name: notes, format: jsonl, path: notes.jsonl}
stages:
  - normalize
  - near_dedup
  - decontaminate: {against: [eval.jsonl]}
split: {train: 1, validation: 0, test: 0}
"""


def write_project(folder: Path, *, families: int = 120) -> Path:
    """Write families of two notes with a similarity of about 0.79; an evaluation set has one note of each third."""
    chance = random.Random(5)
    texts: dict[str, str] = {}
    for number in range(families):
        base = prose(chance, 130)
        texts[f"{number} a"] = " ".join(base)
        texts[f"{number} b"] = " ".join(edited(base, chance, 3))
    rows = [{"id": name, "text": text} for name, text in texts.items()]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notes.jsonl").write_text("\n".join(map(json.dumps, rows)))
    evaluated = (json.dumps({"text": texts[f"{number} a"]}) for number in range(0, families, 3))
    (folder / "eval.jsonl").write_text("\n".join(evaluated))
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder / "recipe.yaml"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, VersionManifest]:
    """The folder of a version, and its manifest."""
    folder = tmp_path_factory.mktemp("pairs")
    result, manifest = run_once(write_project(folder), folder / "corpus")
    return Path(str(result["path"])), manifest


def test_the_pairs_nearest_to_the_threshold_are_shown_with_their_differences(
    published: tuple[Path, VersionManifest],
) -> None:
    """Texts begin shortly before the first difference."""
    path, manifest = published

    pairs = statistics(path)["duplicates"]["kept_pairs"]

    assert 4 < len(manifest.kept_pairs) <= SAMPLE
    assert len(pairs) == PAIRS
    assert [pair["similarity"] for pair in pairs] == sorted((pair["similarity"] for pair in pairs), reverse=True)
    for pair in pairs:
        assert (pair["stage"], pair["threshold"]) == ("near_dedup", 0.8)
        assert 0.7 <= pair["similarity"] < 0.8
        assert {name[:-2] for name in (pair["source_id"], pair["other_source_id"])} == {pair["source_id"][:-2]}
        assert pair["text"] != pair["other_text"]
    page = (path / "report.html").read_text()
    assert "Kept documents just below the threshold" in page
    assert pairs[0]["id"] in page


def test_a_pair_with_an_unpublished_document_is_not_shown(published: tuple[Path, VersionManifest]) -> None:
    """A later stage rejected notes of the evaluation set. The sample keeps their pairs, and the report shows others."""
    path, manifest = published

    shown = {name for pair in statistics(path)["duplicates"]["kept_pairs"] for name in (pair["id"], pair["other_id"])}

    tables = [pq.read_table(path / file.path, columns=["id"]) for file in manifest.files]
    kept = {identity for table in tables for identity in table["id"].to_pylist()}
    nearest = [{pair.id, pair.other_id} for pair in sorted(manifest.kept_pairs, key=lambda pair: -pair.similarity)]
    assert any(not pair <= kept for pair in nearest[:PAIRS])
    assert shown <= kept


@pytest.mark.parametrize(("workers", "batch_rows"), [(0, 1), (0, 7), (2, None)])
def test_the_sample_does_not_depend_on_the_execution(
    published: tuple[Path, VersionManifest], tmp_path: Path, workers: int, batch_rows: Any, shared_engine: SharedEngines
) -> None:
    """It is recorded in the manifest, so it must be the same for the same recipe."""
    engine = shared_engine("local") if workers else None

    _, again = run_once(write_project(tmp_path), tmp_path / "corpus", engine=engine, batch_rows=batch_rows)

    assert again.kept_pairs == published[1].kept_pairs


def test_similarities_are_exact(tmp_path: Path) -> None:
    """Those of the texts as the stage saw them."""
    _, manifest = run_once(write_project(tmp_path, families=30), tmp_path / "corpus")
    rows = map(json.loads, (tmp_path / "notes.jsonl").read_text().splitlines())
    texts = {row["id"]: row["text"] for row in rows}
    similarities = [round(similarity(texts[f"{n} a"], texts[f"{n} b"]), 6) for n in range(30)]

    assert manifest.kept_pairs
    assert {pair.similarity for pair in manifest.kept_pairs} <= set(similarities)

"""Whole runs with `split: {by: cluster, similarity: …}`."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.pipelines.planning.plan import similar_of
from corpusmill.pipelines.stages.base import Stage
from corpusmill.pipelines.stages.dedup.near import NearDedup
from corpusmill.pipelines.stages.leakage.groups import Similar
from corpusmill.pipelines.stages.normalize.stage import Normalize
from corpusmill.schemas.manifest import SplitGroups, VersionManifest
from corpusmill.schemas.recipe import Split
from tests.pipelines.stages.dedup.corpus import edited, prose, shingle_set
from tests.shared_engines import SharedEngines
from tests.test_promises import hashes, run_once

TRUTH = Path(os.environ.get("CORPUSMILL_SHARED", Path(__file__).parents[5] / "shared")) / "data/dedup"
RECIPE = """\
dataset: notes
sources:
  - load: {name: notes, format: jsonl, path: notes.jsonl}
stages: STAGES
split: {train: 0.5, validation: 0.25, test: 0.25, by: cluster, similarity: 0.5}
"""


def write_project(folder: Path, *, stages: str = "[normalize, near_dedup]") -> Path:
    """Write a project with 30 families of 4 notes, whose similarity to each other is between 0.5 and 0.8."""
    chance = random.Random(5)
    rows = []
    for family in range(30):
        base = prose(chance, 100)
        texts = [" ".join(edited(base, chance, 2)) for _ in range(4)]
        rows += [{"id": f"{family}-{member}", "text": text} for member, text in enumerate(texts)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notes.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "recipe.yaml").write_text(RECIPE.replace("STAGES", stages))
    return folder / "recipe.yaml"


def documents(manifest: VersionManifest, workspace: Path) -> Iterator[dict[str, str]]:
    for file in manifest.files:
        path = workspace / "versions" / manifest.dataset / manifest.version / file.path
        yield from pq.read_table(path, columns=["source_id", "text", "split"]).to_pylist()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[VersionManifest, Path]:
    """The manifest and the workspace of a run in this process."""
    folder = tmp_path_factory.mktemp("notes")
    return run_once(write_project(folder), folder / "corpus")[1], folder / "corpus"


def test_no_similar_pair_is_separated(reference: tuple[VersionManifest, Path]) -> None:
    """All splits have documents, and each family is in one of them."""
    rows = list(documents(*reference))

    sets = [shingle_set(row["text"]) for row in rows]
    similar = separated = 0
    for place, one in enumerate(sets):
        for before, other in enumerate(sets[:place]):
            if len(one & other) >= 0.5 * len(one | other):
                similar += 1
                separated += rows[place]["split"] != rows[before]["split"]
    assert (len(rows), len({row["split"] for row in rows})) == (120, 3)
    assert similar > 100
    assert separated == 0


def test_the_manifest_and_the_report_describe_the_groups(reference: tuple[VersionManifest, Path]) -> None:
    """A user must see whether a group is so large that the split is useless."""
    manifest, workspace = reference
    folder = workspace / "versions" / "notes" / manifest.version

    groups = manifest.split_groups

    assert groups is not None
    assert (groups.similarity, groups.groups, groups.largest) == (0.5, 30, 4)
    assert groups.documents == 120
    assert groups.pairs >= 90
    assert json.loads((folder / "report.json").read_text())["split_groups"] == groups.model_dump()
    page = (folder / "report.html").read_text()
    assert "120 documents are in 30 groups of similar documents, the largest with 4." in page


def test_it_works_without_near_dedup(reference: tuple[VersionManifest, Path], tmp_path: Path) -> None:
    """The steps stand alone. Here `near_dedup` removes nothing, so the documents have the same splits."""
    manifest = run_once(write_project(tmp_path, stages="[normalize]"), tmp_path / "corpus")[1]

    splits = {row["source_id"]: row["split"] for row in documents(manifest, tmp_path / "corpus")}

    assert splits == {row["source_id"]: row["split"] for row in documents(*reference)}
    assert manifest.split_groups == reference[0].split_groups


def test_one_large_group_is_a_warning(tmp_path: Path) -> None:
    """All documents would be in one split."""
    recipe = write_project(tmp_path, stages="[normalize]")
    rows = [json.loads(line) for line in (tmp_path / "notes.jsonl").read_text().splitlines()[:6]]
    (tmp_path / "notes.jsonl").write_text("\n".join(map(json.dumps, rows)))

    result, manifest = run_once(recipe, tmp_path / "corpus")

    assert any("one group of similar documents has 4 of 6 documents" in text for text in result["warnings"])
    report = json.loads((Path(str(result["path"])) / "report.json").read_text())
    assert "large_group" in {finding["code"] for finding in report["findings"]}
    assert manifest.split_groups is not None
    assert (manifest.split_groups.groups, manifest.split_groups.largest) == (2, 4)


@pytest.mark.parametrize(("workers", "batch_rows"), [(0, 1), (0, 7), (2, None)])
def test_batches_and_workers_change_nothing(
    reference: tuple[VersionManifest, Path],
    tmp_path: Path,
    workers: int,
    batch_rows: int | None,
    shared_engine: SharedEngines,
) -> None:
    """The same recipe gives the same bytes."""
    engine = shared_engine("local") if workers else None

    _, manifest = run_once(write_project(tmp_path), tmp_path / "corpus", engine=engine, batch_rows=batch_rows)

    assert hashes(manifest) == hashes(reference[0])


NEAR = NearDedup(threshold=0.6, ngram=3)


@pytest.mark.parametrize(
    ("split", "stages", "expected"),
    [
        (Split(), [], None),
        (Split(by="id"), [NEAR], None),
        (Split(similarity=0.5), [], Similar(0.5, 5)),
        (Split(similarity=0.5), [NEAR], Similar(0.5, 3)),
        (Split(similarity=0.6), [Normalize(), NEAR], None),
        (Split(similarity=0.6), [NEAR, Normalize()], Similar(0.6, 3)),
        (Split(similarity=1), [], Similar(1, 5)),
    ],
)
def test_documents_are_grouped_only_if_similar_ones_may_be_left(
    split: Split, stages: list[Stage], expected: Similar | None
) -> None:
    """After `near_dedup` at this threshold, no two documents are similar, unless a later stage changes texts."""
    assert similar_of(split, stages) == expected


def test_equal_documents_are_one_group(tmp_path: Path) -> None:
    """A similarity of 1 has signatures of its own."""
    recipe = write_project(tmp_path, stages="[]")
    recipe.write_text(recipe.read_text().replace("similarity: 0.5", "similarity: 1"))
    rows = [json.loads(line) for line in (tmp_path / "notes.jsonl").read_text().splitlines()]
    rows += [{"id": f"copy {row['id']}", "text": row["text"].upper()} for row in rows]
    (tmp_path / "notes.jsonl").write_text("\n".join(map(json.dumps, rows)))

    manifest = run_once(recipe, tmp_path / "corpus")[1]

    assert manifest.split_groups == SplitGroups(similarity=1, pairs=120, groups=120, documents=240, largest=2)


@pytest.mark.slow
@pytest.mark.skipif(not TRUTH.exists(), reason=f"no {TRUTH}: set CORPUSMILL_SHARED")
def test_no_pair_of_the_truth_set_is_separated(tmp_path: Path) -> None:
    """It has all pairs with a similarity of at least 0.5 among 20,438 documents. The bands may miss 0.3 % at 0.5."""
    recipe = tmp_path / "recipe.yaml"
    load = f"{{name: truth, format: parquet, path: {TRUTH}/truth/*.parquet, id_field: id}}"
    recipe.write_text(f"dataset: truth\nsources:\n  - load: {load}\nstages: []\n{RECIPE.splitlines()[-1]}\n")

    manifest = run_once(recipe, tmp_path / "corpus")[1]

    splits = {row["source_id"]: row["split"] for row in documents(manifest, tmp_path / "corpus")}
    pairs = pq.read_table(TRUTH / "truth_pairs.parquet").filter(pa.compute.field("j") >= 0.5).to_pylist()
    separated = [pair for pair in pairs if splits[pair["a"]] != splits[pair["b"]]]
    assert len(pairs) == 54_820
    assert len(separated) <= 10
    assert manifest.split_groups is not None
    assert manifest.split_groups.documents > 10_000

"""Whole runs of `semantic_dedup`: with embeddings of a user's own stage or of the source, and with vectors of words."""

from __future__ import annotations

import json
import random
import string
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import corpusmill
from corpusmill.pipelines.api import make_engine
from corpusmill.pipelines.dataset.explain import explain
from corpusmill.pipelines.dataset.version import Version, version_in
from corpusmill.pipelines.engines.driver import Engine, Silent
from corpusmill.pipelines.recipes.reading import load_recipe, stage_table
from corpusmill.pipelines.running.run import Options, run
from corpusmill.pipelines.stages.dedup.semantic.stage import RULE
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import RecipeError
from corpusmill.schemas.identity import document_id
from tests.corpora import prose
from tests.pipelines.stages.dedup.semantic.letters import VECTOR
from tests.shared_engines import SharedEngines
from tests.test_promises import hashes

EMBEDDED = "  - letters\n  - semantic_dedup: {column: letters, threshold: 0.995}\n"
LOADED = "  - semantic_dedup: {column: vector, threshold: 0.995}\n"
"""The source has the embeddings."""
WORDS = "  - semantic_dedup: {threshold: 0.9}\n"
RECIPE = """\
dataset: notes
sources:
  - load: {name: notes, format: jsonl, path: notes.jsonl<FIELD>}
stages:
  - normalize
<STAGES>
split: {train: 1, validation: 0, test: 0}
checks: {max_rejected: 0.6}
"""
STAGES = {**stage_table(), "letters": "tests.pipelines.stages.dedup.semantic.letters:LetterVectors"}


def write_project(folder: Path, stages: str) -> Path:
    """Write a project with 20 notes, of which every fourth has a copy with its words in another order."""
    chance = random.Random(3)
    texts = {f"{number:02}": prose(chance, 6) for number in range(20)}
    for number in range(0, 20, 4):
        words = texts[f"{number:02}"].split()
        texts[f"copy {number:02}"] = " ".join(chance.sample(words, len(words)))
    rows = [
        {"id": name, "text": text, "fetched_at": f"2024-01-{day + 1:02}"}
        for day, (name, text) in enumerate(texts.items())
    ]
    if stages is LOADED:
        rows = [{**row, "embedding": letter_vector(row["text"])} for row in rows]
    field = ", vector_field: embedding" if stages is LOADED else ""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notes.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "recipe.yaml").write_text(RECIPE.replace("<STAGES>\n", stages).replace("<FIELD>", field))
    return folder / "recipe.yaml"


def letter_vector(text: str) -> list[float]:
    """Return how often each letter from a to z is in *text*, per character."""
    return [text.lower().count(letter) / len(text) for letter in string.ascii_lowercase]


def run_with(stages: str, folder: Path, *, engine: Engine | None = None, **options: Any) -> Version:
    """Run a recipe with *stages* and return the version."""
    acquisition = corpusmill.acquisition()
    loaded = load_recipe(write_project(folder, stages), stages=STAGES, loaders=acquisition.loaders)
    made = engine or make_engine("local", workers=0)
    workspace = Workspace(folder / "corpus")
    result = run(loaded, workspace, made, acquisition, observer=Silent(), options=Options(**options))
    return version_in(Path(str(result.path)))


def rows_of(version: Version, kind: str) -> pa.Table:
    """Return a table of *version*."""
    return pa.concat_tables(pq.read_table(file) for file in sorted(version.path.glob(f"{kind}-*.parquet")))


@pytest.fixture(scope="module", params=[EMBEDDED, LOADED, WORDS], ids=["embedded", "loaded", "words"])
def reference(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Version]:
    """The stages of a recipe and the version that it publishes."""
    return request.param, run_with(request.param, tmp_path_factory.mktemp("notes"))


def test_copies_are_removed_and_explained(reference: tuple[str, Version]) -> None:
    """Each copy has the words and letters of an older note, and `explain` and the ledger name it."""
    _, version = reference
    ledger = {row["id"]: row for row in rows_of(version, "ledger").to_pylist()}
    (stage,) = (stage for stage in version.manifest.counts.stages if stage.name == "semantic_dedup")

    copies = {
        document_id("notes", f"copy {number:02}"): document_id("notes", f"{number:02}") for number in range(0, 20, 4)
    }
    assert {name: row["duplicate_of"] for name, row in ledger.items()} == copies
    assert {(row["rule"], row["value"]) for row in ledger.values()} == {(RULE, 1.0)}
    assert (stage.documents_in, stage.ledger, stage.holds) == (25, 5, True)
    kept = {row["id"]: row["cluster_size"] for row in rows_of(version, "train").to_pylist()}
    assert sorted(kept.values()) == [1] * 15 + [2] * 5
    explained = explain(next(iter(copies)), Workspace(version.path.parents[2]))
    assert (explained["status"], explained["duplicate_of"]) == ("rejected", copies[explained["id"]])


def test_an_embedding_is_published_as_it_was_made(reference: tuple[str, Version]) -> None:
    """A view is a column of the shards, with its type; columns of the stage itself are not published."""
    stages, version = reference
    shard = rows_of(version, "train")

    assert not [name for name in shard.schema.names if name.startswith("semantic_dedup")]
    if stages is not EMBEDDED:
        assert "vector" not in shard.schema.names
        assert not any(row["metadata"] for row in shard.to_pylist())
        return
    assert shard.schema.field("letters").type == VECTOR
    for row in shard.to_pylist():
        share = row["text"].lower().count("e") / len(row["text"])
        assert row["letters"][4] == pytest.approx(share, rel=1e-6)
        assert len(row["letters"]) == 26


def test_an_embedding_may_be_a_signal(tmp_path: Path) -> None:
    """A name with a dot keeps it out of the shards."""
    stages = "  - letters: {into: letters.vector}\n  - semantic_dedup: {column: letters.vector, threshold: 0.995}\n"

    version = run_with(stages, tmp_path)

    assert rows_of(version, "signals").schema.field("letters.vector").type == VECTOR
    assert "letters.vector" not in rows_of(version, "train").schema.names
    assert rows_of(version, "ledger").num_rows == 5


@pytest.mark.parametrize(("workers", "batch_rows"), [(0, 1), (0, 7), (2, None)])
def test_batches_and_workers_change_nothing(
    reference: tuple[str, Version], tmp_path: Path, workers: int, batch_rows: int | None, shared_engine: SharedEngines
) -> None:
    """The same recipe gives the same bytes."""
    stages, version = reference
    engine = shared_engine("local") if workers else None

    again = run_with(stages, tmp_path, engine=engine, batch_rows=batch_rows)

    assert hashes(again.manifest) == hashes(version.manifest)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ("  - semantic_dedup: {column: letters}\n", "reads the column `letters`, which no earlier stage adds"),
        ("  - semantic_dedup: {column: vector}\n", "reads the column `vector`, which no earlier stage adds"),
        ("  - semantic_dedup: {column: title}\n", "`title` is not a list of float32 or float64, but string"),
    ],
)
def test_a_column_that_is_no_embedding_is_refused(tmp_path: Path, stages: str, message: str) -> None:
    """Before any work starts."""
    with pytest.raises(RecipeError, match=message) as caught:
        run_with(stages, tmp_path)

    assert caught.value.hint is not None
    assert "`vector_field`" in caught.value.hint

"""The documents of a batch, and the steps of a document, of a run that was made."""

from __future__ import annotations

import itertools
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpusmill.schemas.errors import UsageError
from corpusmill.training import fit, tokenize
from corpusmill.training.data import load_tokenizer, open_corpus
from corpusmill.training.lineage import documents_of_step, steps_of_document
from corpusmill.training.run_data import open_run_data
from tests.training.corpora import tiny_config, write_version


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, version_dir: Path) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    fit(tiny_config(keep_checkpoints=5), version_dir=version_dir, workspace=folder)
    return folder


def test_the_documents_of_a_step_are_those_that_training_read(workspace: Path, version_dir: Path) -> None:
    """From text, with the checkpoints of the run, and from a cache alike."""
    run = workspace / "models" / "tiny"
    from_text = [documents_of_step(run, step, version_dir=version_dir, tokens=workspace) for step in (1, 5, 6, 12)]
    elsewhere = workspace / "elsewhere"
    tokenize(version_dir, run, workspace=elsewhere)

    for explained in from_text:
        cached = documents_of_step(run, explained["step"], version_dir=version_dir, tokens=elsewhere)
        assert cached["rows"] == explained["rows"]
        assert (explained["from"], cached["from"], cached["steps"]) == ("text", "token cache", 12)

    dataset = open_run_data(version_dir).dataset_of(tiny_config(), load_tokenizer(run), tokens=workspace)
    turn = next(itertools.islice(dataset.turns(), 5, None))
    sixth = from_text[2]["rows"]
    assert [sum(one["tokens"] for one in row["documents"]) for row in sixth] == [len(row.tokens) for row in turn]
    texts = {
        id: text
        for batch in open_corpus(version_dir).batches(("id", "text"))
        for id, text in zip(*batch.to_pydict().values(), strict=True)
    }
    tokenizer = load_tokenizer(run)
    first = sixth[0]["documents"][0]
    tokens = tokenizer.encode(texts[first["id"]], add_special_tokens=False).ids
    assert turn[0].tokens[: first["tokens"]].tolist()[:3] == [*tokens, 0][first["first"] :][:3]


def test_the_steps_of_a_document_are_those_with_it(workspace: Path, version_dir: Path) -> None:
    """Both directions agree."""
    run, elsewhere = workspace / "models" / "tiny", workspace / "again"
    tokenize(version_dir, run, workspace=elsewhere)
    shard = open_corpus(version_dir).shards[0]
    batches = [documents_of_step(run, step, version_dir=version_dir, tokens=elsewhere) for step in range(1, 13)]

    for row in range(0, shard.rows, 3):
        found = steps_of_document(run, shard.path, row, version_dir=version_dir, tokens=elsewhere)
        id = pq.read_table(shard.path, columns=["id"]).column(0)[row].as_py()
        inside = {
            batch["step"]
            for batch in batches
            if any(one["id"] == id for batch_row in batch["rows"] for one in batch_row["documents"])
        }
        assert set(found["seen"]) <= inside
        assert len(inside - set(found["seen"])) <= 2  # where its first token is only a target


def test_what_cannot_be_explained_is_refused(workspace: Path, version_dir: Path, tmp_path: Path) -> None:
    """With what to do instead."""
    run = workspace / "models" / "tiny"
    shard = open_corpus(version_dir).shards[0]

    with pytest.raises(UsageError, match="has no step 13") as late:
        documents_of_step(run, 13, version_dir=version_dir, tokens=workspace)
    with pytest.raises(UsageError, match="found from counts") as uncached:
        steps_of_document(run, shard.path, 0, version_dir=version_dir, tokens=workspace)
    other = write_version(tmp_path / "other", train=30)
    manifest = other / "manifest.json"
    manifest.write_text(manifest.read_text().replace("0123456789abcdef", "fedcba9876543210"))
    with pytest.raises(UsageError, match="was started on version"):
        documents_of_step(run, 1, version_dir=other, tokens=workspace)

    assert late.value.hint == "steps are counted from 1 to 12"
    assert uncached.value.hint == "make the token cache with `corpusmill tokenize VERSION --tokenizer tiny`"

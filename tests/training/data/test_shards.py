"""Opening versions and loose Parquet."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.schemas.errors import DamagedFileError, SourceError, UsageError
from corpusmill.training.data import open_corpus
from tests.training.corpora import drawn_texts, write_shard, write_version


def test_a_version_names_itself(version_dir: Path) -> None:
    """Checkpoints carry the version's id and the report from here."""
    corpus = open_corpus(version_dir)

    assert (corpus.dataset, corpus.version, corpus.rows) == ("drawn", "0123456789abcdef", 40)
    assert corpus.report == str(version_dir / "report.html")


def test_windows_cover_every_document_once(corpus_dir: Path) -> None:
    """Row groups are divided if there are few, and no document may be lost between two parts."""
    corpus = open_corpus(corpus_dir)
    texts = [text for batch in corpus.batches(("text",)) for text in batch.column(0).to_pylist()]

    for at_least in (1, 6, 7, 40, 200):
        windows = corpus.windows(at_least=at_least)

        assert len(windows) >= at_least
        assert [text for window in windows for text in corpus.column(window, "text").to_pylist()] == texts


def test_a_file_alone_is_a_train_split(tmp_path: Path) -> None:
    """Any Parquet file with a text column can be used for training."""
    path = write_shard(tmp_path / "mine.parquet", drawn_texts(5))

    assert open_corpus(path).rows == 5
    assert open_corpus(path, split="validation").rows == 0


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    """The size is equal and one bit differs. Only the hash detects it, and the lineage would be wrong."""
    write_version(tmp_path)
    path = tmp_path / "train-00001-of-00002.parquet"
    content = bytearray(path.read_bytes())
    content[10] ^= 1
    path.write_bytes(content)

    with pytest.raises(DamagedFileError, match=path.name):
        open_corpus(tmp_path).verify()


@pytest.mark.parametrize("damage", ["gone", "short", "other"])
def test_a_damaged_shard_is_named(tmp_path: Path, damage: str) -> None:
    """The message must name the file among a thousand that has to be fetched again."""
    write_version(tmp_path)
    path = tmp_path / "train-00001-of-00002.parquet"
    if damage == "gone":
        path.unlink()
    elif damage == "short":
        path.write_bytes(path.read_bytes()[:-7])
    else:
        path.write_bytes(b"x" * path.stat().st_size)

    with pytest.raises(DamagedFileError, match=path.name):
        open_corpus(tmp_path)


def test_a_manifest_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    """Versions may come from untrusted sources."""
    write_version(tmp_path / "version")
    manifest = tmp_path / "version" / "manifest.json"
    listed = json.loads(manifest.read_text())
    listed["files"][0]["path"] = "../secret.parquet"
    manifest.write_text(json.dumps(listed))

    with pytest.raises(SourceError, match="outside"):
        open_corpus(tmp_path / "version")


@pytest.mark.parametrize(("column", "values"), [("body", ["a"]), ("text", [1])])
def test_a_file_without_text_tells_its_columns(tmp_path: Path, column: str, values: list[object]) -> None:
    """A different column name is the most common mistake with one's own Parquet."""
    pq.write_table(pa.table({column: values}), tmp_path / "one.parquet")

    with pytest.raises(SourceError, match="`text`"):
        open_corpus(tmp_path)


def test_what_is_not_there_is_a_mistake_of_use(tmp_path: Path) -> None:
    """Exit code 2, not a traceback."""
    with pytest.raises(UsageError, match="does not exist"):
        open_corpus(tmp_path / "none")
    with pytest.raises(UsageError, match="no Parquet"):
        open_corpus(tmp_path)

"""Corpora that lie on a store: the same text and tokens as from a folder, read by ranges, also in other processes."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from torch.utils.data import DataLoader

from corpusmill.schemas.errors import CorpusmillError, DamagedFileError, SourceError, UnfinishedError, UsageError
from corpusmill.schemas.storage import open_store
from corpusmill.training.data import BatchLoader, Corpus, PackedDataset, open_corpus, train_tokenizer
from tests.s3 import Seen, Server
from tests.training.corpora import copy_to_store, drawn_texts, write_shard, write_version

SHARD = "train-00001-of-00002.parquet"


def texts(corpus: Corpus, *, at_least: int) -> list[list[str]]:
    return [corpus.column(window, "text").to_pylist() for window in corpus.windows(at_least=at_least)]


def batches(loader: BatchLoader, count: int) -> list[list[list[int]]]:
    return [batch.tolist() for batch in itertools.islice(loader, count)]


def gets(s3: Server) -> list[Seen]:
    return [seen for seen in s3.requests if seen.method == "GET"]


def test_a_version_on_a_store_is_that_in_a_folder(far_version: str, version_dir: Path) -> None:
    """The same windows with the same texts, so the same order of training; the report is where the version is."""
    far, near = open_corpus(far_version), open_corpus(version_dir)

    assert (far.dataset, far.version, far.rows) == (near.dataset, near.version, near.rows)
    assert (far.path, far.report, far.is_local) == (far_version, f"{far_version}/report.html", False)
    for at_least in (1, 40):
        assert texts(far, at_least=at_least) == texts(near, at_least=at_least)
    columns = ("text", "source", "none")
    assert pa.Table.from_batches(far.batches(columns)) == pa.Table.from_batches(near.batches(columns))
    far.verify()


def test_loose_parquet_on_a_store_is_that_in_a_folder(store_url: str, tmp_path: Path) -> None:
    """Without a manifest, names, sizes and rows make the version: in the same order, also across folders."""
    for name in ("a/one.parquet", "a-b.parquet", "a/b/two.parquet"):
        write_shard(tmp_path / name, drawn_texts(9, seed=len(name)))
    copy_to_store(tmp_path, store_url)

    far, near = open_corpus(store_url), open_corpus(tmp_path)
    one = open_corpus(f"{store_url}/a/one.parquet")

    assert far.version == near.version
    assert texts(far, at_least=1) == texts(near, at_least=1)
    assert one.version == open_corpus(tmp_path / "a" / "one.parquet").version
    assert texts(one, at_least=1) == texts(near, at_least=1)[2:4]
    assert open_corpus(f"{store_url}/a/one.parquet", split="validation").rows == 0


def test_a_version_that_was_opened_is_taken_as_it_is(far_version: str) -> None:
    """Callers may pass an open `Version` or store instead of a path or URL."""

    class Version:
        store = open_store(far_version)

        def __fspath__(self) -> str:
            raise AssertionError("it does not lie on this machine")

    assert open_corpus(Version()) == open_corpus(Version.store) == open_corpus(far_version)


def test_rows_are_the_same_and_a_state_can_move(far_version: str, version_dir: Path, tokenizer_dir: Path) -> None:
    """A run can start in a folder and resume on a store, and vice versa."""
    options: dict[str, Any] = {"batch_size": 4, "epochs": None, "seed": 5}
    near, far = (PackedDataset(place, tokenizer_dir, 8, **options) for place in (version_dir, far_version))
    uninterrupted = batches(BatchLoader(near), 30)
    places: list[Path | str] = [version_dir, far_version]

    assert batches(BatchLoader(far), 30) == uninterrupted
    for begin, go_on in (places, places[::-1]):
        first = BatchLoader(PackedDataset(begin, tokenizer_dir, 8, **options))
        second = BatchLoader(PackedDataset(go_on, tokenizer_dir, 8, **options))
        begun = batches(first, 11)
        second.load_state_dict(json.loads(json.dumps(first.state_dict())))
        assert begun + batches(second, 19) == uninterrupted


@pytest.mark.parametrize("start", ["spawn", "fork"])
def test_workers_open_the_store_again(s3_version: str, version_dir: Path, tokenizer_dir: Path, start: str) -> None:
    """Connections cannot be sent to a new process and do not survive a fork."""
    options: dict[str, Any] = {"batch_size": 4, "epochs": None}
    dataset = PackedDataset(s3_version, tokenizer_dir, 8, **options)
    next(dataset.rows())  # the connections of this process are in use

    loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context=start)
    rows = [row.tolist() for row in itertools.islice(loader, 40)]

    assert rows == [
        row.tolist() for row in itertools.islice(PackedDataset(version_dir, tokenizer_dir, 8, **options), 40)
    ]


def write_wide_version(folder: Path) -> int:
    """Write a version with columns that are many times as large as its text; return the bytes of its text."""
    folder.mkdir()
    random_ = random.Random(1)
    words = ["".join(random_.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(5000)]
    documents = [" ".join(random_.choices(words, k=400)) for _ in range(240)]
    columns = {"before": None, "text": documents, "after": None}
    table = pa.table(
        {name: values or [random_.randbytes(20_000) for _ in documents] for name, values in columns.items()}
    )
    for shard in range(2):
        path = folder / f"train-0000{shard}-of-00002.parquet"
        pq.write_table(table.slice(120 * shard, 120), path, row_group_size=40)
    return sum(len(document) for document in documents)


def test_an_epoch_reads_the_text_and_nothing_else(s3: Server, s3_url: str, tmp_path: Path, tokenizer_dir: Path) -> None:
    """A version has twenty columns. After the footers, a row group must cost one request for its text."""
    text_bytes = write_wide_version(tmp_path / "wide")
    copy_to_store(tmp_path / "wide", s3_url)
    whole = sum(path.stat().st_size for path in (tmp_path / "wide").iterdir())
    s3.requests.clear()

    dataset = PackedDataset(s3_url, tokenizer_dir, 64)
    opening = [seen for seen in gets(s3) if seen.range]
    rows = sum(1 for _ in dataset)
    reading = [seen for seen in gets(s3) if seen.range][len(opening) :]

    assert rows > 100
    assert len(opening) == 2
    assert len(reading) == 6
    assert text_bytes / 4 < sum(seen.sent for seen in reading) < text_bytes * 1.5 < whole / 8
    assert not [seen for seen in gets(s3) if not seen.range and seen.path.endswith(".parquet")]


def test_a_tokenizer_is_that_of_the_folder(far_version: str, version_dir: Path, tmp_path: Path) -> None:
    """The bytes must be equal, and the lineage must name the same version."""
    far = train_tokenizer(far_version, vocabulary_size=300, out=tmp_path / "far")
    near = train_tokenizer(version_dir, vocabulary_size=300, out=tmp_path / "near")

    assert {**far, "path": ""} == {**near, "path": ""}
    assert (tmp_path / "far/tokenizer.json").read_bytes() == (tmp_path / "near/tokenizer.json").read_bytes()


def test_a_store_that_vanishes_while_a_tokenizer_is_trained_is_unfinished(
    s3: Server, s3_version: str, tmp_path: Path
) -> None:
    """The library that reads the texts must not replace the error, nor accept a part of the texts as all."""
    corpus = open_corpus(s3_version)
    s3.is_down = True

    with pytest.raises(UnfinishedError, match="cannot read") as stopped:
        train_tokenizer(corpus, vocabulary_size=300, out=tmp_path / "out")

    assert stopped.value.exit_code == 5
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_store_that_vanishes_between_rows_is_unfinished(
    s3: Server, s3_version: str, tokenizer_dir: Path, workers: int
) -> None:
    """The error names the object, also in a worker, after the rows that were read before."""
    dataset = PackedDataset(s3_version, tokenizer_dir, 8, batch_size=2, epochs=None)
    rows = iter(BatchLoader(dataset, num_workers=workers))
    next(rows)
    s3.is_down = True

    with pytest.raises(UnfinishedError, match="cannot read: the store does not respond") as stopped:
        list(itertools.islice(rows, 1000))

    assert "Traceback" not in stopped.value.message
    assert str(stopped.value.file).startswith(f"{s3_version}/train-0000")
    assert "AWS_ENDPOINT_URL" in str(stopped.value.hint)
    s3.heal()
    again = PackedDataset(s3_version, tokenizer_dir, 8, batch_size=2, epochs=None)
    again.load_state_dict(dataset.state_dict())
    assert next(again.rows()).position.rows > 1


@pytest.mark.parametrize("damage", ["gone", "short", "long", "other"])
def test_a_damaged_shard_on_a_store_is_named(store_url: str, tmp_path: Path, damage: str) -> None:
    """The size in the manifest suffices, without another request."""
    write_version(tmp_path)
    content = (tmp_path / SHARD).read_bytes()
    copy_to_store(tmp_path, store_url)
    store = open_store(store_url)
    if damage == "gone":
        store.remove(SHARD)
    else:
        store.write(SHARD, {"short": content[:-7], "long": b"1234" + content, "other": b"x" * len(content)}[damage])

    with pytest.raises(DamagedFileError) as caught:
        open_corpus(store_url)

    assert caught.value.file == f"{store_url}/{SHARD}"


def test_a_changed_shard_on_a_store_is_found_when_all_is_read(store_url: str, tmp_path: Path) -> None:
    """The size is equal and one bit differs, so only the hash detects it."""
    write_version(tmp_path)
    copy_to_store(tmp_path, store_url)
    content = bytearray((tmp_path / SHARD).read_bytes())
    content[10] ^= 1
    open_store(store_url).write(SHARD, bytes(content))
    corpus = open_corpus(store_url)

    with pytest.raises(DamagedFileError, match=SHARD):
        corpus.verify()
    open_store(store_url).remove(SHARD)
    with pytest.raises(DamagedFileError, match="missing"):
        corpus.verify()
    with pytest.raises(DamagedFileError, match="missing"):
        texts(corpus, at_least=1)


@pytest.mark.parametrize("name", ["", "/none", "/none.parquet"])
def test_nothing_on_a_store_is_a_mistake_of_use(store_url: str, name: str) -> None:
    """A mistyped URL must not be taken for an empty corpus (exit code 2)."""
    with pytest.raises(UsageError, match=r"contains no Parquet|does not exist"):
        open_corpus(f"{store_url}{name}")


def test_a_manifest_on_a_store_cannot_lead_out_of_it(store_url: str, version_dir: Path) -> None:
    """Versions may come from untrusted sources."""
    manifest = json.loads((version_dir / "manifest.json").read_text())
    manifest["files"][0]["path"] = "../secret.parquet"
    open_store(store_url).write("version/manifest.json", json.dumps(manifest))

    with pytest.raises(SourceError, match="outside"):
        open_corpus(f"{store_url}/version")


def test_a_bucket_that_is_not_there_or_a_store_that_is_away_is_unfinished(s3: Server, s3_version: str) -> None:
    """It must not be taken for a folder without a manifest."""
    with pytest.raises(UnfinishedError, match="bucket does not exist"):
        open_corpus("s3://nowhere/versions")
    s3.is_down = True

    with pytest.raises(CorpusmillError) as caught:
        open_corpus(s3_version)

    assert caught.value.exit_code == 5

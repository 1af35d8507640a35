"""The token cache: the same rows as from text, and never those of other data."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from corpusmill.schemas.errors import DamagedFileError, SourceError, UsageError
from corpusmill.schemas.storage import open_store
from corpusmill.training.data import BatchLoader, PackedDataset, load_tokenizer, open_corpus, train_tokenizer
from corpusmill.training.data.token_cache import MANIFEST, TokenCache, open_cache
from corpusmill.training.data.tokenize import tokenize
from tests.training.corpora import write_shard, write_version


@pytest.fixture(scope="module")
def tokenizer(tokenizer_dir: Path) -> Tokenizer:
    return load_tokenizer(tokenizer_dir)


@pytest.fixture(scope="module")
def cache(version_dir: Path, tokenizer_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> TokenCache:
    made = tokenize(version_dir, tokenizer_dir, workspace=tmp_path_factory.mktemp("cached"))
    return open_cache(made["path"])


def rows(dataset: Any, count: int = 300) -> list[list[int]]:
    return [row.tolist() for row in itertools.islice(dataset, count)]


@pytest.mark.parametrize("lanes", [1, 3, 16])
def test_the_cache_gives_the_rows_of_the_texts(
    version_dir: Path, tokenizer_dir: Path, cache: TokenCache, lanes: int
) -> None:
    """With 16 lanes, windows are parts of row groups."""
    options: dict[str, Any] = {"batch_size": lanes, "seed": 2, "epochs": 2}
    from_text = rows(PackedDataset(version_dir, tokenizer_dir, 8, **options))

    assert rows(PackedDataset(version_dir, tokenizer_dir, 8, caches=[cache], **options)) == from_text
    assert len(from_text) > 100


def test_a_run_may_change_from_text_to_cache(version_dir: Path, tokenizer_dir: Path, cache: TokenCache) -> None:
    """A state says nothing of where tokens come from."""
    options: dict[str, Any] = {"batch_size": 3, "epochs": None}
    uninterrupted = rows(PackedDataset(version_dir, tokenizer_dir, 8, **options), 90)
    first = PackedDataset(version_dir, tokenizer_dir, 8, **options)
    begun = rows(first, 40)
    second = PackedDataset(version_dir, tokenizer_dir, 8, caches=[cache], **options)

    second.load_state_dict(first.state_dict())

    assert begun + rows(second, 50) == uninterrupted
    assert second.state_dict() == first.state_dict() | {"lanes": second.state_dict()["lanes"]}


def test_workers_read_the_cache(version_dir: Path, tokenizer_dir: Path, cache: TokenCache) -> None:
    """Each worker opens the files itself."""
    options: dict[str, Any] = {"batch_size": 3, "epochs": None}
    near, far = (PackedDataset(version_dir, tokenizer_dir, 8, caches=[cache], **options) for _ in range(2))

    assert rows(BatchLoader(near, num_workers=2), 12) == rows(BatchLoader(far), 12)


def test_the_cache_is_a_table_aligned_by_id(version_dir: Path, tokenizer: Tokenizer, cache: TokenCache) -> None:
    """Any tool that reads Arrow can use it."""
    for shard in open_corpus(version_dir).shards:
        texts = pq.read_table(shard.path)
        path = Path(cache.store.address()) / f"{Path(shard.path).stem}.arrow"
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        assert table.schema.names == ["id", "tokens", "count"]
        assert table.schema.field("tokens").type == pa.list_(pa.uint16())
        assert table.column("id").to_pylist() == texts.column("id").to_pylist()
        decoded = [tokenizer.decode(tokens[:-1]) for tokens in table.column("tokens").to_pylist()]
        assert decoded == texts.column("text").to_pylist()
        assert table.column("count").to_pylist() == [len(tokens) for tokens in table.column("tokens").to_pylist()]


def test_rows_without_text_have_no_tokens(tmp_path: Path, tokenizer_dir: Path) -> None:
    """They keep their row, so that rows stay aligned, and give nothing."""
    path = write_shard(tmp_path / "one.parquet", ["a crawl", None, "", None, "each page"], rows_per_group=2)

    made = tokenize(path, tokenizer_dir, workspace=tmp_path)
    cached = open_cache(made["path"])

    from_text, from_cache = (rows(PackedDataset(path, tokenizer_dir, 1, caches=use)) for use in (None, [cached]))
    assert from_cache == from_text
    assert made["tokens"] == len(from_text)


def test_several_processes_write_the_same_files(version_dir: Path, tokenizer_dir: Path, tmp_path: Path) -> None:
    """The cache is a function of texts and tokenizer."""
    made = [tokenize(version_dir, tokenizer_dir, workspace=tmp_path / str(n), workers=n) for n in (1, 2)]

    assert open_cache(made[0]["path"]).manifest == open_cache(made[1]["path"]).manifest
    assert made[0]["status"] == "made"
    assert tokenize(version_dir, tokenizer_dir, workspace=tmp_path / "1")["status"] == "unchanged"


def test_an_interrupted_call_goes_on_with_the_next_shard(
    version_dir: Path, tokenizer_dir: Path, tmp_path: Path
) -> None:
    """What was written whole is not written again, and the result is that of one call."""
    whole = tokenize(version_dir, tokenizer_dir, workspace=tmp_path / "whole")

    def stop(done: int, rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tokenize(version_dir, tokenizer_dir, workspace=tmp_path / "part", progress=stop)
    store = open_store(Path(whole["path"].replace("whole", "part")))
    (first,) = (entry for entry in store.files() if entry.key.endswith(".arrow"))
    written = Path(store.address(first.key)).stat().st_mtime_ns
    with pytest.raises(UsageError, match="has no token cache"):
        open_cache(store.address())

    again = tokenize(version_dir, tokenizer_dir, workspace=tmp_path / "part")

    assert Path(store.address(first.key)).stat().st_mtime_ns == written
    assert open_cache(again["path"]).manifest == open_cache(whole["path"]).manifest
    assert sorted(entry.key for entry in store.files()) == sorted(
        [MANIFEST, "train-00000-of-00002.arrow", "train-00001-of-00002.arrow"]
    )


def test_a_cache_on_a_store_serves_a_version_on_a_store(far_version: str, store_url: str, tokenizer_dir: Path) -> None:
    """Nothing is copied to this machine."""
    made = tokenize(far_version, tokenizer_dir, workspace=store_url)
    assert made["path"].startswith(store_url)
    cached = open_cache(made["path"])

    options: dict[str, Any] = {"batch_size": 3, "epochs": None}
    near, far = (PackedDataset(far_version, tokenizer_dir, 8, caches=use, **options) for use in (None, [cached]))

    assert rows(far, 30) == rows(near, 30)


def test_a_cache_of_other_data_is_refused(
    version_dir: Path, tokenizer_dir: Path, cache: TokenCache, tmp_path: Path
) -> None:
    """Training would silently read another text, or ids with another meaning."""
    other = tmp_path / "tokenizer"
    train_tokenizer(version_dir, vocabulary_size=280, out=other)

    with pytest.raises(UsageError, match="made with tokenizer"):
        PackedDataset(version_dir, other, 8, caches=[cache])
    with pytest.raises(UsageError, match="made with split train, not validation"):
        PackedDataset(version_dir, tokenizer_dir, 8, split="validation", caches=[cache])
    changed = write_version(tmp_path / "changed", train=44)
    with pytest.raises(DamagedFileError, match="not the one that the token cache was made from"):
        PackedDataset(changed, tokenizer_dir, 8, caches=[cache])


@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_a_damaged_cache_is_named(version_dir: Path, tokenizer_dir: Path, tmp_path: Path, damage: str) -> None:
    """The hint says how to make it again."""
    made = tokenize(version_dir, tokenizer_dir, workspace=tmp_path)
    (path, _) = sorted(Path(made["path"]).glob("*.arrow"))
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:200] if damage == "cut" else b"other")
    dataset = PackedDataset(version_dir, tokenizer_dir, 8, caches=[open_cache(made["path"])])

    with pytest.raises(DamagedFileError) as refused:
        rows(dataset)

    assert refused.value.file == str(path)
    assert "corpusmill tokenize" in str(refused.value.hint)


@pytest.mark.parametrize("content", [b"{}", b"no JSON", None])
def test_a_folder_that_is_no_cache_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """A wrong path is the usual mistake."""
    if content is not None:
        (tmp_path / MANIFEST).write_bytes(content)

    with pytest.raises((UsageError, SourceError), match="token cache"):
        open_cache(tmp_path)


def test_a_later_format_is_refused(cache: TokenCache, tmp_path: Path) -> None:
    """A later corpusmill may write other files."""
    shutil.copytree(cache.store.address(), tmp_path / "later")
    later = (tmp_path / "later" / MANIFEST).read_text().replace('"format_version": 1', '"format_version": 2')
    (tmp_path / "later" / MANIFEST).write_text(later)

    with pytest.raises(SourceError, match="has format 2"):
        open_cache(tmp_path / "later")

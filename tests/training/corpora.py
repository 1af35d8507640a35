"""Small corpora for the tests of training: real words, drawn with a seed."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.schemas.storage import open_store
from corpusmill.training.config import TrainConfig

_PLAIN = "the a of crawl page corpus shard token window lane row group reads writes keeps drops each every text"
_STRANGE = "naïve café Ω 東京 🙂 def return None 0 1 42 ( ) : , . ' \""
WORDS = [*_PLAIN.split(), *_STRANGE.split(), "\n", "\n\n    ", ""]


def drawn_texts(count: int, *, seed: int = 0, words: int = 60) -> list[str]:
    """Return *count* texts of up to *words* words; some are empty."""
    random_ = random.Random(seed)
    return [" ".join(random_.choices(WORDS, k=random_.randint(0, words))) for _ in range(count)]


def write_shard(path: Path, texts: Sequence[str | None], *, rows_per_group: int = 7) -> Path:
    """Write a Parquet file of documents with small row groups."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = [hashlib.sha256(f"{path.name}{number}".encode()).hexdigest()[:32] for number in range(len(texts))]
    table = pa.table(
        {
            "id": ids,
            "text": pa.array(texts, pa.string()),
            "source": ["site" if number % 2 else "files" for number in range(len(texts))],
        }
    )
    pq.write_table(table, path, row_group_size=rows_per_group)
    return path


def write_corpus(folder: Path, *, train: int = 40, validation: int = 6, seed: int = 0) -> Path:
    """Write a folder of Parquet with two shards of `train` and, when *validation* is above 0, one of `validation`."""
    texts = drawn_texts(train, seed=seed)
    write_shard(folder / "train-00000-of-00002.parquet", texts[: train // 2])
    write_shard(folder / "train-00001-of-00002.parquet", texts[train // 2 :])
    if validation:
        write_shard(folder / "validation-00000-of-00001.parquet", drawn_texts(validation, seed=seed + 1))
    return folder


def write_version(folder: Path, *, train: int = 40, validation: int = 6) -> Path:
    """Write a corpus with a manifest and a report, as a published version has them."""
    write_corpus(folder, train=train, validation=validation)
    entries = [_entry(path) for path in sorted(folder.glob("*.parquet"))]
    manifest = {"format_version": 1, "dataset": "drawn", "version": "0123456789abcdef", "files": entries}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "report.html").write_text("<!doctype html><title>drawn</title>")
    return folder


def copy_to_store(folder: Path, url: str) -> str:
    """Copy all files of *folder* to the store at *url*, and return *url*."""
    store = open_store(url)
    for path in folder.rglob("*"):
        if path.is_file():
            store.write(path.relative_to(folder).as_posix(), path.read_bytes())
    return url


def tiny_config(**fields: object) -> TrainConfig:
    """Return a configuration that trains in a moment; *fields* replace its own."""
    tiny: dict[str, object] = {
        "run": "tiny",
        "version": "drawn",
        "tokenizer": {"vocabulary_size": 300},
        "model": {"layers": 2, "heads": 2, "width": 16, "sequence_length": 16},
        "optimizer": {"learning_rate": 0.01},
        "schedule": {"warm_up_steps": 2},
        "batch": {"sequences": 4},
        "steps": 12,
        "seed": 3,
        "validate_every": 5,
        "checkpoint_every": 4,
        "device": "cpu",
        "threads": 1,
    }
    return TrainConfig.model_validate_json(json.dumps(tiny | fields))


def _entry(path: Path) -> dict[str, object]:
    texts = pq.read_table(path, columns=["text"]).column(0).to_pylist()
    content = path.read_bytes()
    return {
        "path": path.name,
        "split": path.name.split("-")[0],
        "rows": len(texts),
        "bytes": len(content),
        "text_bytes": sum(len(text.encode()) for text in texts if text),
        "sha256": hashlib.sha256(content).hexdigest(),
        "logical_hash": "0" * 64,
        "first_id": None,
        "last_id": None,
    }

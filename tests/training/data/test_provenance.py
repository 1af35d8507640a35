"""The documents of a row: computed from counts, and equal to what was read."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from corpusmill.training.data import PackedDataset, load_tokenizer, open_corpus
from corpusmill.training.data.best_fit import PADDING
from corpusmill.training.data.mixture import Part
from corpusmill.training.data.token_cache import TokenCache, open_cache
from corpusmill.training.data.tokenize import tokenize
from corpusmill.training.data.tokenizer import end_of_text
from tests.training.corpora import write_corpus, write_shard

Made = list[tuple[Part, TokenCache]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tokenizer_dir: Path) -> Made:
    folder = tmp_path_factory.mktemp("parts")
    write_shard(folder / "gaps" / "train-00000-of-00001.parquet", ["a crawl", None, "", "each page of it", None])
    places = [write_corpus(folder / "drawn", train=50), folder / "gaps"]
    parts: Made = []
    for place, epochs in zip(places, [None, 2], strict=True):
        corpus = open_corpus(place)
        parts.append(
            (
                Part(corpus, 1, epochs),
                open_cache(tokenize(corpus, tokenizer_dir, workspace=folder)["path"]),
            )
        )
    return parts


def tokens_of(tokenizer: Tokenizer, file: str, row: int) -> list[int]:
    text = pq.read_table(file, columns=["text"]).column(0)[row].as_py()
    return [*tokenizer.encode(text, add_special_tokens=False).ids, end_of_text(tokenizer)]


@settings(max_examples=30, deadline=None)
@given(
    chosen=st.sets(st.integers(0, 1), min_size=1),
    rows=st.integers(0, 40),
    lanes=st.integers(1, 4),
    length=st.integers(1, 50),
    targets=st.booleans(),
    cached=st.booleans(),
    packing=st.sampled_from(["concatenate", "best_fit"]),
)
def test_the_documents_of_a_row_give_its_tokens(
    made: Made, tokenizer_dir: Path, chosen: set[int], rows: int, lanes: int, length: int, cached: bool, **options: Any
) -> None:
    """Each with its file, its row, and the part of its tokens."""
    parts, caches = zip(*(made[number] for number in sorted(chosen)), strict=True)
    tokenizer = load_tokenizer(tokenizer_dir)
    dataset = PackedDataset(
        parts,
        tokenizer,
        length,
        caches=caches if cached else None,
        batch_size=lanes,
        epochs=None,
        seed=4,
        **options,
    )
    turns = dataset.turns()
    for turn in itertools.islice(turns, rows):
        for row in turn:
            dataset.follow(row)

    found = list(dataset.next_documents())

    turn = next(turns, [])
    assert [(lane, part) for lane, part, _ in found] == [(row.lane, row.part) for row in turn]
    for (_, _, documents), row in zip(found, turn, strict=True):
        parts_of_row = [
            tokens_of(tokenizer, one.file, one.row)[one.first : one.first + one.tokens] for one in documents
        ]
        expected = [token for part in parts_of_row for token in part]
        assert [token for token in row.tokens.tolist() if token != PADDING] == expected


def test_the_ids_are_those_of_the_shards(made: Made, tokenizer_dir: Path) -> None:
    """They lead to `explain`."""
    part, cache = made[0]
    dataset = PackedDataset([part], tokenizer_dir, 30, caches=[cache], batch_size=2)

    for _, _, documents in dataset.next_documents():
        for one in documents:
            assert pq.read_table(one.file, columns=["id"]).column(0)[one.row].as_py() == one.id


def test_a_shard_without_ids_has_rows(tmp_path: Path, tokenizer_dir: Path) -> None:
    """Any Parquet with texts can be trained on."""
    table = pq.read_table(write_shard(tmp_path / "one.parquet", ["a crawl", "each page"])).drop_columns(["id"])
    pq.write_table(table, tmp_path / "one.parquet")

    (found,) = PackedDataset(tmp_path / "one.parquet", tokenizer_dir, 2).next_documents()

    assert [(one.id, one.row in {0, 1}) for one in found[2]] == [(None, True)]

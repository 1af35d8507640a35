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


@settings(max_examples=25, deadline=None)
@given(
    chosen=st.sets(st.integers(0, 1), min_size=1),
    lanes=st.integers(1, 4),
    length=st.integers(1, 50),
    targets=st.booleans(),
    packing=st.sampled_from(["concatenate", "best_fit"]),
    which=st.integers(0, 49),
)
def test_the_rows_with_a_document_are_found(
    made: Made, tokenizer_dir: Path, chosen: set[int], lanes: int, length: int, which: int, **options: Any
) -> None:
    """The other direction: when did a run see a document?"""
    parts, caches = zip(*(made[number] for number in sorted(chosen)), strict=True)
    dataset = PackedDataset(
        parts, tokenizer_dir, length, caches=caches, batch_size=lanes, epochs=None, seed=4, **options
    )
    shard = parts[0].corpus.shards[0]
    file, row = shard.path, which % shard.rows
    expected = []
    for number in range(25):
        dataset.seek(number)
        for lane, _, documents in dataset.next_documents():
            # A first token that only ends the row as a target is not counted.
            last = length if packing_counts_target(options) else length + 1
            starts = itertools.accumulate((one.tokens for one in documents), initial=0)
            begun = (one for one, start in zip(documents, starts, strict=False) if start < last)
            if any((one.file, one.row) == (file, row) for one in begun):
                expected.append((lane, number))

    assert dataset.rows_with(file, row, rows=25) == sorted(expected, key=lambda pair: (pair[1], pair[0]))


def packing_counts_target(options: dict[str, Any]) -> bool:
    return bool(options["targets"]) and options["packing"] == "concatenate"

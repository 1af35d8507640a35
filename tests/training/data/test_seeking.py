"""Seeking: the state at any step, without reading the steps before."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.schemas.errors import UsageError
from corpusmill.training.data import PackedDataset, load_tokenizer, open_corpus
from corpusmill.training.data.mixture import Part, Shares
from corpusmill.training.data.token_cache import TokenCache, open_cache
from corpusmill.training.data.tokenize import tokenize
from tests.training.corpora import write_corpus

Made = list[tuple[Part, TokenCache]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tokenizer_dir: Path) -> Made:
    folder = tmp_path_factory.mktemp("parts")
    parts: Made = []
    for seed, epochs in enumerate([None, 1, 2]):
        corpus = open_corpus(write_corpus(folder / str(seed), train=50, seed=seed))
        cached = tokenize(corpus, tokenizer_dir, workspace=folder)
        parts.append((Part(corpus, seed + 1, epochs), open_cache(cached["path"])))
    return parts


@settings(max_examples=60, deadline=None)
@given(
    chosen=st.sets(st.integers(0, 2), min_size=1),
    rows=st.integers(0, 120),
    lanes=st.integers(1, 5),
    length=st.integers(1, 40),
    targets=st.booleans(),
    phases=st.booleans(),
    packing=st.sampled_from(["concatenate", "best_fit"]),
    epoch=st.integers(0, 2),
)
def test_the_state_is_that_of_a_data_set_that_was_read(
    made: Made, tokenizer_dir: Path, chosen: set[int], phases: bool, rows: int, lanes: int, length: int, **options: Any
) -> None:
    """In mixtures too, also where parts have ended, and where the shares change."""
    parts, caches = zip(*(made[number] for number in sorted(chosen)), strict=True)
    weights = tuple(part.weight for part in parts)
    shares = Shares((0, 40), (weights, weights[::-1])) if phases else None
    tokenizer = load_tokenizer(tokenizer_dir)

    def opened() -> PackedDataset:
        return PackedDataset(
            parts, tokenizer, length, caches=caches, shares=shares, batch_size=lanes, epochs=None, seed=3, **options
        )

    read, sought = opened(), opened()
    for turn in itertools.islice(read.turns(), rows):
        for row in turn:
            read.follow(row)

    sought.seek(rows)

    assert sought.state_dict() == read.state_dict()
    assert list(itertools.islice(map(str, sought.rows()), 9)) == list(itertools.islice(map(str, read.rows()), 9))


def test_seeking_needs_counts(version_dir: Path, tokenizer_dir: Path) -> None:
    """From text, all texts before would have to be tokenized."""
    with pytest.raises(UsageError, match="needs a token cache"):
        PackedDataset(version_dir, tokenizer_dir, 8).seek(3)

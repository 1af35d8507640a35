"""Laws of best-fit packing."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.training.data import BatchLoader, PackedDataset, load_tokenizer, open_corpus
from corpusmill.training.data.best_fit import PADDING, best_fit, row_of

lengths_of_documents = st.lists(st.integers(1, 60), max_size=40)


@given(lengths=lengths_of_documents, length=st.integers(1, 30), targets=st.booleans())
def test_rows_hold_every_token_and_cut_only_what_is_too_long(lengths: list[int], length: int, targets: bool) -> None:
    """Pieces of a long document overlap by one token with targets, and not without."""
    capacity = length + targets
    rows = best_fit(np.array(lengths, dtype=np.int64), length, targets)

    assert all(sum(stop - start for start, stop in row) <= capacity for row in rows)
    pieces = sorted(piece for row in rows for piece in row)
    ends = list(itertools.accumulate(lengths))
    bounds = {*ends, 0}
    for begin, end in zip([0, *ends], ends, strict=False):
        own = [piece for piece in pieces if begin <= piece.start and piece.stop <= end]
        assert (own[0].start, own[-1].stop) == (begin, end)
        assert all(second.start == first.stop - targets for first, second in itertools.pairwise(own))
        assert len(own) == 1 or end - begin > capacity
    assert len(pieces) == sum(piece.start not in bounds for piece in pieces) + len(lengths)


@given(lengths=lengths_of_documents, length=st.integers(1, 30))
def test_at_most_one_row_is_less_than_half_full(lengths: list[int], length: int) -> None:
    """Two such rows would have been one: the piece that opened the second fitted into the first."""
    rows = best_fit(np.array(lengths, dtype=np.int64), length, False)

    filled = [sum(stop - start for start, stop in row) for row in rows]
    assert sum(2 * tokens < length for tokens in filled) <= 1


def test_the_rest_of_a_row_is_padding() -> None:
    """A model has to know where tokens end."""
    assert row_of(np.arange(10), [(2, 4), (7, 8)], length=5).tolist() == [2, 3, 7, PADDING, PADDING]  # type: ignore[list-item]


@settings(max_examples=20, deadline=None)
@given(length=st.integers(8, 80), lanes=st.integers(1, 5), seed=st.integers(0, 3))
def test_an_epoch_gives_each_document_whole_and_once(
    corpus_dir: Path, tokenizer_dir: Path, length: int, lanes: int, seed: int
) -> None:
    """As a set: the order is that of the rows."""
    tokenizer = load_tokenizer(tokenizer_dir)
    dataset = PackedDataset(
        corpus_dir, tokenizer, length, batch_size=lanes, seed=seed, packing="best_fit", targets=True
    )
    end = tokenizer.token_to_id("<|endoftext|>")
    found: Counter[tuple[int, ...]] = Counter()
    for row in dataset.rows():
        tokens = [token for token in row.tokens.tolist() if token != PADDING]
        documents = [list(group) for is_end, group in itertools.groupby(tokens, lambda t: t == end) if not is_end]
        found.update(map(tuple, documents))

    texts = [text for batch in open_corpus(corpus_dir).batches(("text",)) for text in batch.column(0).to_pylist()]
    short = Counter(
        tuple(ids) for text in texts if 0 < len(ids := tokenizer.encode(text, add_special_tokens=False).ids) <= length
    )
    assert short <= found


@pytest.mark.parametrize("workers", [0, 2])
def test_rows_resume_and_are_shared_as_others_are(corpus_dir: Path, tokenizer_dir: Path, workers: int) -> None:
    """The cursor is the number of the row in its window."""
    options = {"batch_size": 3, "epochs": None, "packing": "best_fit"}
    tokenizer = load_tokenizer(tokenizer_dir)

    def opened() -> PackedDataset:
        return PackedDataset(corpus_dir, tokenizer, 24, **options)  # type: ignore[arg-type]

    whole = [batch.tolist() for batch in itertools.islice(BatchLoader(opened()), 40)]
    loader = BatchLoader(opened(), num_workers=workers)
    begun = [batch.tolist() for batch in itertools.islice(loader, 15)]
    resumed = BatchLoader(opened(), num_workers=workers)
    resumed.load_state_dict(loader.state_dict())

    assert begun + [batch.tolist() for batch in itertools.islice(resumed, 25)] == whole

from __future__ import annotations

import random

import numpy as np
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.dedup.banding import found_share
from corpusmill.pipelines.stages.dedup.shingles import shingles
from corpusmill.pipelines.stages.dedup.signatures import SEED, band_keys, signatures
from tests.pipelines.stages.dedup.corpus import edited, prose, similarity


@settings(deadline=None)
@given(texts=st.lists(st.text(st.sampled_from("ab cd e"), max_size=300), max_size=8), count=st.integers(1, 40))
def test_signatures_are_those_of_datasketch(texts: list[str], count: int) -> None:
    """Tools of datasketch (its index, its estimates) must work on these signatures."""
    found = shingles(texts, ngram=2)

    ours = signatures(found, count=count)

    ends = np.cumsum(found.counts_D)
    sets = [
        found.values[end - size : end].astype(np.uint32).tolist()
        for end, size in zip(ends, found.counts_D, strict=True)
    ]
    theirs = MinHash.bulk(sets, num_perm=count, seed=SEED, scheme="affine32", hashfunc=int)
    assert ours.tolist() == [minhash.hashvalues.tolist() for minhash in theirs]


def test_a_text_longer_than_a_block_is_signed_whole() -> None:
    """Blocks only improve speed; a document must never be cut."""
    chance = random.Random(3)
    texts = [" ".join(prose(chance, count)) for count in (10, 70_000, 20, 40_000, 5)]

    together = signatures(shingles(texts, ngram=1), count=8)

    alone = np.concatenate([signatures(shingles([text], ngram=1), count=8) for text in texts])
    assert np.array_equal(together, alone)


def test_equal_bands_mean_equal_rows() -> None:
    """Two documents share a bucket exactly if all rows of the same band agree."""
    rows = np.array([[1, 2, 3, 4, 5, 6], [1, 2, 0, 4, 5, 6], [5, 6, 3, 4, 1, 2]], np.uint32)

    keys = band_keys(rows, bands=3, rows=2)

    assert (keys[0] == keys[1]).tolist() == [True, False, True]
    assert (keys[0] == keys[2]).tolist() == [False, True, False]
    assert len(np.unique(keys)) == 6


def test_alike_documents_share_bands_as_often_as_the_formula_says() -> None:
    """Otherwise `threshold` and `bands` would not mean what the documentation says."""
    chance = random.Random(5)
    pairs = []
    for _ in range(300):
        words = prose(chance, 200)
        pairs.append((" ".join(words), " ".join(edited(words, chance, 7))))
    keys = [
        band_keys(signatures(shingles(side, ngram=5), count=40), bands=8, rows=5) for side in zip(*pairs, strict=True)
    ]

    shared = float((keys[0] == keys[1]).any(axis=1).mean())

    expected = np.mean([found_share(similarity(one, other), bands=8, rows=5) for one, other in pairs])
    assert abs(shared - expected) < 0.08

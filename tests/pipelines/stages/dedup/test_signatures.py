from __future__ import annotations

import random

import numpy as np
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.dedup.banding import found_share
from corpusmill.pipelines.stages.dedup.shingles import shingle_sets, shingles
from corpusmill.pipelines.stages.dedup.signatures import SEED, band_keys, permutations, signatures, signed
from tests.pipelines.stages.dedup.corpus import edited, prose, similarity


@settings(deadline=None)
@given(texts=st.lists(st.text(st.sampled_from("ab cd e"), max_size=300), max_size=8), count=st.integers(1, 40))
def test_signatures_are_those_of_datasketch(texts: list[str], count: int) -> None:
    """Tools of datasketch (its index, its estimates) must work on these signatures."""
    found = shingles(texts, ngram=2)

    ours = signatures(texts, ngram=2, count=count)

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

    together = signatures(texts, ngram=1, count=8)

    alone = np.concatenate([signatures([text], ngram=1, count=8) for text in texts])
    assert np.array_equal(together, alone)


def test_the_permutations_are_those_of_datasketch() -> None:
    """They are drawn without importing it."""
    theirs = MinHash(num_perm=300, seed=SEED, scheme="affine32").permutations

    assert np.array_equal(permutations(300), np.asarray(theirs))


def test_equal_bands_mean_equal_rows() -> None:
    """Two documents share a bucket exactly if all rows of the same band agree."""
    chance = random.Random(8)
    words = prose(chance, 60)
    texts = [" ".join(edited(words, chance, chance.choice([0, 1, 2, 8]))) for _ in range(40)]
    rows_DKR = signatures(texts, ngram=5, count=12).reshape(40, 4, 3)  # noqa: N806

    keys_DK = signed(texts, ngram=5, bands=4, rows=3).bands_DK  # noqa: N806

    same_rows = (rows_DKR[:, None] == rows_DKR[None]).all(axis=3)
    assert np.array_equal(same_rows, keys_DK[:, None] == keys_DK[None])
    assert 0 < same_rows.mean() < 1
    assert len({*keys_DK[0].tolist()}) == 4


@settings(deadline=None)
@given(text=st.text(st.sampled_from("ab cd e"), max_size=300), bands=st.integers(1, 9), rows=st.integers(1, 9))
def test_keys_of_one_signature_are_those_of_the_column(text: str, bands: int, rows: int) -> None:
    """A text that was signed elsewhere, for example by datasketch, is found in the buckets of a corpus."""
    (signature,) = signatures([text], ngram=2, count=bands * rows)

    keys = band_keys(signature, bands=bands)

    assert keys.tolist() == signed([text], ngram=2, bands=bands, rows=rows).bands_DK[0].tolist()


def test_texts_with_equal_sets_of_shingles_have_equal_hashes() -> None:
    """They become one vertex, whatever order and number their shingles have."""
    texts = ["a b a b a", "b a b a b a", "a b a", "b c b", "", "..."]

    _, sizes, sets, _ = signed(texts, ngram=2, bands=2, rows=2)

    assert sizes.tolist() == [2, 2, 2, 2, 0, 0]
    assert len({tuple(row) for row in sets[:3].tolist()}) == 1
    assert sets[3].tolist() != sets[0].tolist()


@settings(deadline=None)
@given(text=st.text(st.sampled_from("ab cd e"), max_size=2_000))
def test_a_bitmap_has_the_parity_of_the_shingles_of_each_place(text: str) -> None:
    """The filter of pairs is exact because of it."""
    row = shingle_sets([text], ngram=3).values

    bitmap = signed([text], ngram=3, bands=1, rows=1).bitmaps

    bits = 64 * int(bitmap.counts_D[0])
    assert bits >= min(2 * len(row), 65_536)
    expected = np.bincount((row % bits).astype(np.int64), minlength=bits) % 2
    assert np.unpackbits(bitmap.values.view(np.uint8), bitorder="little").tolist() == expected.tolist()


def test_alike_documents_share_bands_as_often_as_the_formula_says() -> None:
    """Otherwise `threshold` and `bands` would not mean what the documentation says."""
    chance = random.Random(5)
    pairs = []
    for _ in range(300):
        words = prose(chance, 200)
        pairs.append((" ".join(words), " ".join(edited(words, chance, 7))))
    keys = [signed(side, ngram=5, bands=8, rows=5).bands_DK for side in zip(*pairs, strict=True)]

    shared = float((keys[0] == keys[1]).any(axis=1).mean())

    expected = np.mean([found_share(similarity(one, other), bands=8, rows=5) for one, other in pairs])
    assert abs(shared - expected) < 0.08

"""Split and shard of a document: functions of its id alone."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.stages.split import partition_numbers, splits
from corpusmill.schemas.document import SPLITS
from corpusmill.schemas.identity import document_id, shard_of

IDS = st.lists(st.binary(min_size=16, max_size=16).map(bytes.hex), min_size=1, max_size=50)
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


@given(ids=IDS, more=IDS)
def test_a_document_keeps_its_part_however_the_corpus_grows(ids: list[str], more: list[str]) -> None:
    """Documents that a model was tested on may not turn up in training next month."""
    alone = splits(pa.array(ids), SHARES).tolist()

    assert splits(pa.array(more + ids), SHARES).tolist()[len(more) :] == alone


@given(ids=IDS, counts=st.tuples(*[st.integers(1, 1_000_000)] * 3))
def test_shards_are_ranges_of_ids_by_the_definition(ids: list[str], counts: tuple[int, int, int]) -> None:
    """Numbers over all splits: those of train first, then validation, then test."""
    shards = dict(zip(SPLITS, counts, strict=True))
    column = pa.array(ids)

    parts = splits(column, SHARES)
    found = partition_numbers(column, parts, shards=shards, pieces=1)
    finer = partition_numbers(column, parts, shards=shards, pieces=8)

    starts = [0, counts[0], counts[0] + counts[1]]
    assert found.tolist() == [starts[p] + shard_of(i, counts[p]) for i, p in zip(ids, parts, strict=True)]
    assert (finer // 8).tolist() == found.tolist()


@given(ids=IDS, empty=st.sampled_from(SPLITS))
def test_a_split_of_share_zero_gets_nothing(ids: list[str], empty: str) -> None:
    """Rounding may not send a stray document into a part that nobody asked for."""
    others = [name for name in SPLITS if name != empty]
    shares = {others[0]: 0.7, others[1]: 0.3, empty: 0.0}

    assert SPLITS.index(empty) not in splits(pa.array(ids), shares).tolist()


def test_shares_are_kept_in_the_mean() -> None:
    """8, 1 and 1 of ten, within three standard deviations."""
    ids = pa.array([f"{(n * 0x9E3779B97F4A7C15) % 2**64:016x}{n:016x}" for n in range(20_000)])

    found = splits(ids, SHARES).tolist()

    assert abs(found.count(0) - 16_000) < 3 * (20_000 * 0.16) ** 0.5
    assert abs(found.count(1) - 2_000) < 3 * (20_000 * 0.09) ** 0.5


def test_known_documents_do_not_move() -> None:
    """Golden vectors: a change here would publish every corpus under another id."""
    ids = pa.array([document_id("site", str(number)) for number in range(16)])

    shards = {"train": 5, "validation": 2, "test": 2}
    found = partition_numbers(ids, splits(ids, SHARES), shards=shards, pieces=1)

    assert found.tolist() == [4, 1, 1, 1, 8, 0, 0, 3, 4, 3, 5, 3, 1, 1, 4, 3]

"""Crowded buckets are divided into cells and groups: what is lost, what is not, and what one task holds."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from corpusmill.pipelines.engines.base import PLACE, Function
from corpusmill.pipelines.stages.dedup import chunks
from corpusmill.pipelines.stages.dedup.buckets import BAND, CROWDED
from corpusmill.pipelines.stages.dedup.chunks import ALL, SAMPLED, chunked
from corpusmill.pipelines.stages.dedup.semantic import crowding
from corpusmill.pipelines.stages.dedup.semantic.crowding import (
    CROWD,
    RANKED,
    InCells,
    InGroups,
    ShareBuckets,
    SignLonger,
    scaled_size,
)
from corpusmill.pipelines.stages.dedup.semantic.planes import max_different_bits
from corpusmill.pipelines.stages.dedup.semantic.stage import SemanticDedup
from corpusmill.pipelines.stages.dedup.semantic.vectors import as_binary, quantized
from tests.pipelines.stages.dedup.exchange import Contrary
from tests.pipelines.stages.dedup.semantic.embedded import Row, direction, embedded, fates_of, near

STAGE = SemanticDedup(column="vector", threshold=0.9, bands=12, planes=1)


def batches(rows: pa.Table, size: int) -> list[pa.RecordBatch]:
    """Return *rows* cut into batches of *size* rows."""
    return rows.combine_chunks().to_batches(max_chunksize=size)  # type: ignore[no-any-return]


def members_of(function: Function, rows: pa.Table, *, size: int) -> dict[int, set[int]]:
    """Return the places in each bucket that *function* makes of *rows*."""
    members: dict[int, set[int]] = {}
    for batch in function.build()(iter(batches(rows, size))):
        for row in batch.to_pylist():
            members.setdefault(row["number"], set()).add(row[PLACE])
    return members


def ranked(count: int) -> pa.Table:
    """Return a crowd of *count* vertices, whose places are the tenfold of their ranks."""
    numbers = np.arange(count)
    return pa.table([pa.array(np.zeros(count, np.int64)), pa.array(numbers), pa.array(numbers * 10)], schema=RANKED)


@pytest.mark.parametrize("size", [1, 7, 1_000])
@pytest.mark.parametrize("count", [0, 3, 8, 9, 13, 14, 40])
def test_every_document_meets_the_first_ones(count: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the others is in one group, whatever the batches, and no group is larger than it may be."""
    monkeypatch.setattr(crowding, "HEADS", 8)
    monkeypatch.setattr(crowding, "GROUP", 5)

    groups = list(members_of(InGroups(), ranked(count), size=size).values())

    heads = {10 * rank for rank in range(min(8, count))}
    assert all(heads <= group and len(group) <= 13 for group in groups)
    others = sorted(place for group in groups for place in group - heads)
    assert others == [10 * rank for rank in range(8, count)]
    assert len(groups) == (0 if not count else max(1, -(-(count - 8) // 5)))


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_chunks_have_the_same_cells(size: int) -> None:
    """They receive the same centers, so that documents of different chunks meet. Nothing else is carried over."""
    vectors = as_binary(quantized(np.random.default_rng(1).normal(size=200), np.full(50, 4)))
    order = np.concatenate([np.arange(30), np.arange(30, 40), np.arange(30), np.arange(30, 40), np.arange(40, 50)])
    chunk, role = np.repeat([0, 1, 2], [40, 40, 10]), np.repeat([SAMPLED, ALL, SAMPLED, ALL, ALL], [30, 10, 30, 10, 10])
    place = np.arange(len(order))
    columns = [*(pa.array(column) for column in (chunk, role, place, place)), vectors.take(pa.array(order))]

    members = list(members_of(InCells(), pa.table(columns, schema=CROWD), size=size).values())

    for own in range(30, 40):
        assert all((own in cell) == (own + 40 in cell) for cell in members)
    assert set(range(80, 90)) in members


def test_small_buckets_are_whole_and_crowded_ones_are_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is that of this stage."""
    monkeypatch.setattr(crowding, "MAX_MEMBERS", 4)
    bands = np.repeat([1, 2, 3], [4, 5, 1])
    rows = pa.table([pa.array(bands), pa.array(np.arange(10))], schema=BAND)

    members = members_of(ShareBuckets(), rows, size=3)

    assert sorted(map(sorted, members.values())) == [[0, 1, 2, 3], [4, 5, 6, 7, 8]]
    assert members[-1] == {4, 5, 6, 7, 8}


def test_a_chunk_is_bounded_and_every_chunk_has_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the documents of the sample are in a chunk."""
    monkeypatch.setattr(chunks, "CHUNK", 100)
    hashes = np.arange(1_000)

    sent = chunked(hashes, count=1_000, sample=50)

    own = sent.rows[sent.roles == ALL]
    assert sorted(own.tolist()) == hashes.tolist()
    assert max(np.bincount(sent.chunks[sent.roles == ALL])) < 150
    samples = [set(sent.rows[(sent.roles == SAMPLED) & (sent.chunks == chunk)].tolist()) for chunk in range(10)]
    assert 25 < len(samples[0]) < 100
    assert all(sample == samples[0] for sample in samples)


def longer(*, count: int) -> pa.RecordBatch:
    """Return the columns of three documents, of which the second is no vertex."""
    vectors = pa.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]])
    fields = {"column": "vector", "dimensions": 2, "frequencies": None, "shared": "shared"}
    own = {"signs": "s", "rank": "rank", "into": "crowds", "threshold": 0.95}
    function = SignLonger.model_validate({**fields, **own}).bound({"shared": Counter({CROWDED: count})})
    columns = {"vector": vectors, "rank": pa.array([0, None, 1]), "s.size": pa.array([920, 920, 920])}
    return function.build()(pa.record_batch({**columns, "s.bitmap": pa.array([b"a", b"b", b"c"])}))


def test_vertices_get_more_bits_if_there_is_a_crowd() -> None:
    """Only then, because they take time. Their size allows what the threshold allows of that many bits."""
    few, many = longer(count=0), longer(count=5_000)

    assert few.to_pydict() == {"crowds.size": [920] * 3, "crowds.bitmap": [b"a", b"b", b"c"]}
    size, _, other = many["crowds.size"].to_pylist()
    assert size == other == scaled_size(920, 2_048, threshold=0.95)
    allowed = size * max_different_bits(0.95, bits=920) / 920
    assert 0 <= allowed - max_different_bits(0.95, bits=2_048) < 1
    first, nothing, third = many["crowds.bitmap"].to_pylist()
    assert (len(first), nothing, third) == (256, None, first)
    assert scaled_size(920, 2_048, threshold=1) == 2_048


def corpus(seed: int) -> list[Row]:
    chance = random.Random(seed)
    rows = []
    for family in range(3):
        center = direction(chance, 16)
        for member in range(chance.randrange(2, 15)):
            vector = near(center, chance, chance.choice([0.02, 0.1, 0.3, 0.4]))
            rows.append(embedded(f"{family}-{member}", vector, day=chance.choice([None, 1, 2])))
    return rows


@pytest.mark.parametrize("seed", range(3))
def test_dividing_buckets_removes_the_same_of_a_small_crowd(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of its documents are among the first ones. More bits only change which of several kept ones is named."""
    whole = fates_of(corpus(seed), stage=STAGE)
    monkeypatch.setattr(crowding, "MAX_MEMBERS", 3)

    divided = fates_of(corpus(seed), stage=STAGE, how=Contrary(rows=7, seed=seed))

    assert [fate["rule"] for fate in divided] == [fate["rule"] for fate in whole]


def _divide_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in ((crowding, "MAX_MEMBERS", 3), (crowding, "HEADS", 4), (chunks, "CHUNK", 16)):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(crowding, "GROUP", 3)
    monkeypatch.setattr(crowding, "CELL", 8)


@pytest.mark.parametrize(("seed", "rows"), [*itertools.product(range(2), [1, 7, 1_000])])
def test_order_and_batches_do_not_matter_in_a_crowd(seed: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells, groups and the sample depend on the documents alone."""
    _divide_everything(monkeypatch)
    whole = fates_of(corpus(seed), stage=STAGE)

    assert fates_of(corpus(seed), stage=STAGE, how=Contrary(parts=3, rows=rows, seed=seed)) == whole


def test_of_a_large_cluster_one_document_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has more members than their cells. The first one is among the first of the crowd, so that all meet it."""
    _divide_everything(monkeypatch)
    chance = random.Random(4)
    center = direction(chance, 16)
    copies = [embedded(f"copy {number}", near(center, chance, 0.05), day=number) for number in range(150)]
    others = [embedded(f"other {number}", near(center, chance, 0.9), day=number) for number in range(20)]

    fates = fates_of([*copies, *others], stage=STAGE)

    kept = [fate for fate in fates if fate["rule"] is None and fate["id"] in {copy["id"] for copy in copies}]
    assert [fate["cluster_size"] for fate in kept] == [150]

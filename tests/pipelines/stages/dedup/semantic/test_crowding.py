"""Crowded buckets are divided into pairs of blocks, without losing a pair and without holding a bucket."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pyarrow as pa
import pytest

from corpusmill.pipelines.engines.base import PLACE
from corpusmill.pipelines.stages.dedup import buckets
from corpusmill.pipelines.stages.dedup.buckets import BAND
from corpusmill.pipelines.stages.dedup.semantic import crowding
from corpusmill.pipelines.stages.dedup.semantic.crowding import CROWD, Blocks, Crowded, ShareBuckets, Uncrowded
from corpusmill.pipelines.stages.dedup.semantic.stage import SemanticDedup
from tests.pipelines.stages.dedup.exchange import Contrary
from tests.pipelines.stages.dedup.semantic.embedded import Row, direction, embedded, fates_of, near


def batches(rows: pa.Table, size: int) -> list[pa.RecordBatch]:
    """Return *rows* cut into batches of *size* rows."""
    return rows.combine_chunks().to_batches(max_chunksize=size)  # type: ignore[no-any-return]


def memberships(sizes: list[int], *, rows: int) -> list[set[tuple[int, int]]]:
    """Return the pairs of places that share a bucket, for buckets of *sizes* members, and the largest bucket."""
    bands = np.repeat(np.arange(len(sizes)), sizes)
    band_rows = pa.table([pa.array(bands), pa.array(np.arange(len(bands)))], schema=BAND)
    shared = pa.Table.from_batches(list(ShareBuckets().build()(iter(batches(band_rows, rows)))))
    whole = pa.Table.from_batches(list(Uncrowded().build()(iter(batches(shared, rows)))))
    crowd = pa.Table.from_batches(list(Crowded().build()(iter(batches(shared, rows)))), CROWD)
    ordered = crowd.sort_by([(name, "ascending") for name in ("number", "kind", PLACE, "count")])
    made = list(Blocks().build()(iter(batches(ordered, rows))))
    members: dict[int, set[int]] = {}
    for row in [row for batch in [*whole.to_batches(), *made] for row in batch.to_pylist()]:
        members.setdefault(row["number"], set()).add(row[PLACE])
    return [set(itertools.combinations(sorted(bucket), 2)) for bucket in members.values()]


@pytest.mark.parametrize("rows", [1, 7, 1_000])
def test_every_pair_of_a_bucket_shares_a_block(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the last block, which is not full, and in crowded buckets next to each other."""
    monkeypatch.setattr(buckets, "MAX_MEMBERS", 10)
    monkeypatch.setattr(crowding, "BLOCK", 8)
    sizes = [3, 10, 1, 11, 30, 8, 24, 16]

    found = memberships(sizes, rows=rows)

    ends = np.cumsum(sizes).tolist()
    expected = {
        pair
        for end, size in zip(ends, sizes, strict=True)
        for pair in itertools.combinations(range(end - size, end), 2)
    }
    assert set().union(*found) == expected
    assert max(map(len, found)) <= 16 * 15 // 2
    assert len(found) == 2 + 1 + 3 + 10 + 6 + 3


def corpus(seed: int) -> list[Row]:
    chance = random.Random(seed)
    rows = []
    for family in range(3):
        center = direction(chance, 16)
        for member in range(chance.randrange(2, 15)):
            vector = near(center, chance, chance.choice([0.02, 0.1, 0.3, 0.4]))
            rows.append(embedded(f"{family}-{member}", vector, day=chance.choice([None, 1, 2])))
    return rows


@pytest.mark.parametrize("seed", range(6))
def test_dividing_buckets_changes_no_decision(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks are cut in the order of places, which must not matter."""
    stage = SemanticDedup(column="vector", threshold=0.9, bands=12, planes=1)
    whole = fates_of(corpus(seed), stage=stage)
    monkeypatch.setattr(buckets, "MAX_MEMBERS", 3)
    monkeypatch.setattr(crowding, "BLOCK", 5)

    how = Contrary(rows=random.Random(seed).choice([7, 1000]), seed=seed)

    assert fates_of(corpus(seed), stage=stage, how=how) == whole


def test_a_crowd_is_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million members must not be in memory at once: each batch gives its own memberships."""
    rows = 300_000
    crowd = pa.table(
        [
            pa.array(column, pa.int64())
            for column in (
                np.zeros(rows + 1),
                np.append(0, np.ones(rows)),
                np.append(-1, np.arange(rows)),
                np.append(rows, np.ones(rows)),
            )
        ],
        schema=CROWD,
    )

    sizes = [batch.num_rows for batch in Blocks().build()(iter(batches(crowd, 4_096)))]

    assert sum(sizes) == rows * 10
    assert max(sizes) <= 4_096

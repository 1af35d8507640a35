from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.pipelines.engines.base import Batches, Function, Scan
from corpusmill.pipelines.engines.driver import Silent, run_plan
from corpusmill.pipelines.engines.local import LocalEngine
from corpusmill.pipelines.engines.plan import Plan, ScanTask
from corpusmill.pipelines.engines.store import TaskStore
from corpusmill.pipelines.engines.tables import read_table
from corpusmill.pipelines.stages.base import Documents
from corpusmill.pipelines.stages.dedup.exact import ExactDedup
from corpusmill.pipelines.stages.dedup.near import NearDedup
from corpusmill.pipelines.stages.identity import hash_step, identity_steps
from corpusmill.schemas.document import CAPTURE
from tests.pipelines.stages.dedup.corpus import capture, edited, prose, table
from tests.pipelines.stages.dedup.exchange import Contrary, fates, sorted_rows

COLUMNS = ("id", "record_sha256", "content_hash", "stage", "rule", "value", "threshold", "duplicate_of")
HASHED = pa.schema([*CAPTURE, ("content_hash", pa.string())])
STEPS = (
    hash_step(":hash", of="documents", is_first=True),
    *identity_steps(":identity", of=":hash"),
    *ExactDedup().steps("exact_dedup", Documents(":identity", HASHED)),
    *NearDedup().steps("near_dedup", Documents("exact_dedup", HASHED)),
)


class ReadFile(Function):
    """Gives the captures of a Parquet file."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (
            captures.cast(CAPTURE)
            for batch in batches
            for path in batch["path"].to_pylist()
            for captures in pq.read_table(path).to_batches()
        )


@pytest.fixture(scope="module")
def corpus() -> pa.Table:
    """Documents in families of equal, similar and superseded texts."""
    chance = random.Random(11)
    captures = []
    for family in range(40):
        words = prose(chance, chance.choice([4, 60, 150]))
        for member in range(chance.randrange(1, 6)):
            text = " ".join(edited(words, chance, chance.choice([0, 0, 1, 2, 4])))
            captures.append(capture(f"{family} {member % 4}", text, day=chance.choice([None, 1, 2, 3])))
    return table(captures)


def fates_by_engine(corpus: pa.Table, folder: Path, *, files: int, workers: int, batch_rows: int | None) -> list[Any]:
    tasks = []
    for number in range(files):
        path = folder / f"{number}.parquet"
        pq.write_table(corpus.take(list(range(number, corpus.num_rows, files))), path)
        tasks.append(ScanTask(({"path": str(path)},), number))
    plan = Plan((Scan(name="documents", function=ReadFile(), schema=CAPTURE), *STEPS), {"documents": tasks})
    engine = LocalEngine(workers)
    try:
        done = run_plan(plan, TaskStore(folder), engine, observer=Silent(), batch_rows=batch_rows)
    finally:
        engine.close()
    rows = read_table(plan, done, TaskStore(folder), "near_dedup", COLUMNS)
    return sorted_rows(pa.Table.from_batches(list(rows)), "id", "record_sha256")


@pytest.mark.parametrize(
    ("files", "workers", "batch_rows"), [(1, 0, None), (3, 0, 1), (2, 0, 7), pytest.param(3, 2, None, id="processes")]
)
def test_the_engine_gives_what_the_contract_promises(
    corpus: pa.Table, tmp_path: Path, files: int, workers: int, batch_rows: int | None
) -> None:
    """The real engine, with any files, workers and batches, must agree with rows sorted in memory."""
    stages = [("exact_dedup", ExactDedup()), ("near_dedup", NearDedup())]
    rows = [{name: row[name] for name in COLUMNS} for row in fates(corpus, stages, Contrary())]
    expected = sorted(rows, key=lambda row: (row["id"], row["record_sha256"], repr(row)))

    found = fates_by_engine(corpus, tmp_path, files=files, workers=workers, batch_rows=batch_rows)

    assert found == expected
    assert {row["stage"] for row in found} == {None, "identity", "exact_dedup", "near_dedup"}

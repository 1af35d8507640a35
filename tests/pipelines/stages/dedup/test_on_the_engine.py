from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.pipelines.engines.base import Batches, Function, Map
from corpusmill.pipelines.engines.batches import IpcFile
from corpusmill.pipelines.engines.driver import Plan, RawTask, Silent, Store, run_plan
from corpusmill.pipelines.engines.local import LocalEngine
from corpusmill.pipelines.stages.dedup.exact import ExactDedup
from corpusmill.pipelines.stages.dedup.near import NearDedup
from corpusmill.pipelines.stages.identity import identity_steps
from corpusmill.schemas.document import CAPTURE
from tests.pipelines.stages.dedup.corpus import capture, edited, prose, table
from tests.pipelines.stages.dedup.exchange import Contrary, sorted_rows

STEPS = (
    *identity_steps(documents="documents"),
    *ExactDedup().steps("exact_dedup", documents="documents", fates="identity"),
    *NearDedup().steps("near_dedup", documents="documents", fates="exact_dedup"),
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
    """Documents in families of equal, alike and superseded texts."""
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
        tasks.append(RawTask(({"path": str(path)},), number))
    plan = Plan((Map("documents", (), ReadFile(), CAPTURE), *STEPS), {"documents": tuple(tasks)})
    engine = LocalEngine(workers)
    try:
        done = run_plan(plan, Store(folder), engine, observer=Silent(), batch_rows=batch_rows)
    finally:
        engine.close()
    outputs = [Store(folder).out(task.fingerprint).with_suffix(".arrow") for task in done["near_dedup"].tasks]
    return sorted_rows(
        pa.Table.from_batches([batch for path in outputs for batch in IpcFile(path).batches()]),
        "id",
        "captured",
        "record_sha256",
    )


@pytest.mark.parametrize(
    ("files", "workers", "batch_rows"), [(1, 0, None), (3, 0, 1), (2, 0, 7), pytest.param(3, 2, None, id="processes")]
)
def test_the_engine_gives_what_the_contract_promises(
    corpus: pa.Table, tmp_path: Path, files: int, workers: int, batch_rows: int | None
) -> None:
    """The same fates from the real engine, whatever files, workers and batches, as from rows sorted in memory."""
    expected = sorted_rows(
        Contrary().run(STEPS, {"documents": corpus})["near_dedup"], "id", "captured", "record_sha256"
    )

    fates = fates_by_engine(corpus, tmp_path, files=files, workers=workers, batch_rows=batch_rows)

    assert fates == expected
    assert {fate["stage"] for fate in fates} == {None, "identity", "exact_dedup", "near_dedup"}

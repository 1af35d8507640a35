"""``--limit``: keep only the documents with the smallest ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import Batches, Counters, Exchange, Function, Input, Scan, Step
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.stages.read import Read

LIMIT = ":limit"
IDS = ":limit.ids"
_NARROW = pa.schema([pa.field("id", pa.string(), nullable=False), pa.field("one", pa.int64(), nullable=False)])


def limit_steps(limit: int) -> tuple[Step, ...]:
    """Return the steps that find the *limit*-th smallest id of all records. The scan `IDS` reads the raw files."""
    return (
        Scan(name=IDS, function=Ids(), schema=_NARROW),
        Exchange(
            name=LIMIT,
            inputs=(Input(IDS),),
            by="one",
            order=("id",),
            function=Smallest(n=limit),
            moved=_NARROW,
            schema=_NARROW,
            partitions=1,
        ),
    )


class Ids(Read):
    """Reads only the ids of all records. It counts nothing, because a later step reads the same records again."""

    def build(self) -> Callable[[Batches], Batches]:
        read = super().build()

        def run(batches: Batches) -> Batches:
            for batch in read(batches):
                ids = batch["id"].unique()
                yield pa.record_batch({"id": ids, "one": pa.array([1] * len(ids), pa.int64())})
            task().counters.clear()

        return run


class Smallest(Function):
    """Finds the *n*-th smallest id and stores it in a counter, as a number, for `LimitedRead`."""

    n: int

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            seen, last = 0, None
            for batch in batches:
                for value in batch["id"].to_pylist():
                    if value != last and seen < self.n:
                        seen, last = seen + 1, value
            task().count("max_id", int(last, 16) if last else 0)
            yield from ()

        return run


class LimitedRead(Read):
    """Reads the records up to the id that the step `LIMIT` selects."""

    max_id: str | None = None

    def asks(self) -> tuple[str, ...]:
        return (LIMIT,)

    def bound(self, counters: Mapping[str, Counters]) -> LimitedRead:
        return self.model_copy(update={"max_id": f"{counters[LIMIT].get('max_id', 0):032x}"})

    def unlimited(self) -> Read:
        """Return the function that reads all records."""
        return Read(text_only=self.text_only)

    def chosen(self, captures: pa.RecordBatch) -> pa.RecordBatch:
        return captures.filter(pc.less_equal(captures["id"], self.max_id))

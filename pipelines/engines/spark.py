"""Run a plan on Spark: tasks are rows of a data frame, and an exchange is Spark's shuffle by partition number.

As with the local engine, each task writes its output to its address, so the driver and all workers need access to the
same store.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa

from corpusmill.pipelines.engines.tasks import Task, TaskResult, parse_result, result_as_json
from corpusmill.pipelines.engines.work import gather, moved_rows, run_task
from corpusmill.schemas.errors import MissingExtraError, UnfinishedError

try:
    from pyspark import TaskContext
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.pandas.types import from_arrow_schema
except ImportError as error:
    raise MissingExtraError.of("spark", "pyspark") from error

_NUMBER: Final = "n"
_RESULT: Final = "result string"
_SETTINGS: Final = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "1024",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Adaptive execution would merge and split partitions; they have to keep their numbers.
    "spark.sql.adaptive.enabled": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.memory": "2g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}


class SparkEngine:
    """Runs tasks on Spark."""

    name = "spark"

    def __init__(self, master: str = "local[2]") -> None:
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = SparkSession.builder.master(master).appName("corpusmill")
        local = master.startswith("local")
        for name, value in _SETTINGS.items():
            if local or not name.startswith("spark.driver."):
                builder = builder.config(name, value)
        try:
            self._spark = builder.getOrCreate()
        except Exception as error:  # the bridge to Java raises errors of any type
            raise UnfinishedError(
                f"Spark did not start with master {master!r}: {error}",
                hint="`corpusmill doctor` reports whether Java is installed",
            ) from error
        self._spark.sparkContext.setLogLevel("ERROR")

    def close(self, *, at_once: bool = False) -> None:
        """Stop the session. Running tasks are always canceled."""
        self._spark.stop()

    def map(self, tasks: Sequence[Task]) -> Iterator[TaskResult]:
        """Run independent *tasks*, one per partition."""
        if tasks:
            yield from self._results(
                self._frame(tasks).mapInArrow(_each(lambda task: result_as_json(lambda: run_task(task))), _RESULT)
            )

    def exchange(self, scatters: Sequence[Task], gathers: Sequence[Task]) -> Iterator[TaskResult]:
        """Move the rows of *scatters* to the *gathers* of their partitions."""
        parts = gathers[0].order.parts if gathers[0].order is not None else 1
        moved = scatters[0].arrow_schema if scatters else pa.schema([])
        columns = pa.schema([pa.field(f"c{index}", field.type) for index, field in enumerate(moved)])
        with_number = pa.schema([pa.field(_NUMBER, pa.int32()), *columns])
        wanted = {task.partition: task.as_json() for task in gathers}
        rows = self._frame(scatters).mapInArrow(_scatter(columns), from_arrow_schema(with_number))
        placed = rows.repartitionById(parts, _NUMBER)
        yield from self._results(placed.mapInArrow(_gather(wanted, moved), _RESULT))

    def _frame(self, tasks: Sequence[Task]) -> DataFrame:
        rows = [(index, task.as_json()) for index, task in enumerate(tasks)]
        frame = self._spark.createDataFrame(rows, f"{_NUMBER} int, task string")
        return frame.repartitionById(max(1, len(tasks)), _NUMBER)

    def _results(self, frame: DataFrame) -> Iterator[TaskResult]:
        for row in frame.collect():
            yield from parse_result(row[0])


def _each(work: Callable[[Task], str]) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for text in batch["task"].to_pylist():
                yield pa.record_batch({"result": [work(Task.from_json(text))]})

    return run


def _scatter(columns: pa.Schema) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Yield the rows of each task under neutral column names.

    Real names may contain dots, or differ only in case."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for text in batch["task"].to_pylist():
                for rows, numbers in moved_rows(Task.from_json(text)):
                    named = dict(zip(columns.names, rows.columns, strict=True))
                    yield pa.record_batch({_NUMBER: pa.array(numbers, pa.int32()), **named})

    return run


def _gather(wanted: dict[int, str], moved: pa.Schema) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    schema_bytes = moved.serialize().to_pybytes()

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        schema = pa.ipc.read_schema(pa.py_buffer(schema_bytes))
        context: Any = TaskContext.get()
        text = wanted.get(context.partitionId())
        named = (batch.drop_columns([_NUMBER]).rename_columns(schema.names) for batch in batches)
        if text is not None:
            yield pa.record_batch({"result": [result_as_json(lambda: gather(Task.from_json(text), named, schema))]})

    return run

"""Run a plan on Beam: tasks are elements, and an exchange groups rows by partition number.

The engine uses the in-process runner of the Python SDK. The SDK's default looks for another runner on the network, and
its multi-process mode hangs when a worker dies.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from corpusmill.pipelines.engines.tasks import Task, TaskResult, parse_result, result_as_json
from corpusmill.pipelines.engines.work import gather, moved_rows, run_task
from corpusmill.schemas.errors import MissingExtraError

try:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
except ImportError as error:
    raise MissingExtraError.of("beam", "apache_beam") from error


class BeamEngine:
    """Runs tasks on Beam's in-process runner."""

    name = "beam"

    def close(self, *, at_once: bool = False) -> None:
        """Do nothing: no resources are held between pipelines."""

    def map(self, tasks: Sequence[Task]) -> Iterator[TaskResult]:
        """Run independent *tasks*."""
        with tempfile.TemporaryDirectory(prefix="corpusmill-") as folder:
            with _pipeline() as pipeline:
                (pipeline | beam.Create([task.as_json() for task in tasks]) | beam.Reshuffle() | beam.Map(_run, folder))
            yield from _results(folder)

    def exchange(self, scatters: Sequence[Task], gathers: Sequence[Task]) -> Iterator[TaskResult]:
        """Move the rows of *scatters* to the *gathers* of their partitions."""
        wanted = {task.partition: task.as_json() for task in gathers}
        moved = scatters[0].schema if scatters else pa.schema([]).serialize().to_pybytes()
        with tempfile.TemporaryDirectory(prefix="corpusmill-") as folder:
            with _pipeline() as pipeline:
                rows = (
                    pipeline
                    | "scatters" >> beam.Create([task.as_json() for task in scatters])
                    | beam.FlatMap(_scatter).with_output_types(tuple[int, bytes])
                )
                # A partition without rows needs its gather task, too.
                empty = pipeline | "partitions" >> beam.Create([(number, b"") for number in wanted])
                grouped = (rows, empty) | beam.Flatten() | beam.GroupByKey()
                grouped | beam.Map(_gather, wanted, moved, folder)
            yield from _results(folder)


def _pipeline() -> beam.Pipeline:
    return beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([], direct_num_workers=1))


def _run(text: str, folder: str) -> None:
    _write_result(folder, result_as_json(lambda: run_task(Task.from_json(text))))


def _scatter(text: str) -> Iterator[tuple[int, bytes]]:
    for batch, numbers in moved_rows(Task.from_json(text)):
        for number in sorted(set(numbers.tolist())):
            yield number, _packed(batch.filter(pa.array(numbers == number)))


def _gather(group: tuple[int, Iterable[bytes]], wanted: dict[int, str], moved: bytes, folder: str) -> None:
    number, packed = group
    if number in wanted:
        schema = pa.ipc.read_schema(pa.py_buffer(moved))
        batches = (batch for data in packed if data for batch in pa.ipc.open_stream(data))
        _write_result(folder, result_as_json(lambda: gather(Task.from_json(wanted[number]), batches, schema)))


def _packed(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _write_result(folder: str, text: str) -> None:
    path = Path(folder) / uuid.uuid4().hex
    path.with_suffix(".tmp").write_text(text)
    path.with_suffix(".tmp").rename(path.with_suffix(".json"))


def _results(folder: str) -> Iterator[TaskResult]:
    for path in sorted(Path(folder).glob("*.json")):
        yield from parse_result(path.read_text())

"""What a run of `dedup` computes: files, columns, order and stage, checked before any work starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpusmill.pipelines.engines.base import resolve
from corpusmill.pipelines.file_dedup.inputs import (
    NAMES,
    Columns,
    File,
    JsonReader,
    Part,
    columns_of,
    kind_of,
    look_at,
    merged_schema,
    names_of,
    parts_of,
)
from corpusmill.pipelines.file_dedup.ranks import TIME_COLUMN, Keep
from corpusmill.pipelines.file_dedup.reading import json_reader
from corpusmill.pipelines.stages.base import Stage
from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.hashing import fingerprint

FORMAT = 3
"""Rises when a run that was interrupted by an older version cannot be resumed."""


@dataclass(frozen=True)
class Options:
    """The options of the command line that decide the result.

    Args:
        text: Column of the texts.
        id: Column of the ids; None: ``id`` where there is one.
        keep: Which of several similar documents is kept.
    """

    text: str = "text"
    id: str | None = None
    keep: Keep = "oldest"


@dataclass(frozen=True)
class Job:
    """Everything that decides the output.

    Args:
        parts: The parts of the files to deduplicate, then those of the reference.
        schema: The columns of Parquet files; None for JSON, whose fields are known when all records are read.
        reader: The loader of JSON files as ``module:Class``.
        reference_ids: The types of ids in the Parquet files of the reference.
        stage: The stage that compares the documents.
        rule: The rule by which it rejects. The part before the dot is the name of the stage in the plan.
    """

    parts: tuple[Part, ...]
    columns: Columns
    keep: Keep
    schema: pa.Schema | None
    reader: str
    reference_ids: tuple[pa.DataType, ...]
    stage: Stage
    rule: str

    @property
    def name(self) -> str:
        """The stage's name in the plan."""
        return self.rule.partition(".")[0]

    @property
    def json_reader(self) -> JsonReader:
        """The reader of its JSON files."""
        return json_reader(self.reader, text=self.columns.text, id_column=self.columns.id)

    @property
    def own_parts(self) -> tuple[Part, ...]:
        """The parts of the files to deduplicate, in order."""
        return tuple(part for part in self.parts if not part.is_reference)

    @cached_property
    def address(self) -> str:
        """The hash of everything that decides the output. Files count by path, size and time of modification."""
        return fingerprint(
            {
                "format": FORMAT,
                "parts": [part.as_row() for part in self.parts],
                "columns": asdict(self.columns),
                "keep": self.keep,
                "reader": self.reader,
                "stage": [self.stage.basis(), self.stage.model_dump(mode="json")],
            }
        )


def job_of(
    paths: Sequence[Path],
    reference: Sequence[Path],
    options: Options,
    *,
    stage: Stage,
    rule: str,
    json_loader: str,
) -> Job:
    """Look at the files and return the job.

    Args:
        paths: The files to deduplicate, at least one; their order does not matter.
        reference: Files whose documents come first and are not written.
        json_loader: The loader of JSON files as ``module:Class``.

    Raises:
        UsageError: The files to deduplicate are of two formats, lack a column, or differ in the type of one.
        DamagedFileError: A file is not readable Parquet.
    """
    probe = json_reader(json_loader, text=options.text, id_column=options.id or "id")
    files, others = (_files(sorted(set(side), key=bytes), probe, json_loader) for side in (paths, reference))
    _refuse_two_kinds(files)
    time = None if options.keep == "longest" else TIME_COLUMN
    columns = columns_of([*files, *others], text=options.text, id_column=options.id, time=time)
    is_parquet = files[0].kind == "parquet"
    if columns.id is not None:
        _refuse_two_id_types([*files, *others], columns.id)
    return Job(
        parts=(*parts_of(files, probe), *parts_of(others, probe, is_reference=True)),
        columns=columns,
        keep=options.keep,
        schema=merged_schema(files) if is_parquet else None,
        reader=json_loader,
        reference_ids=tuple({_id_type(file, columns) for file in others if file.kind == "parquet"} - {None}),
        stage=stage,
        rule=rule,
    )


def _id_type(file: File, columns: Columns) -> pa.DataType | None:
    return None if columns.id is None else file.schema.field(columns.id).type


def _files(paths: Sequence[Path], reader: JsonReader, json_loader: str) -> list[File]:
    suffixes = resolve(json_loader).suffixes
    names = zip(paths, names_of(paths), strict=True)
    return [look_at(path, kind_of(path, json_suffixes=suffixes), reader, name=name) for path, name in names]


def _refuse_two_kinds(files: Sequence[File]) -> None:
    first = files[0]
    other = next((file for file in files if file.kind != first.kind), None)
    if other is not None:
        raise UsageError(
            f"the files are of two formats: {first.path} is {NAMES[first.kind]}, {other.path} is {NAMES[other.kind]}",
            hint="name files of one format, such as `DIR/*.parquet`, or convert those of the other",
        )


def _refuse_two_id_types(files: Sequence[File], name: str) -> None:
    """Refuse integers beside texts: the ledger has one column for the ids of both sides."""

    def form(file: File) -> Any:
        kind = file.schema.field(name).type
        return "uint64" if pa.types.is_uint64(kind) else pa.types.is_integer(kind)

    with_type = [file for file in files if file.kind == "parquet"]
    other = next((file for file in with_type if form(file) != form(with_type[0])), None)
    if other is not None:
        raise UsageError(
            f"the column `{name}` has the type {other.schema.field(name).type}, but "
            f"{with_type[0].schema.field(name).type} in {with_type[0].path}",
            file=str(other.path),
            hint="write the ids of all files with one type",
        )
    if with_type and len(with_type) < len(files) and form(with_type[0]) == "uint64":
        raise UsageError(
            f"the column `{name}` has the type uint64, which the numbers of JSON files cannot be compared with",
            file=str(with_type[0].path),
            hint="write the ids as int64 or as texts",
        )

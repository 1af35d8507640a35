"""A stage: a frozen value whose fields are its parameters, and whose declarations say what it reads and writes.

The planner, `explain`, the report and the documentation use these declarations, so none of them knows a stage by name.
"""

from __future__ import annotations

import sys
from abc import ABC
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from corpusmill.pipelines.engines.addresses import distribution_versions
from corpusmill.pipelines.engines.base import Step
from corpusmill.schemas.document import VERDICT
from corpusmill.schemas.hashing import file_sha256
from corpusmill.schemas.located_yaml import Place

Transform: TypeAlias = Callable[[pa.RecordBatch], pa.RecordBatch]
Copies: TypeAlias = Literal["exact", "normalized", "near", "url"]
"""Copies of a kept document: with the same text, the same letters and digits, a similar text, or the same URL."""

TEXT_ADDED: Final = "text_added"
TEXT_CUT: Final = "text_cut"
"""Columns (int64, UTF-8 bytes) in which a stage that changes text reports how much it added and cut per document:
``bytes before + added = bytes after + cut``."""


@dataclass(frozen=True)
class Counted:
    """A table of the report with the documents and items of a side table, for each value of one of its columns.

    Args:
        heading: Heading of the section.
        by: The column.
        items: Columns that identify an item within a value of *by*.
        noun: What an item is (plural).
    """

    heading: str
    by: str
    items: tuple[str, ...]
    noun: str


@dataclass(frozen=True)
class SideTable:
    """A table of any shape that a stage fills in addition to the documents, with ``task().emit(name, batch)``.

    Args:
        schema: Schema of the table. A published table has a column `id` with the id of the document of each row.
        order: Columns that, after `id`, define a total order of the rows of a published table. They are never null.
        may_be_null: Columns that may be null, so rows cannot be sorted by them.
        is_published: Write the table into the version, as ``<stage>.<name>-*.parquet``.
        is_ledger: Add its rows, which never were records, to the ledger. Columns are those of
            `schemas.document.LEDGER`.
        samples: Columns with text of documents. In a published table they pass through the stages that mask personal
            data, like the samples of the ledger.
        note: What `explain` prints about a row of a published table; ``{column}`` stands for a value. None: it does
            not print the table.
        counted: How the report counts the rows of a published table. None: it only describes the table.
    """

    schema: pa.Schema
    order: tuple[str, ...] = ()
    may_be_null: tuple[str, ...] = ()
    is_published: bool = False
    is_ledger: bool = False
    samples: tuple[str, ...] = ()
    note: str | None = None
    counted: Counted | None = None


@dataclass(frozen=True)
class FileInput:
    """A file that a stage reads, or all files that match a pattern, each identified by its SHA-256.

    ``task().content(name)`` returns the path of the file. The files that match a pattern are called ``name:file``, with
    *file* as in `recipes.paths.matching_files`; ``task().contents`` lists all names.

    Args:
        path: A URL, or a path or glob pattern, absolute or relative to the recipe's folder.
        at: Place of the parameter that has the path, such as ``("against", 0)``, for messages.
    """

    name: str
    path: str
    at: Place = ()


@dataclass(frozen=True)
class FileProblem:
    """What is wrong with a file that a parameter of a stage names.

    Args:
        at: Place of the parameter in the stage, such as ``("against", 0)``.
        value: The value at fault.
        hint: A change that helps.
    """

    message: str
    at: Place
    value: Any
    hint: str | None = None


@dataclass(frozen=True)
class TableInput:
    """A table of a published version that a stage with steps reads, identified by the content of its files.

    ``documents.tables[name]`` is the step that makes the table.

    Args:
        version: ``dataset@id``, ``dataset@tag``, ``dataset`` (its current version), or a version's folder or URL. None:
            the current version of the run's own data set when the run starts, or an empty table if there is none.
        kind: ``shard`` (the documents), ``ledger``, ``signals``, ``origin``, or ``<stage>.<side table>``. With
            ``.<side table>``, the stage is the one that reads it, whatever its name in the recipe.
        columns: The columns to read, with their types.
        is_optional: If there is no version, or if it does not have the table, ``documents.tables`` does not have it.
            False: the table is then empty, or the recipe is refused.
        described_by: Further columns, whose first values `Stage.table_problem` checks. No step reads them.
    """

    name: str
    version: str | None
    kind: str
    columns: pa.Schema
    is_optional: bool = False
    described_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgment:
    """A rule that compares one column with bounds. Values below `min` or above `max` are rejected.

    Args:
        rule: Name of the rule in the ledger.
        column: A signal, or a column of the document.
        min: Least value that passes; None: no bound.
        max: Greatest value that passes; None: no bound.
    """

    rule: str
    column: str
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True)
class PersonalData:
    """How a stage detects personal data.

    Args:
        signals: Prefix of the signals that count it, such as ``pii.``; the rest of the name is the kind. None: the
            stage does not count it.
        is_fixed_form: The stage detects data with a fixed form, such as e-mail addresses, but not names or places.
    """

    signals: str | None = None
    is_fixed_form: bool = False


@dataclass(frozen=True)
class Documents:
    """The documents that a stage receives.

    Args:
        state: The step whose table holds them.
        schema: Their columns.
        tables: Steps that make the tables of the stage's inputs (`TableInput`), by name.
        sources: Names of the recipe's sources, in order. What a stage does with them is part of an address only if it
            passes them on to a function.
    """

    state: str
    schema: pa.Schema
    tables: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()


class Stage(BaseModel, ABC):
    """The parameters of a stage, as written in a recipe, and its declarations.

    Most stages look at one document at a time and only implement `build`. A stage that compares documents, or learns
    from all of them, implements `steps`. A stage may stand for several (`sub_stages`), so that measuring is separate
    from judging.

    `version` rises when the output changes for the same parameters. `depends` names distributions, and `data` names
    files (relative to the module's folder), on which the output depends. All three are part of the address of every
    step of the stage.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: ClassVar[int] = 1
    depends: ClassVar[tuple[str, ...]] = ()
    data: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str | None] = None
    """The extra of corpusmill that this stage needs."""
    is_view: ClassVar[bool] = False
    """True: the stage only adds columns to kept documents, so it can run after they have been moved to their shards."""
    masks: ClassVar[bool] = False
    """True: `mask_column` masks personal data. Samples and examples of rejected texts are passed through it."""
    personal_data: ClassVar[PersonalData | None] = None
    """How the stage detects personal data; None: it does not, unless it `masks`."""
    removes_copies: ClassVar[Copies | None] = None
    """The copies of kept documents that it rejects; None: it rejects no copies."""
    card_line: ClassVar[str | None] = None
    """Text after the stage's name on the data card: "keeps one of all documents that …"."""

    def reads(self) -> tuple[str, ...]:
        """Return the columns that the function receives, besides `id` and those of the verdict."""
        return ("text",)

    def adds(self) -> tuple[pa.Field, ...]:
        """Return the columns that the function adds: signals (with a dot in the name), views, metadata."""
        return ()

    def changes(self) -> tuple[str, ...]:
        """Return the columns that the function changes.

        With `text`, it must also return `TEXT_ADDED` and `TEXT_CUT`.
        """
        return ()

    def rules(self) -> tuple[str, ...]:
        """Return the rules by which the stage rejects documents, besides ``error.…``."""
        return ()

    def judges(self) -> tuple[Judgment, ...]:
        """Return the rules that compare a column with bounds, in order.

        `explain` recomputes them from the stored columns, and the report shows their bounds.
        """
        return ()

    def notes(self) -> Mapping[str, str]:
        """Return what `explain` prints about a document that passed, by column.

        ``{value}`` is replaced by the column's value. A note is omitted if the value is null, zero or empty.
        """
        return {}

    def inputs(self) -> tuple[FileInput | TableInput, ...]:
        """Return the files that the function reads, and the tables of published versions that the steps read."""
        return ()

    def file_problem(self, input_: FileInput, path: Path) -> FileProblem | None:
        """Return what is wrong with a file of *input_*, whose local path is *path*. Called before any work starts."""
        return None

    def file_warning(self, input_: FileInput, path: Path) -> str | None:
        """Return what a user should know about a file of *input_* that has no problem: "has 3 empty lines"."""
        return None

    def table_problem(self, name: str, first: Mapping[str, Any]) -> tuple[str, str] | None:
        """Return why the stage cannot use the table *name* of its `inputs`, and a hint; None if it can.

        Args:
            first: The first row of the table.
        """
        return None

    def for_incremental(self) -> Stage:
        """Return the stage for a recipe with `incremental: true`, which may read tables of the parent version."""
        return self

    def sides(self) -> Mapping[str, SideTable]:
        """Return the side tables that the function fills, by name."""
        return {}

    def kept_below(self) -> float | None:
        """Return the similarity at or above which no two documents are both kept; None: the stage does not compare."""
        return None

    def shingle_words(self) -> int | None:
        """Return the number of words per shingle by which documents are compared; None: it compares no shingles."""
        return None

    def sub_stages(self) -> tuple[tuple[str, Stage], ...]:
        """Return the stages that this one consists of, by name suffix, such as ``("measure", …), ("", …)``.

        After a bound has changed, only the judging stage runs again.
        """
        return (("", self),)

    def build(self) -> Transform:
        """Return the function over living documents. Called once per worker, so models and tables are loaded here.

        The function returns the same rows in the same order, with the columns that it adds or changes. It rejects rows
        with `reject` and never drops any.
        """
        raise NotImplementedError(f"{type(self).__name__} implements neither `build` nor `steps`")

    def steps(self, name: str, documents: Documents) -> tuple[Step, ...]:
        """Return the steps of a stage that looks at more than one document at a time; empty if `build` does the work.

        The last step writes verdicts or columns onto the documents (`stages.verdicts.verdict_step`).

        Args:
            name: The stage's name in the plan. The last step has this name, the others ``name.<suffix>``.
        """
        return ()

    def mask_column(self, texts: pa.StringArray) -> pa.StringArray:
        """Return *texts* (nulls stay) without personal data. Called only if `masks` is true."""
        return texts

    def basis(self) -> dict[str, Any]:
        """Return what decides the output of the stage's steps besides their functions, as JSON."""
        folder = Path(sys.modules[type(self).__module__].__file__ or "").parent
        return {
            "stage": f"{type(self).__module__}:{type(self).__qualname__}",
            "version": self.version,
            "tools": distribution_versions(self.depends),
            "data": {name: file_sha256(folder / name) for name in self.data},
        }


def reject(
    batch: pa.RecordBatch,
    mask: npt.NDArray[np.bool_] | pa.BooleanArray,
    *,
    rule: str | pa.StringArray,
    value: Any = None,
    threshold: Any = None,
    message: Any = None,
) -> pa.RecordBatch:
    """Return *batch* with a verdict on the rows of *mask* that have none yet.

    *value*, *threshold* (numbers) and *message* (text) are scalars or arrays with one value per row.
    """
    fresh = pc.and_(pa.array(mask, pa.bool_()), pc.is_null(batch["rule"]))
    for name, entry in {"rule": rule, "value": value, "threshold": threshold, "message": message}.items():
        index = batch.schema.get_field_index(name)
        kind = VERDICT.field(name).type
        filled = pa.array(entry, kind) if isinstance(entry, (pa.Array, np.ndarray)) else pa.scalar(entry, kind)
        batch = batch.set_column(index, batch.schema.field(name), pc.if_else(fresh, filled, batch[name]))
    return batch

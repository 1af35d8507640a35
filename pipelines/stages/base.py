"""A stage: a frozen value whose fields are its parameters, and which declares what it touches.

The planner, `explain`, the report and the documentation ask these declarations; nobody spells a stage's name.
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

Transform: TypeAlias = Callable[[pa.RecordBatch], pa.RecordBatch]

TEXT_ADDED: Final = "text_added"
TEXT_CUT: Final = "text_cut"
"""Columns (int64, bytes of UTF-8) in which a stage that changes text reports how much it added and cut, per document:
``bytes before + added = bytes after + cut``."""


@dataclass(frozen=True)
class SideTable:
    """A table of any shape that a stage fills beside the documents, with ``task().emit(name, batch)``.

    Args:
        schema: Of the table. A published one has a column `id`: that of the document a row belongs to.
        order: Columns that, after `id`, put the rows of a published table into a total order.
        is_published: Write it into the version, as ``<stage>.<name>-*.parquet``.
        is_ledger: Its rows belong into the ledger, though they were no records: columns of `schemas.document.LEDGER`.
    """

    schema: pa.Schema
    order: tuple[str, ...] = ()
    is_published: bool = False
    is_ledger: bool = False


@dataclass(frozen=True)
class FileInput:
    """A file that a stage reads, known by its SHA-256: ``task().content(name)`` returns where it lies.

    Args:
        path: Absolute, or relative to the folder in which the run was started; or a URL.
    """

    name: str
    path: str


@dataclass(frozen=True)
class TableInput:
    """A table of a published version that a stage with steps reads, known by what its files hold.

    ``documents.tables[name]`` is the step whose table it is.

    Args:
        version: ``dataset@id``, ``dataset@tag``, ``dataset`` (its current version), or a version's folder or URL. None:
            the version that the data set of the run shows when the run begins; if there is none, the table is empty.
        kind: ``shard`` (the documents), ``ledger``, ``signals``, ``origin``, or ``<stage>.<side table>``.
        columns: That are read, with their types.
    """

    name: str
    version: str | None
    kind: str
    columns: pa.Schema


@dataclass(frozen=True)
class Judgment:
    """A rule that compares one column with bounds: what is below `min` or above `max` is rejected.

    Args:
        rule: As it stands in the ledger.
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
    """How a stage looks for personal data.

    Args:
        signals: The beginning of the names of the signals that count it, such as ``pii.``; the rest is the kind. None:
            it counts nothing.
        is_fixed_form: It finds what has a fixed form, such as an e-mail address, and not names or places.
    """

    signals: str | None = None
    is_fixed_form: bool = False


@dataclass(frozen=True)
class Documents:
    """The documents as a stage finds them.

    Args:
        state: The step after which they stand.
        schema: Their columns.
        tables: Steps whose tables are the stage's inputs (`TableInput`), by name.
    """

    state: str
    schema: pa.Schema
    tables: Mapping[str, str] = field(default_factory=dict)


class Stage(BaseModel, ABC):
    """Parameters of a stage, as a recipe gives them, and what it declares.

    Most stages look at one document at a time and only give `build`. A stage that compares documents, or learns from
    all of them, gives `steps`. A stage may stand for several (`sub_stages`), so that measuring is apart from judging.

    `version` rises when the output changes for the same parameters; `depends` names distributions, and `data` files
    (relative to the module's folder), whose version or hash the output depends on. All three are part of the address of
    every step that the stage produces.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: ClassVar[int] = 1
    depends: ClassVar[tuple[str, ...]] = ()
    data: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str | None] = None
    """The extra of the distribution that has to be installed for this stage."""
    is_view: ClassVar[bool] = False
    """True: it only adds columns made from documents that are kept, so it may run after they lie in their shards."""
    masks: ClassVar[bool] = False
    """True: `mask_column` masks personal data; samples and examples of rejected texts pass it."""
    personal_data: ClassVar[PersonalData | None] = None
    """How it looks for personal data; None: it does not, unless it `masks`."""
    removes_copies: ClassVar[Literal["exact", "near"] | None] = None
    """The documents that it rejects for one that is kept: those with the same text, or those with a similar one."""
    card_line: ClassVar[str | None] = None
    """What it does, as the data card says it behind the stage's name: "keeps one of all documents that …"."""

    def reads(self) -> tuple[str, ...]:
        """Return the columns that the function gets, beside `id` and those of the verdict."""
        return ("text",)

    def adds(self) -> tuple[pa.Field, ...]:
        """Return the columns that the function adds: signals (with a dot in the name), views, metadata."""
        return ()

    def changes(self) -> tuple[str, ...]:
        """Return the columns that the function changes; with `text` it returns `TEXT_ADDED` and `TEXT_CUT` as well."""
        return ()

    def rules(self) -> tuple[str, ...]:
        """Return the rules by which it rejects documents, beside ``error.…``."""
        return ()

    def judges(self) -> tuple[Judgment, ...]:
        """Return those of `rules` that compare a column with bounds, in order.

        `explain` recomputes them from what a version stores, and the report shows their bounds.
        """
        return ()

    def notes(self) -> Mapping[str, str]:
        """Return what `explain` says of a document that passed, by the column that it is about.

        ``{value}`` stands for the column's value. A note is left out where that is null, zero or empty.
        """
        return {}

    def inputs(self) -> tuple[FileInput | TableInput, ...]:
        """Return the files that the function reads, and the tables of published versions that the steps read."""
        return ()

    def sides(self) -> Mapping[str, SideTable]:
        """Return the side tables that the function fills, by name."""
        return {}

    def kept_below(self) -> float | None:
        """Return the similarity at or above which no two documents are both kept; None: the stage compares none."""
        return None

    def sub_stages(self) -> tuple[tuple[str, Stage], ...]:
        """Return the stages, by name suffix, that this one stands for: ``("measure", …), ("", …)``, so that a changed
        bound repeats the judging alone."""
        return (("", self),)

    def build(self) -> Transform:
        """Return the function over living documents; called once per worker: models and tables are loaded here.

        It returns the rows that it got, in their order, with the columns that it adds or changes. It rejects with
        `reject` and drops nothing.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither `build` nor `steps`")

    def steps(self, name: str, documents: Documents) -> tuple[Step, ...]:
        """Return the steps of a stage that looks at more than one document at a time; none: it has a function.

        The last one puts verdicts, or columns, onto the documents (`stages.verdicts.verdict_step`).

        Args:
            name: The stage's name in the plan; steps are called ``name`` (the last one) and ``name.<what>``.
        """
        return ()

    def mask_column(self, texts: pa.StringArray) -> pa.StringArray:
        """Return *texts* (nulls stay) without personal data; only asked of a stage that `masks`."""
        return texts

    def basis(self) -> dict[str, Any]:
        """Return what of the stage decides the output of its steps beside their functions, as JSON."""
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

    *value*, *threshold* (numbers) and *message* (text) are scalars or arrays of one value a row.
    """
    fresh = pc.and_(pa.array(mask, pa.bool_()), pc.is_null(batch["rule"]))
    for name, given in {"rule": rule, "value": value, "threshold": threshold, "message": message}.items():
        index = batch.schema.get_field_index(name)
        kind = VERDICT.field(name).type
        filled = pa.array(given, kind) if isinstance(given, (pa.Array, np.ndarray)) else pa.scalar(given, kind)
        batch = batch.set_column(index, batch.schema.field(name), pc.if_else(fresh, filled, batch[name]))
    return batch

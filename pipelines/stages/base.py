"""A stage: a frozen value whose fields are its parameters, and whose work is a function over record batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from corpusmill.pipelines.engines.base import Step
from corpusmill.schemas.document import VERDICT

Transform: TypeAlias = Callable[[pa.RecordBatch], pa.RecordBatch]

TEXT_ADDED: Final = "text_added"
TEXT_CUT: Final = "text_cut"
"""Columns (int64, bytes of UTF-8) in which a stage that changes text reports how much it added and cut, per document:
``bytes before + added = bytes after + cut``."""


class Stage(BaseModel, ABC):
    """Parameters of a stage, as a recipe gives them.

    `version` rises when the output changes for the same parameters; `depends` names distributions, `data` files
    (relative to the module's folder) whose version or hash the output depends on: all are part of the fingerprint.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: ClassVar[int] = 1
    depends: ClassVar[tuple[str, ...]] = ()
    data: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str | None] = None
    """The extra of the distribution that has to be installed for this stage."""


class MapStage(Stage):
    """A stage that looks at one document at a time.

    Its function sees living documents only, with the columns of `CAPTURE` and of the stages before it, and gives the
    same rows in the same order with the columns of `adds` behind. It rejects with `reject` and drops nothing.
    """

    changes_text: ClassVar[bool] = False
    """True: the function adds the columns `TEXT_ADDED` and `TEXT_CUT`."""
    is_view: ClassVar[bool] = False
    """True: it only adds columns made from the text, so it may run after the documents lie in their shards."""

    def parts(self) -> tuple[tuple[str, MapStage], ...]:
        """Give the stages, by name suffix, that this one stands for: ``("measure", …), ("", …)`` to measure apart from
        judge, so that a changed bound repeats the judging alone."""
        return (("", self),)

    def adds(self) -> tuple[pa.Field, ...]:
        """Give the columns that the function adds: signals (with a dot in the name) and views."""
        return ()

    @abstractmethod
    def build(self) -> Transform:
        """Give the function; called once in each worker: models and tables are loaded here."""


class CompareStage(Stage):
    """A stage that compares documents with each other, on the narrow table `corpusmill.pipelines.stages.fates`."""

    @abstractmethod
    def steps(self, name: str, *, documents: str, fates: str) -> tuple[Step, ...]:
        """Give the steps of this stage; the last one gives the fates.

        Args:
            name: The stage's name in the plan; steps are called ``name`` (the last) and ``name.<part>``.
            documents: The step with whole documents (columns of `CAPTURE`).
            fates: The step with the fates so far.
        """


class LearnStage(Stage):
    """A stage that learns something from all documents, and then changes each: whole documents move once more for it.

    Its last step counts documents and bytes as `corpusmill.pipelines.stages.apply` does, which it uses for that.
    """

    changes_text: ClassVar[bool] = True

    def adds(self) -> tuple[pa.Field, ...]:
        """Give the columns that the stage adds: signals (with a dot in the name) and views."""
        return ()

    @abstractmethod
    def steps(self, name: str, *, documents: str, schema: pa.Schema) -> tuple[Step, ...]:
        """Give the steps of this stage; the last one gives the documents, with the columns of `adds` behind.

        Args:
            name: The stage's name in the plan; steps are called ``name`` (the last) and ``name.<part>``.
            documents: The step with whole documents.
            schema: Their columns: those of `CAPTURE` and of the stages before it.
        """


def reject(
    batch: pa.RecordBatch,
    mask: npt.NDArray[np.bool_] | pa.BooleanArray,
    *,
    rule: str | pa.StringArray,
    value: Any = None,
    threshold: Any = None,
    message: Any = None,
) -> pa.RecordBatch:
    """Give *batch* with a verdict on the rows of *mask* that have none yet.

    *value*, *threshold* (numbers) and *message* (text) are scalars or arrays of one value a row.
    """
    fresh = pc.and_(pa.array(mask, pa.bool_()), pc.is_null(batch["rule"]))
    for name, given in {"rule": rule, "value": value, "threshold": threshold, "message": message}.items():
        index = batch.schema.get_field_index(name)
        kind = VERDICT.field(name).type
        filled = pa.array(given, kind) if isinstance(given, (pa.Array, np.ndarray)) else pa.scalar(given, kind)
        batch = batch.set_column(index, batch.schema.field(name), pc.if_else(fresh, filled, batch[name]))
    return batch

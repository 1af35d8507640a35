"""The stage `decontaminate`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.stages.base import (
    FileInput,
    FileProblem,
    SideTable,
    Stage,
    Transform,
    reject,
)
from corpusmill.pipelines.stages.cuts import CUTS
from corpusmill.pipelines.stages.decontaminate import hits, masking
from corpusmill.pipelines.stages.decontaminate.files import UnreadableError, entries
from corpusmill.pipelines.stages.decontaminate.index import Entry, Index, Sizes
from corpusmill.pipelines.stages.decontaminate.overlaps import Overlap, overlap
from corpusmill.pipelines.stages.decontaminate.words import words
from corpusmill.schemas.errors import DamagedFileError
from corpusmill.schemas.problems import HintedValueError

COVERAGE: Final = pa.field("decontaminate.coverage", pa.float64())
"""The greatest share of the words of an evaluation text that the document contains."""
_AGAINST: Final = "against"
_INPUT: Final = "against.{}"
"""The name of an input; the number is its place in `against`."""

_Text = Annotated[str, Field(min_length=1)]


class Against(BaseModel):
    """Evaluation files of which only some columns are compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(min_length=1, description="File or glob pattern.", examples=["eval/*.jsonl"])
    columns: tuple[_Text, ...] | None = Field(
        default=None,
        min_length=1,
        description="Columns with texts; dots lead into nested fields. Null: all texts.",
        examples=[["question", "answer"]],
    )


class Decontaminate(Stage):
    """Remove documents that contain texts of evaluation sets, or mask these texts.

    Words are compared, without case, punctuation and white space. An evaluation text is covered where the document has
    `ngram` of its words in sequence (`short_ngram` if it has fewer words than `ngram`; all of its words if it has even
    fewer). A document contains an evaluation text if at least `min_coverage` of its words are covered.

    Each evaluation text in a document is in the published side table `decontaminate.hits`, with both texts. The signal
    `decontaminate.coverage` is the greatest coverage of any evaluation text. Masked spans are also in the side table
    `decontaminate.cuts`, which all stages that cut text have.
    """

    version: ClassVar[int] = 2
    card_line: ClassVar[str | None] = "removes texts of evaluation sets; each is listed with its place in the set"

    against: tuple[_Text | Against, ...] = Field(
        min_length=1,
        description="Evaluation sets: JSON Lines (also .gz, .zst), JSON arrays, or Parquet. Paths and glob patterns "
        "are relative to the recipe's folder; `{path: …, columns: […]}` compares only some columns.",
        examples=[["eval/*.jsonl"]],
    )
    ngram: int = Field(
        default=13, ge=2, le=1000, description="Words in sequence that match. 13: GPT-3, arXiv:2005.14165, appendix C."
    )
    short_ngram: int = Field(
        default=8, ge=2, le=1000, description="The same for texts with fewer words than `ngram`. 8: GPT-3, Tülu 3."
    )
    min_words: int = Field(
        default=5,
        ge=1,
        le=1000,
        description="Texts with fewer words are not compared, because they are common phrases. Texts with fewer words "
        "than `short_ngram` are compared as a whole.",
    )
    min_coverage: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Share of the words of an evaluation text that a document may not contain. 0.5: Tülu 3, "
        "arXiv:2411.15124, section 3.2.",
    )
    action: Literal["remove", "mask"] = Field(
        default="remove",
        description=f"`remove`: reject the document; `mask`: replace the covered words with {masking.MASK}.",
    )

    @model_validator(mode="after")
    def _sizes_in_order(self) -> Self:
        for name, value, limit in (
            ("short_ngram", self.short_ngram, self.ngram),
            ("min_words", self.min_words, self.short_ngram),
        ):
            if value > limit:
                greater = "ngram" if name == "short_ngram" else "short_ngram"
                problem = f"`{name}: {value}` is greater than `{greater}: {limit}`"
                raise HintedValueError(problem, hint=f"use `{name}: {limit}`", at=(name,), is_complete=True)
        return self

    def inputs(self) -> tuple[FileInput, ...]:
        """Return the evaluation files."""
        return tuple(
            FileInput(_INPUT.format(number), one.path, (_AGAINST, number, *(("path",) if one is original else ())))
            for number, (one, original) in enumerate(zip(self._sets(), self.against, strict=True))
        )

    def file_problem(self, input_: FileInput, path: Path) -> FileProblem | None:
        """Return why the evaluation file cannot be used: unreadable, without a column, or without a text."""
        number = self.inputs().index(input_)
        columns = self._sets()[number].columns
        try:
            entries(path.read_bytes(), file=input_.path, columns=columns)
        except UnreadableError as error:
            if error.column is None or columns is None:
                return FileProblem(f"{error.message}, got `{input_.path}`", input_.at, input_.path, error.hint)
            at = (_AGAINST, number, "columns", error.column)
            return FileProblem(f"{error.message}", at, columns[error.column], error.hint)
        return None

    def file_warning(self, input_: FileInput, path: Path) -> str | None:
        """Return the number of texts of the evaluation file that are too short to be compared."""
        texts = entries(path.read_bytes(), file=input_.path, columns=self._sets()[self.inputs().index(input_)].columns)
        short = sum(len(words(entry.text)) < self.min_words for entry in texts)
        if not short:
            return None
        return f"has {short:,} of {len(texts):,} texts with fewer than {self.min_words} words, which are not compared"

    def changes(self) -> tuple[str, ...]:
        """Return `text` if the action is `mask`."""
        return ("text",) if self.action == "mask" else ()

    def adds(self) -> tuple[pa.Field, ...]:
        """Return the signal that is measured."""
        return (COVERAGE,)

    def rules(self) -> tuple[str, ...]:
        """Return the rule if the action is `remove`."""
        return (hits.RULE,) if self.action == "remove" else ()

    def notes(self) -> Mapping[str, str]:
        """Return how much of an evaluation text is, or was before masking, in a document that passed."""
        if self.action == "mask":
            masked = f"evaluation texts with a coverage of {self.min_coverage:.0%} or more were masked"
            return {COVERAGE.name: f"{masked}; the greatest one was {{value:.0%}}"}
        return {COVERAGE.name: "the greatest coverage of an evaluation text is {value:.0%}"}

    def sides(self) -> Mapping[str, SideTable]:
        """Return the side table of hits and, if the action is `mask`, that of masked spans."""
        return {hits.HITS: hits.SIDE, **({CUTS: masking.SIDE} if self.action == "mask" else {})}

    def build(self) -> Transform:
        """Return the function. It builds the index when it is first called, because the files belong to the task."""
        return lambda batch: self._apply(batch, _index(self._files(), self._gram_sizes()))

    def _apply(self, batch: pa.RecordBatch, index: Index) -> pa.RecordBatch:
        shares = np.zeros(batch.num_rows)
        overlaps: dict[int, Overlap] = {}
        rows: list[dict[str, object]] = []
        for row, candidates in index.candidates(batch["text"]):
            text = batch["text"][row].as_py()
            shared = overlap(index, text, candidates, min_coverage=self.min_coverage)
            shares[row] = shared.share
            if len(shared.texts.texts):
                overlaps[row] = shared
                identity = batch["id"][row].as_py()
                rows += hits.rows(identity, text, shared, threshold=self.min_coverage, action=self.action)
        if rows:
            task().emit(hits.HITS, pa.RecordBatch.from_pylist(rows, hits.SIDE.schema))
        batch = batch.append_column(COVERAGE, pa.array(shares))
        return (
            masking.masked(batch, overlaps) if self.action == "mask" else self._removed(batch, index, overlaps, shares)
        )

    def _removed(
        self, batch: pa.RecordBatch, index: Index, overlaps: Mapping[int, Overlap], shares: np.ndarray
    ) -> pa.RecordBatch:
        if not overlaps:
            return batch
        messages = [hits.message(index, overlaps[row]) if row in overlaps else None for row in range(batch.num_rows)]
        return reject(
            batch,
            np.isin(np.arange(batch.num_rows), list(overlaps)),
            rule=hits.RULE,
            value=shares,
            threshold=self.min_coverage,
            message=pa.array(messages, pa.string()),
        )

    def _sets(self) -> tuple[Against, ...]:
        return tuple(Against(path=one) if isinstance(one, str) else one for one in self.against)

    def _gram_sizes(self) -> Sizes:
        return Sizes(self.ngram, self.short_ngram, self.min_words)

    def _files(self) -> tuple[_File, ...]:
        """Return the files of the task, in the order of `against` and of their names."""
        sets = self._sets()
        files = []
        for name, content in task().contents.items():
            place, _, file = name.partition(":")
            one = sets[int(place.rpartition(".")[2])]
            files.append(_File(content.sha256, file or one.path, one.columns, name))
        return tuple(files)


@dataclass(frozen=True)
class _File:
    """An evaluation file of the task: its hash, its path in the recipe, its columns, and its name as an input."""

    sha256: str
    path: str
    columns: tuple[str, ...] | None
    name: str = field(compare=False)


@lru_cache(maxsize=1)
def _index(files: tuple[_File, ...], sizes: Sizes) -> Index:
    """Return the index of *files*. A worker keeps the last one."""
    return Index((entry for file in files for entry in _of_task(file)), sizes)


def _of_task(file: _File) -> list[Entry]:
    data = task().content(file.name).read_bytes()
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise DamagedFileError(
            "the file has changed since the run started", file=file.path, hint="run the same command again"
        )
    return entries(data, file=file.path, columns=file.columns)

"""Remove documents whose text differs from that of a kept one only in case, white space or punctuation."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any, ClassVar, Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpusmill.pipelines.engines.base import ColumnFunction, Map, Step
from corpusmill.pipelines.stages.base import Copies, Documents, Stage
from corpusmill.pipelines.stages.dedup.equality import first_of_equal
from corpusmill.pipelines.stages.dedup.letters import letter_hashes
from corpusmill.pipelines.stages.dedup.priority import KEEP_HELP, Keep, priority_columns
from corpusmill.pipelines.stages.verdicts import for_all_rows

RULE: Final = "normalized_dedup.duplicate"


class NormalizedDedup(Stage):
    """Keep one of all documents with the same letters and digits.

    Case, white space, punctuation and symbols are ignored, and characters are compared in the forms of NFKC: “Hello,
    World!” is equal to "hello world". A document without any letter or digit is never a duplicate.
    """

    removes_copies: ClassVar[Copies | None] = "normalized"
    card_line: ClassVar[str | None] = (
        "keeps one of all documents with the same letters and digits (case, white space and punctuation are ignored)"
    )

    keep: Keep = Field(default="oldest", description=KEEP_HELP)

    def reads(self) -> tuple[str, ...]:
        """Return the columns by which documents are compared and ordered."""
        return ("text", *priority_columns(self.keep))

    def rules(self) -> tuple[str, ...]:
        """Return the only rule."""
        return (RULE,)

    def steps(self, name: str, documents: Documents) -> tuple[Step, ...]:
        """Return the steps: hash the letters of each text, decide, write the verdicts."""
        keyed, key = f"{name}.keys", f"{name}.key"
        hashing = Map(
            name=keyed,
            of=documents.state,
            function=LetterHash(into=key),
            reads=("text", "rule"),
            writes=pa.schema([pa.field(key, pa.string())]),
        )
        decisions = first_of_equal(name, documents, key=key, rule=RULE, keep=self.keep, keyed=keyed)
        return (hashing, *decisions)


class LetterHash(ColumnFunction):
    """Computes `letter_hashes` of living documents, in the column *into*; null for rejected documents."""

    into: str

    def identity(self) -> dict[str, Any]:
        """Add the version of Unicode, which decides which characters are letters and how they are folded."""
        return {**super().identity(), "unicode": unicodedata.unidata_version}

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Return the function over the columns `text`, `rule`."""

        def run(batch: pa.RecordBatch) -> pa.RecordBatch:
            alive = pc.is_null(batch["rule"])
            hashes = letter_hashes(batch["text"].filter(alive))
            return pa.record_batch({self.into: for_all_rows(hashes, alive)})

        return run

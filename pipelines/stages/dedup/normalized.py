"""Remove documents whose text differs from that of a kept one only in case, white space or punctuation."""

from __future__ import annotations

import unicodedata
from typing import Any, ClassVar, Final

import pyarrow as pa
from pydantic import Field

from corpusmill.pipelines.engines.base import Step
from corpusmill.pipelines.stages.base import Copies, Documents, Stage
from corpusmill.pipelines.stages.dedup.equality import KeyOf, first_of_equal_keys
from corpusmill.pipelines.stages.dedup.letters import letter_hashes
from corpusmill.pipelines.stages.dedup.priority import KEEP_HELP, Keep, priority_columns

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
        return first_of_equal_keys(name, documents, keys=LetterHash, rule=RULE, keep=self.keep)


class LetterHash(KeyOf):
    """Computes `letter_hashes`."""

    column: ClassVar[str] = "text"

    def identity(self) -> dict[str, Any]:
        """Add the version of Unicode, which decides which characters are letters and how they are folded."""
        return {**super().identity(), "unicode": unicodedata.unidata_version}

    def keys(self, values: pa.StringArray) -> pa.StringArray:
        """Return the hash of the letters of each text."""
        return letter_hashes(values)

"""Remove exact duplicates: of several documents with the same text, the first in priority is kept."""

from __future__ import annotations

from typing import ClassVar, Final

from pydantic import Field

from corpusmill.pipelines.engines.base import Step
from corpusmill.pipelines.stages.base import Copies, Documents, Stage
from corpusmill.pipelines.stages.dedup.equality import first_of_equal
from corpusmill.pipelines.stages.dedup.priority import KEEP_HELP, Keep, priority_columns

RULE: Final = "exact_dedup.duplicate"


class ExactDedup(Stage):
    """Keep one of all documents with exactly the same text."""

    version: ClassVar[int] = 2
    removes_copies: ClassVar[Copies | None] = "exact"
    card_line: ClassVar[str | None] = "keeps one of all documents with the same text"

    keep: Keep = Field(default="oldest", description=KEEP_HELP)

    def reads(self) -> tuple[str, ...]:
        """Return the columns by which documents are compared and ordered."""
        return ("content_hash", *priority_columns(self.keep))

    def rules(self) -> tuple[str, ...]:
        """Return the only rule."""
        return (RULE,)

    def steps(self, name: str, documents: Documents) -> tuple[Step, ...]:
        """Return an exchange by `content_hash` that decides, and one that writes the verdicts onto the documents."""
        return first_of_equal(name, documents, key="content_hash", rule=RULE, keep=self.keep)

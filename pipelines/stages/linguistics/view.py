"""Base of the linguistic stages: each adds one column computed from the text."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, Final

import pyarrow as pa
from pydantic import Field, field_validator

from corpusmill.pipelines.stages.base import TEXT_ADDED, TEXT_CUT, Stage, Transform
from corpusmill.schemas.document import CAPTURE, DOCUMENT, LEDGER, ORIGIN

_TAKEN: Final = frozenset((*CAPTURE.names, *DOCUMENT.names, *LEDGER.names, *ORIGIN.names, TEXT_ADDED, TEXT_CUT))
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")


class View(Stage):
    """A stage that adds a text column."""

    into: str = Field(description="Name of the column.")

    is_view: ClassVar[bool] = True

    @field_validator("into")
    @classmethod
    def _free(cls, into: str) -> str:
        if into in _TAKEN:
            raise ValueError(f"`{into}` is a column that every document has; choose another name")
        if not _NAME.fullmatch(into):
            raise ValueError(f"`{into}` is no name for a view: lower-case letters, digits and `_`, no dot")
        return into

    def adds(self) -> tuple[pa.Field, ...]:
        """Return the field of the view."""
        return (pa.field(self.into, pa.string()),)

    @abstractmethod
    def view(self) -> Callable[[pa.StringArray], pa.StringArray]:
        """Return the function from texts (no nulls) to their views. Called once per worker."""

    def build(self) -> Transform:
        """Return the function over batches."""
        view = self.view()
        field = self.adds()[0]
        return lambda batch: batch.append_column(field, view(batch["text"]))


def one_of(value: str, allowed: frozenset[str], what: str) -> str:
    """Return *value*.

    Raises:
        ValueError: It is not *allowed*; the message lists what is.
    """
    if value not in allowed:
        raise ValueError(f"{what} `{value}`; there are: {', '.join(sorted(allowed))}")
    return value

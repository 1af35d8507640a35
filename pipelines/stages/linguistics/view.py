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
from corpusmill.schemas.located_yaml import Place
from corpusmill.schemas.problems import HintedValueError, hint_among

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
            problem = "not free: every document has a column of this name"
            raise HintedValueError(problem, instead=f"{into}_view")
        if not _NAME.fullmatch(into):
            problem = "not a name for a view: lower-case letters, digits and `_`, a letter first"
            raise HintedValueError(problem, instead=re.sub(r"[^a-z0-9_]", "_", into.lower()))
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


def one_of(value: str, allowed: frozenset[str], what: str, *, at: Place = ()) -> str:
    """Return *value*, that of the field *at* of the stage.

    Raises:
        HintedValueError: It is not *allowed*; the hint lists what is.
    """
    if value not in allowed:
        raise HintedValueError(f"{what} `{value}`", hint=hint_among(value, sorted(allowed), noun="allowed"), at=at)
    return value

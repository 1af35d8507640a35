"""Measure documents: signals as columns, no threshold."""

from __future__ import annotations

from typing import Annotated, ClassVar

import pyarrow as pa
from pydantic import AfterValidator, Field

from corpusmill.pipelines.stages.base import Stage, Transform
from corpusmill.pipelines.stages.quality.signals import SIGNALS, signals_of


def _is_known(name: str) -> str:
    if name not in SIGNALS:
        raise ValueError(f"unknown signal {name!r}; known are {', '.join(SIGNALS)}")
    return name


class Measure(Stage):
    """Add the signals to each document; the definitions are in `corpusmill.pipelines.stages.quality.signals`."""

    version: ClassVar[int] = 1
    depends: ClassVar[tuple[str, ...]] = ("pyarrow",)
    """For the letters of Unicode, which its regular expressions know."""

    signals: tuple[Annotated[str, AfterValidator(_is_known)], ...] = Field(default=tuple(SIGNALS))

    def adds(self) -> tuple[pa.Field, ...]:
        """Give a field for each signal."""
        return tuple(pa.field(name, SIGNALS[name]) for name in self.signals)

    def build(self) -> Transform:
        """Give the function; it reads `text` only."""

        def transform(batch: pa.RecordBatch) -> pa.RecordBatch:
            for name, values in signals_of(batch.column("text"), self.signals).items():
                batch = batch.append_column(name, values)
            return batch

        return transform

"""Measure signals of documents as columns, without thresholds."""

from __future__ import annotations

from typing import Annotated, ClassVar

import pyarrow as pa
from pydantic import AfterValidator, Field

from corpusmill.pipelines.stages.base import Stage, Transform
from corpusmill.pipelines.stages.quality.signals import SIGNALS, signals_of


def _is_known(name: str) -> str:
    if name not in SIGNALS:
        raise ValueError(f"unknown signal {name!r}; choose from {', '.join(SIGNALS)}")
    return name


class Measure(Stage):
    """Add signals to each document. They are defined in `corpusmill.pipelines.stages.quality.signals`."""

    version: ClassVar[int] = 1
    depends: ClassVar[tuple[str, ...]] = ("pyarrow",)
    """Its regular expressions decide which characters are Unicode letters."""

    signals: tuple[Annotated[str, AfterValidator(_is_known)], ...] = Field(default=tuple(SIGNALS))

    def adds(self) -> tuple[pa.Field, ...]:
        """Return a field for each signal."""
        return tuple(pa.field(name, SIGNALS[name]) for name in self.signals)

    def build(self) -> Transform:
        """Return the function, which reads `text` only."""

        def transform(batch: pa.RecordBatch) -> pa.RecordBatch:
            for name, values in signals_of(batch.column("text"), self.signals).items():
                batch = batch.append_column(name, values)
            return batch

        return transform

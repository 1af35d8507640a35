"""Stages and loaders as another distribution would bring them, with every kind of parameter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from corpusmill.pipelines.stages.base import Stage, Transform


class Bounds(BaseModel):
    """Least and greatest value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lowest: int = 0
    highest: int | None = None


class Mark(Stage):
    """Leave documents as they are."""

    mode: Literal["fast", "slow"] = "fast"
    languages: tuple[str, ...] = ("en",)
    threshold: float = Field(default=0.5, ge=0, le=1)
    bounds: Bounds = Bounds()
    into: str | None = None

    def build(self) -> Transform:
        """Give the function."""
        return lambda batch: batch


class Lines(BaseModel):
    """One document a line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text_field: str = "text"
    encoding: Literal["utf-8", "latin-1"] = "utf-8"

    def read(self, path: str) -> Iterator[pa.RecordBatch]:
        """Give nothing: recipes are only read here."""
        yield from ()


class Plain(BaseModel):
    """One document a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

"""Normalization: one spelling for one text. `stage` holds the stage, the other modules its operations."""

from corpusmill.pipelines.stages.normalize.stage import Normalize

__all__ = ["Normalize"]

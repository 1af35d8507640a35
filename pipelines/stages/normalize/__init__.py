"""Normalization: one spelling per text. `stage` contains the stage, the other modules contain its operations."""

from corpusmill.pipelines.stages.normalize.stage import Normalize

__all__ = ["Normalize"]

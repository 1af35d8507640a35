"""Detect and mask personal data. The stage is in `stage`; the kinds of data are in `schemas.personal_data`."""

from corpusmill.pipelines.stages.pii.mask import mask, mask_column
from corpusmill.pipelines.stages.pii.stage import Pii

__all__ = ["Pii", "mask", "mask_column"]

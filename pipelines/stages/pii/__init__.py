"""Personal data: finding it, masking it. `stage` holds the stage, the other modules one kind of data each."""

from corpusmill.pipelines.stages.pii.mask import mask, mask_column
from corpusmill.pipelines.stages.pii.stage import Pii

__all__ = ["Pii", "mask", "mask_column"]

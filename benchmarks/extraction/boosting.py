"""Gradient boosting of oblivious trees (CatBoost), and the conversion of trees to the arrays of the reader."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from catboost import CatBoostClassifier, Pool

from benchmarks.extraction.gold import Array
from corpusmill.pipelines.stages.extract.model_file import UNITS, Stage

DEPTH: Final = 6
SETTINGS: Final[dict[str, Any]] = {
    "loss_function": "CrossEntropy",
    "depth": DEPTH,
    "border_count": 64,
    "l2_leaf_reg": 6,
    "bootstrap_type": "Bernoulli",
    "subsample": 0.6,
    "rsm": 0.3,
    "random_strength": 1,
    "random_seed": 7,
    "thread_count": 1,
    "verbose": False,
    "allow_writing_files": False,
}
_NEVER: Final = 3e38
"""A border above every feature value, which pads trees with fewer levels."""


def boosted(columns: Array, share: Array, weight: Array, *, trees: int, rate: float) -> CatBoostClassifier:
    """Train a model that predicts the *share* of main text of each row of *columns*."""
    model = CatBoostClassifier(**SETTINGS, iterations=trees, learning_rate=rate)
    model.fit(Pool(columns, label=share, weight=weight))
    return model


def scores(model: CatBoostClassifier, columns: Array) -> Array:
    """Return the log odds of each row in the units of the reader, int32."""
    odds = model.predict(columns, prediction_type="RawFormulaVal")
    return np.round(np.asarray(odds) * UNITS).astype("<i4")


def stage_of(model: CatBoostClassifier) -> Stage:
    """Return the trees of *model* as arrays."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.json"
        model.save_model(str(file), format="json")
        saved = json.loads(file.read_text())
    scale, bias = saved["scale_and_bias"]
    columns = [feature["flat_feature_index"] for feature in saved["features_info"]["float_features"]]
    features: list[int] = []
    borders: list[float] = []
    leaves: list[int] = []
    for tree in saved["oblivious_trees"]:
        splits = tree["splits"] or []
        missing = DEPTH - len(splits)
        features += [columns[split["float_feature_index"]] for split in splits] + [0] * missing
        borders += [split["border"] for split in splits] + [_NEVER] * missing
        values = [round(value * scale * UNITS) for value in tree["leaf_values"]]
        leaves += values + [0] * ((1 << DEPTH) - len(values))
    start = bias[0] if isinstance(bias, list) else bias
    arrays = (np.array(features, "<i4"), np.array(borders, "<f4"), np.array(leaves, "<i4"))
    first, second, third = (array.tobytes() for array in arrays)
    return DEPTH, round(start * UNITS), first, second, third


def mean_of(stages: Sequence[Stage]) -> Stage:
    """Return a stage whose scores are the mean of the scores of *stages*: all their trees, with smaller leaves."""
    features, borders = (b"".join(stage[part] for stage in stages) for part in (2, 3))
    leaves = np.concatenate([np.frombuffer(stage[4], "<i4") for stage in stages])
    mean = np.round(leaves / len(stages)).astype("<i4")
    return DEPTH, round(sum(stage[1] for stage in stages) / len(stages)), features, borders, mean.tobytes()


def tempered(stage: Stage, share: float) -> Stage:
    """Return *stage* with its scores multiplied by *share*, which makes it less confident."""
    depth, bias, features, borders, leaves = stage
    smaller = np.round(np.frombuffer(leaves, "<i4") * share).astype("<i4")
    return depth, round(bias * share), features, borders, smaller.tobytes()

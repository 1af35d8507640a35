"""Compare signals with bounds, without reading texts."""

# ruff: noqa: N803, N806 (arrays carry their shape as a suffix)
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.stages.base import Stage, Transform, reject
from corpusmill.pipelines.stages.quality.profiles import Rule

JUDGEMENT: Final = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("min", pa.float64()),
        pa.field("max", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("passed", pa.bool_(), nullable=False),
    ]
)
"""The result of every rule on every document. `row` numbers documents from 0; `threshold` is the violated bound."""


class Judge(Stage):
    """Reject a document at the first rule that it does not pass."""

    version: ClassVar[int] = 1

    limits: tuple[Rule, ...]

    def reads(self) -> tuple[str, ...]:
        """Return the signals that are judged."""
        return tuple(dict.fromkeys(rule.signal for rule in self.limits))

    def rules(self) -> tuple[str, ...]:
        """Return the rules, in order."""
        return tuple(rule.name for rule in self.limits)

    def build(self) -> Transform:
        """Return the function, which reads the signals only."""

        def transform(batch: pa.RecordBatch) -> pa.RecordBatch:
            return _with_verdicts(batch, self.limits)

        return transform


def judge_all(signals: pa.RecordBatch | pa.Table, rules: Sequence[Rule]) -> pa.Table:
    """Apply all *rules* to every document, using stored signals only.

    Args:
        signals: One column per signal, one row per document; other columns are ignored.
        rules: Rules whose signal has no column are skipped.

    Returns:
        The columns of `JUDGEMENT`, with the rules of each document together and in order. A null value passes.
    """
    known = [rule for rule in rules if rule.signal in signals.schema.names]
    values_DR = _values(signals, known)
    low_DR, high_DR = _beyond(values_DR, known)
    lows, highs = _bounds(known)
    documents = len(values_DR)
    threshold_DR = np.where(low_DR, lows, np.where(high_DR, highs, np.nan))
    return pa.table(
        [
            pa.array(np.repeat(np.arange(documents), len(known)), pa.int64()),
            pa.array([rule.name for rule in known] * documents, pa.string()),
            pa.array(values_DR.ravel(), from_pandas=True),
            pa.array([rule.min for rule in known] * documents, pa.float64()),
            pa.array([rule.max for rule in known] * documents, pa.float64()),
            pa.array(threshold_DR.ravel(), from_pandas=True),
            pa.array(~(low_DR | high_DR).ravel()),
        ],
        schema=JUDGEMENT,
    )


def _with_verdicts(batch: pa.RecordBatch, rules: Sequence[Rule]) -> pa.RecordBatch:
    if not rules or not batch.num_rows:
        return batch
    values_DR = _values(batch, rules)
    low_DR, high_DR = _beyond(values_DR, rules)
    fails_DR = low_DR | high_DR
    first_D = fails_DR.argmax(axis=1)
    row_D = np.arange(len(first_D))
    lows, highs = _bounds(rules)
    return reject(
        batch,
        fails_DR.any(axis=1),
        rule=pc.take(pa.array([rule.name for rule in rules]), pa.array(first_D)),
        value=values_DR[row_D, first_D],
        threshold=np.where(low_DR[row_D, first_D], lows[first_D], highs[first_D]),
    )


def _values(signals: pa.RecordBatch | pa.Table, rules: Sequence[Rule]) -> npt.NDArray[np.float64]:
    """Return the signals of the rules, shape (D, R); null becomes NaN."""
    columns = [
        np.asarray(signals.column(rule.signal).cast(pa.float64()).to_numpy(zero_copy_only=False)) for rule in rules
    ]
    return np.stack(columns, axis=1) if columns else np.zeros((signals.num_rows, 0))


def _bounds(rules: Sequence[Rule]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    lows = [-np.inf if rule.min is None else rule.min for rule in rules]
    highs = [np.inf if rule.max is None else rule.max for rule in rules]
    return np.array(lows, np.float64), np.array(highs, np.float64)


def _beyond(values_DR: npt.NDArray[np.float64], rules: Sequence[Rule]) -> tuple[Any, Any]:
    """Return which values lie below and above the bounds. NaN violates no bound."""
    lows, highs = _bounds(rules)
    return values_DR < lows, values_DR > highs

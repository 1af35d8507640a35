"""Operations on a column of texts, applied until nothing changes.

Each operation has a pattern, and texts without a match are left unchanged. The scan is compiled (RE2, about 500 MB/s),
so a clean text costs a few microseconds, however expensive the repair is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Rewrite: TypeAlias = Callable[[pa.StringArray], pa.StringArray]
Bytes: TypeAlias = npt.NDArray[np.int64]

MAX_PASSES: Final = 16
"""Maximum number of passes. No known input needs more than four; the bound keeps a table error from hanging a
worker."""


@dataclass(frozen=True)
class Operation:
    """A rewriting of texts.

    Args:
        scan: RE2 pattern. *rewrite* receives only the texts that match it.
        rewrite: Returns a text for each text. It must not depend on neighboring texts in the column.
        ascii: Whether texts of ASCII characters alone can match.
    """

    scan: str
    rewrite: Rewrite
    ascii: bool


@dataclass(frozen=True)
class Settled:
    """Rewritten texts, with the UTF-8 bytes that operations added to and cut from each (net per operation)."""

    texts: pa.StringArray
    added: Bytes
    cut: Bytes


def substitution(pattern: str, replacement: str) -> Rewrite:
    """Return a rewrite that replaces each match of the RE2 *pattern*."""

    def rewrite(texts: pa.StringArray) -> pa.StringArray:
        return pc.replace_substring_regex(texts, pattern, replacement)

    return rewrite


def in_turn(*rewrites: Rewrite) -> Rewrite:
    """Return a rewrite that applies *rewrites* in order."""

    def rewrite(texts: pa.StringArray) -> pa.StringArray:
        for one in rewrites:
            texts = one(texts)
        return texts

    return rewrite


def settle(texts: pa.StringArray, operations: Sequence[Operation]) -> Settled:
    """Apply *operations* in order, repeatedly, to the texts that changed, until none changes.

    The output of one operation can be input for an earlier one: a zero-width space can hide a combining mark. Only the
    fixed point makes normalizing twice the same as normalizing once.
    """
    state = Settled(texts, np.zeros(len(texts), np.int64), np.zeros(len(texts), np.int64))
    is_ascii = _is_ascii(texts)
    everywhere = [operation for operation in operations if operation.ascii]
    state = _settle_where(state, is_ascii, everywhere)
    return _settle_where(state, ~is_ascii, operations)


def _settle_where(state: Settled, rows: npt.NDArray[np.bool_], operations: Sequence[Operation]) -> Settled:
    for _ in range(MAX_PASSES):
        if not rows.any():
            break
        before = state.texts.filter(pa.array(rows))
        after = _one_pass(before, operations)
        if after.texts is before:
            break
        state.added[rows] += after.added
        state.cut[rows] += after.cut
        state = Settled(_scatter(state.texts, rows, after.texts), state.added, state.cut)
        rows = rows.copy()
        rows[rows] = pc.not_equal(before, after.texts).to_numpy(zero_copy_only=False)
    return state


def _one_pass(texts: pa.StringArray, operations: Sequence[Operation]) -> Settled:
    added = np.zeros(len(texts), np.int64)
    cut = np.zeros(len(texts), np.int64)
    for operation in operations:
        hits = pc.match_substring_regex(texts, operation.scan).to_numpy(zero_copy_only=False)
        if not hits.any():
            continue
        before = texts.filter(pa.array(hits))
        after = operation.rewrite(before)
        grown = _sizes(after) - _sizes(before)
        added[hits] += np.maximum(grown, 0)
        cut[hits] += np.maximum(-grown, 0)
        texts = _scatter(texts, hits, after)
    return Settled(texts, added, cut)


def _is_ascii(texts: pa.StringArray) -> npt.NDArray[np.bool_]:
    flags = pc.call_function("string_is_ascii", [texts])
    return np.asarray(flags.to_numpy(zero_copy_only=False), np.bool_)


def _sizes(texts: pa.StringArray) -> Bytes:
    return np.asarray(pc.binary_length(texts), np.int64)


def _scatter(texts: pa.StringArray, rows: npt.NDArray[np.bool_], new: pa.StringArray) -> pa.StringArray:
    return new if rows.all() else pc.replace_with_mask(texts, pa.array(rows), new)

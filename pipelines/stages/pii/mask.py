"""Masking of personal data in texts and in columns of texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.stages.pii.card import CARD
from pipelines.stages.pii.email import EMAIL
from pipelines.stages.pii.ip import IP
from pipelines.stages.pii.kinds import Kind

KINDS: Final = {kind.name: kind for kind in (EMAIL, IP, CARD)}
"""In the order in which they are masked."""

Counts: TypeAlias = dict[str, npt.NDArray[np.int64]]
"""By the name of a kind: how many each text has."""


@dataclass(frozen=True)
class Masked:
    """Texts with placeholders, and for each kind how many each text got."""

    texts: pa.StringArray
    counts: Counts


def mask(text: str, kinds: Iterable[str] = tuple(KINDS)) -> str:
    """Give *text* with a placeholder for all personal data of *kinds*; masking again changes nothing.

    >>> mask("Write to jane@example.org, not to 10.0.0.1.")
    'Write to <EMAIL>, not to 10.0.0.1.'
    """
    return masked(text, in_order(kinds))[0]


def mask_column(texts: pa.StringArray, kinds: Iterable[str] = tuple(KINDS)) -> pa.StringArray:
    """Give *texts* with placeholders; nulls stay."""
    return find(texts, in_order(kinds)).texts


def in_order(kinds: Iterable[str]) -> tuple[Kind, ...]:
    """Give the kinds called *kinds*, in the order in which they are masked."""
    wanted = frozenset(kinds)
    return tuple(kind for kind in KINDS.values() if kind.name in wanted)


def masked(text: str, kinds: tuple[Kind, ...]) -> tuple[str, dict[str, int]]:
    """Give *text* with placeholders, and their number by kind.

    A placeholder can uncover what was no address beside the data it stands for, so this goes on until nothing is found.
    """
    counts = dict.fromkeys((kind.name for kind in kinds), 0)
    found = True
    while found:
        found = False
        for kind in kinds:
            text, count = kind.masked(text)
            counts[kind.name] += count
            found = found or count > 0
    return text, counts


def find(texts: pa.StringArray, kinds: tuple[Kind, ...]) -> Masked:
    """Mask all of *texts*; Python sees only those in which a scan of a kind matches."""
    counts = {kind.name: np.zeros(len(texts), np.int64) for kind in kinds}
    hits = np.zeros(len(texts), np.bool_)
    for kind in kinds:
        hits |= pc.fill_null(pc.match_substring_regex(texts, kind.scan), False).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(hits)
    if not len(rows):
        return Masked(texts, counts)
    results = [masked(text, kinds) for text in texts.take(pa.array(rows)).to_pylist()]
    for name, column in counts.items():
        column[rows] = [found[name] for _, found in results]
    new = pa.array([text for text, _ in results], pa.string())
    return Masked(pc.replace_with_mask(texts, pa.array(hits), new), counts)

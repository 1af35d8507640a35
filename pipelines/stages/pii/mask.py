"""Masking of personal data in texts and in columns of texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.stages.pii.card import CARD
from corpusmill.pipelines.stages.pii.email import EMAIL
from corpusmill.pipelines.stages.pii.ip import IP
from corpusmill.pipelines.stages.pii.kinds import Kind

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
    """Mask all of *texts*; Python sees only those in which a scan matches, and looks only for what was scanned.

    That is the same as looking for all: a placeholder is not what a scan of another kind looks for.
    """
    counts = {kind.name: np.zeros(len(texts), np.int64) for kind in kinds}
    hits = np.zeros((len(kinds), len(texts)), np.bool_)
    for number, kind in enumerate(kinds):
        hits[number] = pc.fill_null(pc.match_substring_regex(texts, kind.scan), False).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(hits.any(axis=0))
    if not len(rows):
        return Masked(texts, counts)
    new = []
    for row, text in zip(rows, texts.take(pa.array(rows)).to_pylist(), strict=True):
        text, found = masked(text, tuple(kind for kind, hit in zip(kinds, hits[:, row], strict=True) if hit))
        new.append(text)
        for name, count in found.items():
            counts[name][row] = count
    return Masked(pc.replace_with_mask(texts, pa.array(hits.any(axis=0)), pa.array(new, pa.string())), counts)

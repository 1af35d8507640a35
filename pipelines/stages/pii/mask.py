"""Mask personal data in texts and in columns of texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.schemas.personal_data.card import CARD
from corpusmill.schemas.personal_data.email import EMAIL
from corpusmill.schemas.personal_data.ip import IP
from corpusmill.schemas.personal_data.kinds import Kind

KINDS: Final = {kind.name: kind for kind in (EMAIL, IP, CARD)}
"""Kinds, in the order in which they are masked."""

Counts: TypeAlias = dict[str, npt.NDArray[np.int64]]
"""Numbers of items in each text, by the name of the kind."""


@dataclass(frozen=True)
class Masked:
    """Texts with placeholders, and the numbers of placeholders of each kind in each text."""

    texts: pa.StringArray
    counts: Counts


def mask(text: str, kinds: Iterable[str] = tuple(KINDS)) -> str:
    """Replace all personal data of *kinds* in *text* with placeholders. Masking again changes nothing.

    >>> mask("Write to jane@example.org, not to 10.0.0.1.")
    'Write to <EMAIL>, not to 10.0.0.1.'
    """
    return masked(text, in_order(kinds))[0]


def mask_column(texts: pa.StringArray, kinds: Iterable[str] = tuple(KINDS)) -> pa.StringArray:
    """Return *texts* with placeholders; nulls stay."""
    return mask_and_count(texts, in_order(kinds)).texts


def in_order(kinds: Iterable[str]) -> tuple[Kind, ...]:
    """Return the kinds with the names *kinds*, in the order in which they are masked."""
    names = frozenset(kinds)
    return tuple(kind for kind in KINDS.values() if kind.name in names)


def masked(text: str, kinds: tuple[Kind, ...]) -> tuple[str, dict[str, int]]:
    """Return *text* with placeholders, and their number by kind.

    A placeholder can make the text beside it match, so masking is repeated until nothing changes.
    """
    counts = dict.fromkeys((kind.name for kind in kinds), 0)
    has_changed = True
    while has_changed:
        has_changed = False
        for kind in kinds:
            text, count = kind.masked(text)
            counts[kind.name] += count
            has_changed = has_changed or count > 0
    return text, counts


def mask_and_count(texts: pa.StringArray, kinds: tuple[Kind, ...]) -> Masked:
    """Mask *texts* and count the items of each kind.

    Python processes only texts that a scan matches, and only for the kinds whose scan matches. The result is the same
    as for all kinds, because a placeholder never matches a scan of another kind.
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
        text, numbers = masked(text, tuple(kind for kind, hit in zip(kinds, hits[:, row], strict=True) if hit))
        new.append(text)
        for name, count in numbers.items():
            counts[name][row] = count
    return Masked(pc.replace_with_mask(texts, pa.array(hits.any(axis=0)), pa.array(new, pa.string())), counts)

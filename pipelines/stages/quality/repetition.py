"""Repeated n-grams of words within documents, exactly and without a loop over words.

An n-gram can occur twice only where both (n-1)-grams in it do, so each length looks at what is left of the one before.
Occurrences are grouped by the pair of the groups of those two: no hash, no false match.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from corpusmill.pipelines.stages.quality.words import Integers, Words


@dataclass(frozen=True)
class Repeats:
    """The occurrences of the n-grams that occur at least twice in their document, in the order of the text.

    Args:
        n: Words in an n-gram.
        at: Number of the first word, ascending.
        group: Equal for equal n-grams of one document; ascending with the document.
        by_group: Positions in `at` sorted by (group, at).
        first: Position in `by_group` where each group begins.
    """

    n: int
    at: Integers
    group: Integers
    by_group: Integers
    first: Integers


def repeats(words: Words, longest: int) -> Iterator[Repeats]:
    """Give the repeated n-grams of each length from 1 to *longest*; later ones are empty when one is."""
    every = np.arange(len(words.id_W))
    found = _grouped(1, every, words.document_W * len(words.different) + words.id_W)
    yield found
    for _ in range(2, longest + 1):
        found = _longer(found)
        yield found


def _longer(shorter: Repeats) -> Repeats:
    """Give the repeats that are one word longer.

    A pair across the end of a document needs no check: its groups belong to two documents, so it occurs once.
    """
    at, group = shorter.at, shorter.group
    place = np.flatnonzero(np.diff(at) == 1)
    return _grouped(shorter.n + 1, at[place], group[place] * (len(shorter.first) + 1) + group[place + 1])


def _grouped(n: int, at: Integers, key: Integers) -> Repeats:
    """Keep the positions whose *key* occurs at least twice, numbered by key."""
    order = sorted_order(key)
    begins = np.ones(len(order), np.bool_)
    begins[1:] = np.diff(key[order]) != 0
    first = np.flatnonzero(begins)
    sizes = np.diff(np.append(first, len(order)))
    is_repeated = np.repeat(sizes > 1, sizes)
    group = np.full(len(key), -1)
    group[order[is_repeated]] = np.repeat(np.arange((sizes > 1).sum()), sizes[sizes > 1])
    kept = group >= 0
    place = np.cumsum(kept) - 1
    counts = sizes[sizes > 1]
    return Repeats(n, at[kept], group[kept], place[order[is_repeated]], np.cumsum(counts) - counts)


def sorted_order(key: Integers) -> Integers:
    """Give the stable order of *key* (0 or more).

    Key and position in one 64-bit number sort several times faster than an argsort, where they fit.
    """
    if not len(key):
        return np.zeros(0, np.int64)
    bits = max(1, int(len(key) - 1).bit_length())
    if int(key.max()).bit_length() + bits > 63:
        return np.argsort(key, kind="stable")
    return np.sort(key << bits | np.arange(len(key))) & ((1 << bits) - 1)


def covered_by_all(found: Repeats, words: Words) -> Integers:
    """Give, for each document, the characters of the words that lie in any of *found*, each once; shape ``(D,)``."""
    until = np.zeros(len(found.at), np.int64)
    until[1:] = found.at[:-1] + found.n
    chars = _new_chars(found.at, until, found.n, words)
    return _sum_by_document(chars, found.at, words)


def covered_by_top(found: Repeats, words: Words) -> Integers:
    """Give, for each document, the characters in occurrences of its most frequent n-gram, each once; shape ``(D,)``.

    Of several equally frequent ones the one that covers most; 0 where nothing occurs twice.
    """
    top = np.zeros(words.documents, np.int64)
    if not len(found.at):
        return top
    at = found.at[found.by_group]
    until = np.zeros(len(at), np.int64)
    until[1:] = at[:-1] + found.n
    until[found.first] = 0
    covered = np.add.reduceat(_new_chars(at, until, found.n, words), found.first)
    counts = np.diff(np.append(found.first, len(at)))
    scale = int(covered.max()) + 1
    np.maximum.at(top, words.document_W[at[found.first]], counts * scale + covered)
    return top % scale


def _new_chars(at: Integers, until: Integers, n: int, words: Words) -> Integers:
    """Give the characters of each occurrence behind the word *until*, up to which the ones before it reach."""
    return words.chars_before[at + n] - words.chars_before[np.maximum(at, until)]


def _sum_by_document(values: Integers, at: Integers, words: Words) -> Integers:
    sums = np.zeros(words.documents, np.int64)
    np.add.at(sums, words.document_W[at], values)
    return sums

"""Find repeated n-grams of words within documents, exactly and without a loop over words.

An n-gram can only occur twice if both of its (n-1)-grams do, so each length searches only the repeats of the previous
length. Occurrences are grouped by the groups of their two (n-1)-grams, without hashes and therefore without false
matches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from corpusmill.pipelines.stages.quality.words import Integers, Words


@dataclass(frozen=True)
class Repeats:
    """The occurrences of n-grams that occur at least twice in their document, in text order.

    Args:
        n: Words per n-gram.
        at: Number of the first word, ascending.
        group: Equal for equal n-grams of one document; ascending with the document.
        by_group: Indexes into `at`, sorted by (group, at).
        first: Index into `by_group` at which each group begins.
    """

    n: int
    at: Integers
    group: Integers
    by_group: Integers
    first: Integers


def repeats(words: Words, longest: int) -> Iterator[Repeats]:
    """Yield the repeated n-grams of each length from 1 to *longest*.

    Once one length has none, longer ones have none.
    """
    every = np.arange(len(words.id_W))
    ngrams = _grouped(1, every, words.document_W * len(words.different) + words.id_W)
    yield ngrams
    for _ in range(2, longest + 1):
        ngrams = _longer(ngrams)
        yield ngrams


def _longer(shorter: Repeats) -> Repeats:
    """Return the repeats that are one word longer.

    Pairs across the end of a document need no check: their groups belong to two documents, so they occur only once.
    """
    at, group = shorter.at, shorter.group
    place = np.flatnonzero(np.diff(at) == 1)
    return _grouped(shorter.n + 1, at[place], group[place] * (len(shorter.first) + 1) + group[place + 1])


def _grouped(n: int, at: Integers, key: Integers) -> Repeats:
    """Keep the positions whose *key* occurs at least twice, and number them by key."""
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
    """Return the stable sort order of *key* (values of at least 0).

    If key and position fit into one 64-bit number, sorting such numbers is several times faster than an argsort.
    """
    if not len(key):
        return np.zeros(0, np.int64)
    bits = max(1, int(len(key) - 1).bit_length())
    if int(key.max()).bit_length() + bits > 63:
        return np.argsort(key, kind="stable")
    return np.sort(key << bits | np.arange(len(key))) & ((1 << bits) - 1)


def covered_by_all(ngrams: Repeats, words: Words) -> Integers:
    """Return, for each document, the characters of the words in any of *ngrams*, each counted once; shape ``(D,)``."""
    until = np.zeros(len(ngrams.at), np.int64)
    until[1:] = ngrams.at[:-1] + ngrams.n
    chars = _new_chars(ngrams.at, until, ngrams.n, words)
    return _sum_by_document(chars, ngrams.at, words)


def covered_by_top(ngrams: Repeats, words: Words) -> Integers:
    """Return, for each document, the characters in occurrences of its most frequent n-gram; shape ``(D,)``.

    Each character counts once. Of equally frequent n-grams, the one with the most characters counts; 0 if none repeats.
    """
    top = np.zeros(words.documents, np.int64)
    if not len(ngrams.at):
        return top
    at = ngrams.at[ngrams.by_group]
    until = np.zeros(len(at), np.int64)
    until[1:] = at[:-1] + ngrams.n
    until[ngrams.first] = 0
    covered = np.add.reduceat(_new_chars(at, until, ngrams.n, words), ngrams.first)
    counts = np.diff(np.append(ngrams.first, len(at)))
    scale = int(covered.max()) + 1
    np.maximum.at(top, words.document_W[at[ngrams.first]], counts * scale + covered)
    return top % scale


def _new_chars(at: Integers, until: Integers, n: int, words: Words) -> Integers:
    """Return the characters of each occurrence after the word *until*, which earlier occurrences already cover."""
    return words.chars_before[at + n] - words.chars_before[np.maximum(at, until)]


def _sum_by_document(values: Integers, at: Integers, words: Words) -> Integers:
    sums = np.zeros(words.documents, np.int64)
    np.add.at(sums, words.document_W[at], values)
    return sums

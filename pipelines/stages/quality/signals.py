"""The signals: definitions and implementation.

All follow Rae et al. 2021, *Scaling Language Models: Methods, Analysis & Insights from Training Gopher*,
arXiv:2112.11446, appendix A1.1 ("Quality Filtering", "Repetition Removal"). Choices that the paper leaves open are
recorded here. Words, lines, paragraphs and characters are those of `quality.words`. All signals of a document without
words are 0.

| signal | definition |
|---|---|
| `gopher.word_count` | words |
| `gopher.mean_word_length` | characters / words |
| `gopher.symbol_ratio` | the larger of: `#` characters / words; ellipses / words. An ellipsis is `…` or `...` |
| `gopher.bullet_lines` | lines whose first character is one of `BULLETS` / lines |
| `gopher.ellipsis_lines` | lines that end with an ellipsis / lines |
| `gopher.alphabetic_words` | words with at least one letter (Unicode category L) / words |
| `gopher.stop_words` | distinct words of `STOP_WORDS`, compared in lower case without surrounding punctuation |
| `gopher.duplicate_lines` | lines equal to an earlier line of the document / lines |
| `gopher.duplicate_line_characters` | characters of those lines / characters |
| `gopher.duplicate_paragraphs` | paragraphs equal to an earlier paragraph / paragraphs |
| `gopher.duplicate_paragraph_characters` | characters of those paragraphs / characters |
| `gopher.top_N_gram` (N 2 … 4) | characters in the occurrences of the most frequent N-gram / characters; \
0 if none repeats; of equally frequent N-grams the one with most characters; each character counts once |
| `gopher.duplicate_N_grams` (N 5 … 10) | characters in all occurrences of the N-grams that occur at least twice / \
characters; each character counts once |
"""

# ruff: noqa: N803, N806 (arrays carry their shape as a suffix)
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.stages.quality.repetition import covered_by_all, covered_by_top, repeats, sorted_order
from corpusmill.pipelines.stages.quality.words import Integers, Mask, Segments, Words, running, words_of

Numbers: TypeAlias = npt.NDArray[np.int64] | npt.NDArray[np.float64]
Values: TypeAlias = dict[str, Numbers]

STOP_WORDS: Final = ("the", "be", "to", "of", "and", "that", "have", "with")
"""The list of the paper."""
BULLETS: Final = "•‣◦▪▫●○■□▶*-"
"""Characters with which list items on web pages begin; the paper only says "bullet point"."""
PUNCTUATION: Final = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~“”‘’«»…–—"
TOP_GRAMS: Final = (2, 3, 4)
DUPLICATE_GRAMS: Final = (5, 6, 7, 8, 9, 10)
CHUNK_BYTES: Final = 4_000_000
"""UTF-8 bytes of text to measure at once; the arrays take about 30 times as much."""

SIGNALS: Final[Mapping[str, pa.DataType]] = MappingProxyType(
    {
        "gopher.word_count": pa.int64(),
        "gopher.mean_word_length": pa.float64(),
        "gopher.symbol_ratio": pa.float64(),
        "gopher.bullet_lines": pa.float64(),
        "gopher.ellipsis_lines": pa.float64(),
        "gopher.alphabetic_words": pa.float64(),
        "gopher.stop_words": pa.int64(),
        "gopher.duplicate_lines": pa.float64(),
        "gopher.duplicate_line_characters": pa.float64(),
        "gopher.duplicate_paragraphs": pa.float64(),
        "gopher.duplicate_paragraph_characters": pa.float64(),
        **{f"gopher.top_{n}_gram": pa.float64() for n in TOP_GRAMS},
        **{f"gopher.duplicate_{n}_grams": pa.float64() for n in DUPLICATE_GRAMS},
    }
)
"""All signals, and the types of their columns."""


def signals_of(text: pa.StringArray, names: Iterable[str] = SIGNALS) -> dict[str, pa.Array]:
    """Measure *names* on each document of *text*.

    >>> values = signals_of(pa.array(["To be, or not to be", ""]), ["gopher.word_count", "gopher.stop_words"])
    >>> {name: column.to_pylist() for name, column in values.items()}
    {'gopher.word_count': [6, 0], 'gopher.stop_words': [2, 0]}
    """
    names = tuple(names)
    parts = [_measured(words_of(part), names) for part in _chunks(text)]
    return {
        name: pa.array(np.concatenate([part[name] for part in parts]), SIGNALS[name])
        if parts
        else pa.array([], SIGNALS[name])
        for name in names
    }


def _chunks(text: pa.StringArray) -> Iterable[pa.StringArray]:
    """Cut *text* into runs of documents of about `CHUNK_BYTES`. No signal depends on where they are cut."""
    sizes = np.asarray(pc.fill_null(pc.binary_length(text), 0)).astype(np.int64)
    number = running(sizes)[:-1] // CHUNK_BYTES
    starts = np.flatnonzero(np.diff(number, prepend=-1)).tolist()
    return [text.slice(start, end - start) for start, end in pairwise([*starts, len(text)])]


def _measured(words: Words, names: tuple[str, ...]) -> Values:
    values: Values = {}
    for family, measure in _FAMILIES.items():
        if any(name in family for name in names):
            values.update(measure(words))
    return {name: values[name] for name in names}


def share(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return ``part / whole``, and 0 where *whole* is."""
    ratio: npt.NDArray[np.float64] = np.divide(part, whole, out=np.zeros(len(part), np.float64), where=whole != 0)
    return ratio


def _by_word(words: Words) -> Values:
    count = np.diff(words.offsets)

    def total(values_U: npt.NDArray[Any]) -> Integers:
        return np.diff(running(values_U[words.id_W].astype(np.int64))[words.offsets])

    hashes, ellipses = (total(_occurrences(words.different, symbols)) for symbols in (("#",), ("...", "…")))
    has_letter = np.asarray(pc.match_substring_regex(words.different, r"\pL"))
    return {
        "gopher.word_count": count,
        "gopher.mean_word_length": share(words.chars_D, count),
        "gopher.symbol_ratio": share(np.maximum(hashes, ellipses), count),
        "gopher.alphabetic_words": share(total(has_letter), count),
        "gopher.stop_words": _stop_words(words),
    }


def _occurrences(different: pa.StringArray, symbols: Iterable[str]) -> Integers:
    """Return how often any of *symbols* occurs in each word, without overlap."""
    counts = np.zeros(len(different), np.int64)
    for symbol in symbols:
        counts += np.asarray(pc.count_substring(different, symbol))
    return counts


def _stop_words(words: Words) -> Integers:
    bare = pc.ascii_lower(pc.utf8_trim(words.different, characters=PUNCTUATION))
    number_U = np.asarray(pc.fill_null(pc.index_in(bare, value_set=pa.array(STOP_WORDS)), -1))
    number_W = number_U[words.id_W]
    hit = number_W >= 0
    seen = np.zeros((words.documents, len(STOP_WORDS)), np.bool_)
    seen[words.document_W[hit], number_W[hit]] = True
    return np.asarray(seen.sum(axis=1), np.int64)


def _by_line(words: Words) -> Values:
    lines = words.lines
    bullet_U = np.asarray(pc.match_substring_regex(words.different, f"^[{BULLETS}]"))
    ellipsis_U = np.asarray(pc.or_(pc.ends_with(words.different, "..."), pc.ends_with(words.different, "…")))
    count = np.bincount(lines.document_S, minlength=words.documents)

    def lines_where(hit: Mask) -> Integers:
        return np.bincount(lines.document_S[hit], minlength=words.documents)

    return {
        "gopher.bullet_lines": share(lines_where(bullet_U[words.id_W[lines.starts_S]]), count),
        "gopher.ellipsis_lines": share(lines_where(ellipsis_U[words.id_W[lines.ends_S - 1]]), count),
    }


def _by_segment(words: Words) -> Values:
    values: Values = {}
    for name, segments in (("line", words.lines), ("paragraph", words.paragraphs)):
        again = _is_repetition(segments)
        copies = np.bincount(segments.document_S[again], minlength=words.documents)
        chars = np.zeros(words.documents, np.int64)
        np.add.at(chars, segments.document_S[again], segments.chars_S[again])
        values[f"gopher.duplicate_{name}s"] = share(copies, np.bincount(segments.document_S, minlength=words.documents))
        values[f"gopher.duplicate_{name}_characters"] = share(chars, words.chars_D)
    return values


def _is_repetition(segments: Segments) -> Mask:
    """Mark the segments that are equal to an earlier segment of their document."""
    key = segments.document_S * (len(segments.id_S) + 1) + segments.id_S
    order = sorted_order(key)
    again = np.zeros(len(key), np.bool_)
    again[order[1:]] = np.diff(key[order]) == 0
    return again


def _by_gram(words: Words) -> Values:
    values: Values = {}
    for repeated in repeats(words, DUPLICATE_GRAMS[-1]):
        if repeated.n in TOP_GRAMS:
            values[f"gopher.top_{repeated.n}_gram"] = share(covered_by_top(repeated, words), words.chars_D)
        elif repeated.n in DUPLICATE_GRAMS:
            values[f"gopher.duplicate_{repeated.n}_grams"] = share(covered_by_all(repeated, words), words.chars_D)
    return values


_FAMILIES: Final[Mapping[tuple[str, ...], Callable[[Words], Values]]] = {
    (
        "gopher.word_count",
        "gopher.mean_word_length",
        "gopher.symbol_ratio",
        "gopher.alphabetic_words",
        "gopher.stop_words",
    ): _by_word,
    ("gopher.bullet_lines", "gopher.ellipsis_lines"): _by_line,
    (
        "gopher.duplicate_lines",
        "gopher.duplicate_line_characters",
        "gopher.duplicate_paragraphs",
        "gopher.duplicate_paragraph_characters",
    ): _by_segment,
    (
        *(f"gopher.top_{n}_gram" for n in TOP_GRAMS),
        *(f"gopher.duplicate_{n}_grams" for n in DUPLICATE_GRAMS),
    ): _by_gram,
}
"""Groups of signals that are measured together, with their function."""

r"""The number of words of a text: matches of ``\w+``, as Python's `re` finds them on text."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_WORD: Final = r"[\p{L}\p{N}_]+"
"""``\\w+`` of Python's `re` on text, in the syntax of Arrow's RE2."""
_WORD_BYTES: Final = bytes(code < 128 and (chr(code).isalnum() or chr(code) == "_") for code in range(256))
"""For each byte, 1 if it is an ASCII letter, digit or underscore."""


def word_counts(texts: pa.StringArray) -> pa.Int64Array:
    """Return the number of words of each text, null for null.

    ASCII texts, which are most texts, are counted by their transitions from other bytes to letters, digits and
    underscores: RE2 takes seven times as long (measured on texts of 3 kB).

    >>> word_counts(pa.array(["a b-c", "", None, "née d'été"])).to_pylist()
    [3, 0, None, 3]
    """
    is_ascii = np.asarray(pc.fill_null(pc.string_is_ascii(texts), True))
    counts = _ascii_counts(texts)
    if not is_ascii.all():
        others = texts.filter(pa.array(~is_ascii))
        counts[~is_ascii] = np.asarray(pc.count_substring_regex(others, _WORD))
    return pa.array(counts, pa.int64(), mask=np.asarray(pc.is_null(texts)))


def _ascii_counts(texts: pa.StringArray) -> npt.NDArray[np.int64]:
    if not len(texts):
        return np.empty(0, np.int64)
    _, offset_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    data = bytes(memoryview(data_buffer or b"")[offsets[0] : offsets[-1]]).translate(_WORD_BYTES)
    offsets -= offsets[0]
    is_word = np.frombuffer(data, np.uint8)
    begins = np.empty(len(is_word), np.bool_)
    np.greater(is_word[1:], is_word[:-1], out=begins[1:])
    has_bytes = np.diff(offsets) > 0
    firsts = offsets[:-1][has_bytes]
    begins[firsts] = is_word[firsts] == 1
    counts = np.zeros(len(texts), np.int64)
    if len(firsts):
        counts[has_bytes] = np.add.reduceat(begins.view(np.uint8), firsts, dtype=np.int64)
    return counts

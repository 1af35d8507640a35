"""Samples for guessing an encoding: a bounded amount of text, without markup and scripts."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from corpusmill.schemas.decoding.declarations import end_of_raw

MAX_SAMPLE_BYTES: Final = 16_384
_MAX_PAGE_BYTES: Final = 4_000_000
_HIDDEN: Final = re.compile(rb"<(?:(!--)|(script|style|template|xmp|noembed|noframes)(?=[\s/>]))", re.IGNORECASE)
_MARKUP: Final = re.compile(rb"<[a-zA-Z/!?][^<>]*>?|&#?\w{1,32};")
_HIGH: Final = bytes(range(128, 256))
_CONTEXT: Final = 64
"""Bytes kept before and after each non-ASCII byte."""
_CUT: Final = re.compile(rb"[\x00-\x20]")


def sample(data: bytes) -> bytes:
    """Return at most `MAX_SAMPLE_BYTES` of *data*, taken from around its non-ASCII bytes.

    >>> len(sample(b"word " * 100_000 + b"caf\\xe9")) < 400
    True
    """
    if len(data) <= MAX_SAMPLE_BYTES or data.isascii():
        return data[:MAX_SAMPLE_BYTES]
    near = _near_high(data)
    if len(near) <= MAX_SAMPLE_BYTES:
        return near
    first = _CUT.search(near, MAX_SAMPLE_BYTES // 2, MAX_SAMPLE_BYTES)
    half = first.start() if first else MAX_SAMPLE_BYTES // 2
    middle = _CUT.search(near, len(near) // 2, len(near) // 2 + MAX_SAMPLE_BYTES)
    if middle is None:
        return near[:MAX_SAMPLE_BYTES]
    return near[:half] + near[middle.start() : middle.start() + MAX_SAMPLE_BYTES - half]


def _near_high(data: bytes) -> bytes:
    """Return the parts of *data* within `_CONTEXT` bytes of a non-ASCII byte, joined by spaces."""
    high = np.flatnonzero(np.frombuffer(data, np.uint8) > 127)
    ends = np.flatnonzero(np.diff(high) > 2 * _CONTEXT)
    firsts, lasts = high[np.r_[0, ends + 1]], high[np.r_[ends, -1]]
    edges = zip(np.maximum(firsts - _CONTEXT, 0).tolist(), (lasts + _CONTEXT + 1).tolist(), strict=True)
    return b" ".join(data[first:last] for first, last in edges)


def page_sample(data: bytes) -> bytes:
    """Return a sample of the text of a page, or of its attributes or scripts if only they have non-ASCII bytes.

    >>> page_sample(b"<p title='x'>caf\\xe9<script>var a = 1</script> cr\\xe8me")
    b' caf\\xe9  cr\\xe8me'
    """
    data = data[:_MAX_PAGE_BYTES]
    for text in (_MARKUP.sub(b" ", without_raw(data)), without_raw(data), data):
        if len(text) != len(text.translate(None, _HIGH)):
            return sample(text)
    return data[:MAX_SAMPLE_BYTES]


def without_raw(data: bytes) -> bytes:
    """Return *data* without comments, scripts and styles."""
    pieces, position = [], 0
    while tag := _HIDDEN.search(data, position):
        pieces.append(data[position : tag.start()])
        position = end_of_raw(data, tag.end(), tag[2])
    return b"".join((*pieces, data[position:]))

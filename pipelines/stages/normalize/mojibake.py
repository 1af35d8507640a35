"""Texts that were decoded with the wrong encoding, repaired by ftfy, but only in lines that look like it.

ftfy decides with a regular expression whether a text looks wrong. Python needs 1.7 ms for it on a page of 4 kB; the
same expression compiled by RE2 needs 9 µs and gives the same answer. ftfy is imported in functions: reading a recipe
does not need it.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.stages.normalize.operations import Operation

MAX_LINE_BYTES: Final = 100_000
"""A longer line is left as it is: ftfy tries every encoding on it, which takes seconds for a megabyte."""


def mojibake() -> Operation:
    """Repair lines that look like text in UTF-8 that was decoded as something else."""
    scan = suspicious()

    def rewrite(texts: pa.StringArray) -> pa.StringArray:
        lines = pc.split_pattern(texts, "\n")
        return pc.binary_join(pa.ListArray.from_arrays(lines.offsets, _repaired(lines.values, scan)), "\n")

    return Operation(scan, rewrite, ascii=False)


def _repaired(lines: pa.StringArray, scan: str) -> pa.StringArray:
    from ftfy import fix_encoding

    short = pc.less_equal(pc.binary_length(lines), MAX_LINE_BYTES)
    hits = pc.and_(short, pc.match_substring_regex(lines, scan))
    fixed = [fix_encoding(line).replace("\n", " ") for line in lines.filter(hits).to_pylist()]
    return pc.replace_with_mask(lines, hits, pa.array(fixed, pa.string()))


def suspicious() -> str:
    """Give ftfy's own pattern for what looks wrong (`ftfy.badness`) in RE2's syntax, line by line.

    Python writes it verbosely and with classes of Unicode characters; RE2 knows neither white space nor comments in a
    pattern, and its ``\\w`` and ``\\s`` are ASCII.
    """
    from ftfy.badness import BADNESS_RE

    compact = _without_comments(BADNESS_RE.pattern)
    return "(?m)" + compact.replace(r"\w", r"[\p{L}\p{N}_]").replace(r"\s", r"[\s\x0B\x1C-\x1F\x{85}\p{Z}]")


def _without_comments(pattern: str) -> str:
    parts: list[str] = []
    in_class = False
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if not in_class and character == "#":
            at = pattern.index("\n", at)
        elif character == "\\":
            parts.append(pattern[at : at + 2])
            at += 1
        elif in_class or not character.isspace():
            parts.append(character)
            in_class = character == "[" if not in_class else character != "]"
        at += 1
    return "".join(parts)

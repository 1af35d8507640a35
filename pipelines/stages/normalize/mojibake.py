"""Texts that were decoded with the wrong encoding, repaired by ftfy, but only in lines that look like it.

ftfy decides with a regular expression whether a text looks wrong. Python needs 1.7 ms for it on a page of 4 kB; the
same expression compiled by RE2 needs 9 µs and gives the same answer. ftfy is imported in functions: reading a recipe
does not need it.

ftfy also takes a right letter for a wrong one: ``Ã`` between two spaces for ``à`` whose second byte became a space, and
``Ã”`` for ``Ô`` although the quotation may end there. UTF-8 has no character of a byte from 0xC2 and a space (RFC 3629,
section 3), so a letter that ends a word (`_LONE`) proves nothing by itself. It is repaired where something else does:

- its line, read as UTF-8 again, is right as a whole, and it or another line of the text has a sequence that no writing
  system has;
- otherwise it stays, and what is wrong around it is repaired without it.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.stages.normalize.operations import Operation

MAX_LINE_BYTES: Final = 100_000
"""A longer line is left as it is: ftfy tries every encoding on it, which takes seconds for a megabyte."""

_SHIELD: Final = "\ufdd0"
"""Stands for a lone letter while the rest of its line is repaired: a noncharacter, which no encoding has."""
_UPPER: Final = "".join(c for c in map(chr, [*range(0xC0, 0x180), *range(0x386, 0x430)]) if c.isupper())
"""Letters that are the first of two bytes in some old encoding of Europe."""
_CLOSE: Final = "»”›“‘«‹®™°ºª¹²³†‡•´"
"""What stands behind a word in right texts: closing quotation marks of any language, marks of notes and of trade."""
_JOIN: Final = "—…’·\xa0"
"""What stands behind a word, and may have the next one directly behind it."""
_HYPHEN: Final = "–\xad"
_BEHIND: Final = _CLOSE + _JOIN + _HYPHEN
_LONE: Final = re.compile(
    rf"(?<![{_UPPER}][{_BEHIND}])"
    rf"(?:(?<![^\sA-Z{_UPPER}(\[{{\"'«“„‘‚‹»›/*_–—-])"
    rf"(?:[{_UPPER}](?=[{_CLOSE}](?!\w)|[{_JOIN}](?![À-ÿ])|[{_HYPHEN}](?![^\W0-9A-Z_]))|[ÂÃ](?=[ ]|$))"
    rf"|[à-ï](?=[{_BEHIND}](?:[{_BEHIND}](?![à-ï])|[^\w{_BEHIND}]|$)))"
)
"""A letter that ends a word of right text although it looks, with what follows, like a character of UTF-8.

A lower-case letter directly before an upper-case one (``voilÃ``), a figure (``25Â°``) or the end of a sentence
(``end.Â``) is no such word.
"""


def mojibake() -> Operation:
    """Repair lines that look like text in UTF-8 that was decoded as something else."""
    scan = suspicious()

    def rewrite(texts: pa.StringArray) -> pa.StringArray:
        lines = pc.split_pattern(texts, "\n")
        repaired = _repaired(lines.values, np.asarray(pc.list_parent_indices(lines)), scan)
        return pc.binary_join(pa.ListArray.from_arrays(lines.offsets, repaired), "\n")

    return Operation(scan, rewrite, ascii=False)


def _repaired(lines: pa.StringArray, text_of_line: npt.NDArray[np.int64], scan: str) -> pa.StringArray:
    short = pc.less_equal(pc.binary_length(lines), MAX_LINE_BYTES)
    hits = pc.and_(short, pc.match_substring_regex(lines, scan))
    suspects = lines.filter(hits).to_pylist()
    shielded = [_LONE.sub(_SHIELD, line) for line in suspects]
    is_proven = np.asarray(pc.match_substring_regex(pa.array(shielded, pa.string()), scan))
    text_of_suspect = text_of_line[np.asarray(hits)]
    is_near_proof = np.isin(text_of_suspect, text_of_suspect[is_proven])
    fixed = [
        _fixed(line, shield, is_proven=proven) if near else line
        for line, shield, proven, near in zip(suspects, shielded, is_proven, is_near_proof, strict=True)
    ]
    return pc.replace_with_mask(lines, hits, pa.array(fixed, pa.string()))


def _fixed(line: str, shielded: str, *, is_proven: bool) -> str:
    """Repair *line*, in a text that has mojibake; *is_proven* where the line has some besides its lone letters."""
    from ftfy import fix_encoding

    if _is_utf8(line, with_spaces=is_proven):
        fixed = fix_encoding(line, restore_byte_a0=is_proven)
    elif not is_proven or _SHIELD in line:
        return line
    else:
        fixed = _unshielded(fix_encoding(shielded), of=line)
    return fixed.replace("\n", " ")


def _is_utf8(line: str, *, with_spaces: bool) -> bool:
    """Tell whether *line*, in the bytes of Latin-1 or windows-1252, is UTF-8 throughout.

    *with_spaces* takes a space for the no-break space that it was, where only this makes the bytes a character.
    """
    from ftfy.fixes import restore_byte_a0

    for encoding in ("latin-1", "sloppy-windows-1252"):
        try:
            data = line.encode(encoding)
            (restore_byte_a0(data) if with_spaces else data).decode()
        except UnicodeError:
            continue
        return True
    return False


def _unshielded(fixed: str, *, of: str) -> str:
    """Put the lone letters of the line *of* back into its repaired form, or return the line where some are missing."""
    letters = _LONE.findall(of)
    parts = fixed.split(_SHIELD)
    if len(parts) != len(letters) + 1:
        return of
    return "".join(part + letter for part, letter in zip(parts, [*letters, ""], strict=True))


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

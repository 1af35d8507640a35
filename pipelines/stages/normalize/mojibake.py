"""Repair texts that were decoded with the wrong encoding, using ftfy only on lines that look wrong.

ftfy decides with a regular expression whether a text looks wrong. Python takes 1.7 ms for it on a page of 4 kB; the
same expression compiled by RE2 takes 9 µs and gives the same result. ftfy is imported inside functions, because reading
a recipe does not need it.

ftfy also changes letters that are correct: ``Ã`` between two spaces becomes ``à``, as if its second byte had become a
space, and ``Ã”`` becomes ``Ô`` although a quotation may end there. No UTF-8 character consists of a byte from 0xC2 and
a space (RFC 3629, section 3), so a letter at the end of a word (`_LONE`) is no evidence by itself. It is repaired only
if there is other evidence:

- Its line, read as UTF-8 again, is entirely valid, and the line or another line of the text has a sequence that no
  writing system has.
- Otherwise the letter is kept, and wrong text around it is repaired without it.
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
"""Longer lines are left unchanged: ftfy tries every encoding on them, which takes seconds for a megabyte."""

_SHIELD: Final = "\ufdd0"
"""Replaces a lone letter while the rest of its line is repaired: a noncharacter, which no encoding contains."""
_MARK: Final = "ï»¿"
"""The byte order mark of UTF-8 in windows-1252, as it stands at the start of a line where files were joined."""
_UPPER: Final = "".join(c for c in map(chr, [*range(0xC0, 0x180), *range(0x386, 0x430)]) if c.isupper())
"""Letters that are the first of two bytes in some legacy European encoding."""
_CLOSE: Final = "»”›“‘«‹®™°ºª¹²³†‡•´"
"""Characters that may follow a word in correct text: closing quotation marks, note marks and trademark signs."""
_JOIN: Final = "—…’·\xa0"
"""Characters that may follow a word and be directly followed by the next word."""
_HYPHEN: Final = "–\xad"
_BEHIND: Final = _CLOSE + _JOIN + _HYPHEN
_LONE: Final = re.compile(
    rf"(?<![{_UPPER}][{_BEHIND}])"
    rf"(?:(?<![^\sA-Z{_UPPER}(\[{{\"'«“„‘‚‹»›/*_–—-])"
    rf"(?:[{_UPPER}](?=[{_CLOSE}](?!\w)|[{_JOIN}](?![À-ÿ])|[{_HYPHEN}](?![^\W0-9A-Z_]))|[ÂÃ](?=[ ]|$))"
    rf"|[à-ï](?=[{_BEHIND}](?:[{_BEHIND}](?![à-ï])|[^\w{_BEHIND}]|$)))"
)
"""A letter that ends a word of correct text although, with the next characters, it looks like a UTF-8 character.

This excludes an upper-case letter directly after a lower-case one (``voilÃ``), after a digit (``25Â°``) or after the
end of a sentence (``end.Â``).
"""


def mojibake() -> Operation:
    """Repair lines that look like UTF-8 decoded as another encoding."""
    scan = suspicious()

    def rewrite(texts: pa.StringArray) -> pa.StringArray:
        lines = pc.split_pattern(pc.replace_substring_regex(texts, f"(?m)^{_MARK}", ""), "\n")
        repaired = _repaired(lines.values, np.asarray(pc.list_parent_indices(lines)), scan)
        return pc.binary_join(pa.ListArray.from_arrays(lines.offsets, repaired), "\n")

    return Operation(f"{scan}|^{_MARK}", rewrite, ascii=False)


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
    """Repair *line*. *is_proven*: the line has mojibake besides its lone letters."""
    from ftfy import fix_encoding

    if _is_utf8(line, with_spaces=is_proven):
        fixed = fix_encoding(line, restore_byte_a0=is_proven)
    elif not is_proven or _SHIELD in line:
        return line
    else:
        fixed = _unshielded(fix_encoding(shielded), of=line)
    return fixed.replace("\n", " ")


def _is_utf8(line: str, *, with_spaces: bool) -> bool:
    """Return whether *line*, encoded as Latin-1 or windows-1252, is valid UTF-8.

    *with_spaces* reads a space as a former no-break space if only this makes the bytes a character.
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
    """Restore the lone letters of the line *of* in its repaired form. If any are missing, return the line unchanged."""
    letters = _LONE.findall(of)
    parts = fixed.split(_SHIELD)
    if len(parts) != len(letters) + 1:
        return of
    return "".join(part + letter for part, letter in zip(parts, [*letters, ""], strict=True))


def suspicious() -> str:
    """Return ftfy's pattern for text that looks wrong (`ftfy.badness`) in RE2 syntax, for use on lines.

    Python's pattern is verbose and uses Unicode character classes. RE2 supports neither white space nor comments in a
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

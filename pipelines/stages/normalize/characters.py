"""Handle characters that are not text: controls, invisible joiners, and code points with another canonical form."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.stages.normalize.operations import Operation, Rewrite, in_turn, substitution

_LINE_BREAKS: Final = r"\r\n?|[\x0B\x0C\x1C-\x1E\x{85}\x{2028}\x{2029}]"
"""The line ends of `str.splitlines`, other than a newline."""

_INVISIBLE: Final = (
    r"[\x00-\x08\x0E-\x1B\x1F\x7F-\x{84}\x{86}-\x{9F}"  # C0 and C1 that are no line breaks
    r"\x{AD}"  # soft hyphen
    r"\x{61C}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2066}-\x{206F}"  # bidi controls, deprecated format characters
    r"\x{180E}\x{200B}\x{2060}-\x{2065}\x{FEFF}"  # zero width, byte order mark
    r"\x{FFF9}-\x{FFFB}\x{FFFE}\x{FFFF}]"  # interlinear annotation, no characters
)

_ESCAPE_SEQUENCES: Final = (
    r"\x1B\[[0-?]*[ -/]*[@-~]?"  # control sequences (5.4), also one that breaks off
    r"|\x1B\][^\x07\x1B\n\r\x{9C}]*(?:\x07|\x1B\\|\x{9C})"  # operating system commands (5.6), as xterm ends them
    r"|\x1B[PX^_][\x08-\r -~]*\x1B\\"  # other control strings (5.6)
    r"|\x1B[ -/]+[0-~]"  # designation of character sets (ECMA-35, 13.2)
    r"|\x1B[@-_78=>cn|}~]"  # C1 controls (5.3); independent and private functions (5.5, 5.7) of VT100 and xterm
)
"""Escape sequences by sections of ECMA-48, fifth edition. If a string has no end, only its introducer is removed."""
_EIGHT_BIT_SEQUENCE: Final = r"(\A|[^\x{80}-\x{FF}])(?:\x{9B}[0-9;:?]+[A-Za-z])+"
"""The same with CSI as one character. After a Latin-1 letter, CSI is the second byte of a UTF-8 character instead."""

_NOT_ALWAYS_NFC: Final = (
    r"[\p{M}\x{340}-\x{37E}\x{387}\x{958}-\x{95F}\x{9DC}-\x{9DF}\x{A33}-\x{A5E}\x{B5C}\x{B5D}\x{F43}-\x{FB9}"
    r"\x{1100}-\x{11FF}\x{1F71}-\x{1FFD}\x{2000}\x{2001}\x{2126}-\x{212B}\x{2329}\x{232A}\x{2ADC}"
    r"\x{F900}-\x{FAFF}\x{FB1D}-\x{FB4E}\x{1D15E}-\x{1D1C0}\x{2F800}-\x{2FA1F}]"
)
"""Covers every character whose NFC_Quick_Check is No or Maybe (UAX #15), and a few more."""

_JOINERS: Final = r"[\x{200C}\x{200D}\x{E0000}-\x{E007F}]"
_JOINER_RUN: Final = re.compile("[\u200c\u200d]+|[\U000e0000-\U000e007f]+")
_JOINING: Final = re.compile(
    "[\u0600-\u0dff\u0f00-\u109f\u1780-\u18af\u1900-\u1cff\ua800-\uabff\ufb50-\ufdff\ufe70-\ufefc\U00010a00-\U00011fff]"
)
"""Blocks of the scripts in which a joiner changes the shape of letters: Arabic, Syriac, Indic, Tibetan, Khmer, …"""
_PICTURE: Final = re.compile("[\u2190-\u2bff\u3030\u303d\u3297\u3299\ufe0f\U0001f000-\U0001faff©®]")
"""Blocks with emoji, their modifiers and their variation selector (UTS #51)."""
_BLACK_FLAG: Final = "\U0001f3f4"


def line_ends() -> Operation:
    """Replace every line end with a newline."""
    return Operation(_LINE_BREAKS, substitution(_LINE_BREAKS, "\n"), ascii=True)


def escape_sequences() -> Operation:
    """Remove the escape sequences of terminals: colors, cursor movements, titles, links (ECMA-48).

    Removing only the first character, which is a control, would leave text such as ``[31m``.
    """
    remove = in_turn(substitution(_ESCAPE_SEQUENCES, ""), substitution(_EIGHT_BIT_SEQUENCE, r"\1"))
    return Operation(r"[\x1B\x{9B}]", remove, ascii=True)


def invisible() -> Operation:
    """Remove control characters, direction marks, soft hyphens and zero-width characters that join nothing."""
    return Operation(_INVISIBLE, substitution(f"{_INVISIBLE}+", ""), ascii=True)


def joiners() -> Operation:
    """Remove zero-width joiners and non-joiners, and tags, where they have no effect.

    One joiner of a run is kept between letters of a script that needs it and inside emoji. Tags are kept after a black
    flag, where they spell a region; elsewhere they would hide text.
    """
    return Operation(_JOINERS, _each(partial(_JOINER_RUN.sub, _joiner)), ascii=False)


def _joiner(run: re.Match[str]) -> str:
    before = run.string[run.start() - 1 : run.start()]
    after = run.string[run.end() : run.end() + 1]
    if run[0][0] >= "\U000e0000":
        return run[0] if before == _BLACK_FLAG else ""
    works = any(block.match(before) and block.match(after) for block in (_JOINING, _PICTURE))
    return run[0][0] if works else ""


_MANY_MARKS: Final = r"(\p{M}{30})\p{M}+"
"""Stream-Safe Text (UAX #15, section 13) allows 30 marks in a row; sorting more of them is quadratic in Python."""


def unicode_form(form: Literal["NFC", "NFKC"]) -> Operation:
    """Convert texts to the Unicode normalization form *form* (UAX #15), with at most 30 marks per letter.

    This uses Python, because Arrow's `utf8_normalize` decomposes for every form (apache/arrow#51225).
    """
    normalize = _each(partial(unicodedata.normalize, form))
    return Operation(
        _NOT_ALWAYS_NFC if form == "NFC" else r"[^\x00-\x7F]",
        in_turn(substitution(_MANY_MARKS, r"\1"), normalize),
        ascii=False,
    )


def lowercase() -> Operation:
    """Lower-case letters one character at a time, so that no letter becomes two."""
    return Operation(r"[\p{Lu}\p{Lt}]", pc.utf8_lower, ascii=True)


_SPACES: Final = r"\x{A0}\x{1680}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}"
_UNTIDY: Final = rf"[{_SPACES}]|[^ \t\n](?:  |\t)|[ \t]\n|\n\n\n|\A[ \t\n]|[ \t\n]\z"


def whitespace() -> Operation:
    """Tidy white space.

    Runs of spaces and tabs between words become one space, trailing spaces are removed, at most one blank line remains
    between two lines, and the text begins and ends with visible characters. Indentation is kept, because it
    structures code, poems and lists.
    """
    tidy = in_turn(
        substitution(f"[{_SPACES}]", " "),
        substitution(r"[ \t]+\n", "\n"),
        substitution(r"([^ \t\n])(?: *\t[ \t]*|  +)", r"\1 "),
        substitution(r"\n\n\n+", "\n\n"),
        partial(pc.utf8_trim, characters=" \t\n"),
    )
    return Operation(_UNTIDY, tidy, ascii=True)


def _each(function: Callable[[str], str]) -> Rewrite:
    """Return a rewrite that calls the Python *function* on each text."""

    def rewrite(texts: pa.StringArray) -> pa.StringArray:
        return pa.array([function(text) for text in texts.to_pylist()], pa.string())

    return rewrite

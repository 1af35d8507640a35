"""Print `word_characters.h`: the characters that words consist of, by the Unicode data of the running Python."""

from __future__ import annotations

import re
import sys
import unicodedata
from itertools import groupby

_LETTER = re.compile(r"[^\W\d_]")
_BEYOND = 0xFFFFFFFF
"""Beyond all characters, so that a search always ends at a range."""


def ranges() -> list[tuple[int, int, bool]]:
    """Return first and last code point of each range beyond ASCII, and whether its characters are digits."""
    points = (point for point in range(0x80, sys.maxunicode + 1) if _LETTER.match(chr(point)))
    kinds = ((point, chr(point).isdigit()) for point in points)
    groups = groupby(enumerate(kinds), key=lambda item: (item[1][0] - item[0], item[1][1]))
    runs = [[point for _, (point, _) in group] for _, group in groups]
    return [(run[0], run[-1], chr(run[0]).isdigit()) for run in runs]


def header() -> str:
    """Return the text of the header."""
    cells = [
        f"{{{first:#x}, {last:#x}, {int(digits)}}}," for first, last, digits in [*ranges(), (_BEYOND, _BEYOND, False)]
    ]
    lines = [" ".join(cells[at : at + 5]) for at in range(0, len(cells), 5)]
    return f"""\
/* Characters beyond ASCII that words consist of: `[^\\W\\d_]` in Python with Unicode {unicodedata.unidata_version}.
 *
 * Printed by `python -m tests.crawlers.word_characters`. */
#ifndef SCAN_WORD_CHARACTERS_H
#define SCAN_WORD_CHARACTERS_H

#include <stdint.h>

typedef struct {{
    uint32_t first, last;
    uint8_t are_digits; /* such as a superscript two */
}} Range;

enum {{ WORD_RANGES = {len(cells)} }};

static const Range word_ranges[WORD_RANGES] = {{
    {chr(10).join(lines).replace(chr(10), chr(10) + "    ")}
}};

#endif
"""


if __name__ == "__main__":
    print(header(), end="")

"""Letter statistics of languages: the cost of each pair of letters, read from a file.

    {"format": 1, "units": 8, "about": {…}, "scripts": {"latin": ["en", …], …}, "alphabets": {…}, "ideographs": {…}}
    lzma(costs of pairs by script, costs of ideographs by language)
    SHA-256 of everything before it

A cost is the negative logarithm of a probability, in eighths of a nat. Costs are whole numbers, so sums are the same on
every machine. `benchmarks/encodings/statistics.py` builds the file and names its sources.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

import numpy as np
import numpy.typing as npt

from corpusmill.schemas.errors import DamagedFileError

FORMAT: Final = 1
FILE: Final = "letters.model"
UNITS: Final = 8
"""Costs are in 1/UNITS of a nat."""
UNKNOWN: Final = 14 * UNITS
"""Cost of an ideograph that the file does not list for the language."""
SINGLE_BYTE: Final = (
    *(f"cp{number}" for number in range(1250, 1259)),
    *(f"iso8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
    *("cp874", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "cp866", "cp437", "cp850", "cp852"),
)
_RANGES: Final = {
    "latin": ((0x41, 0x250), (0x1E00, 0x1F00), (0x300, 0x370)),
    "greek": ((0x370, 0x400),),
    "cyrillic": ((0x400, 0x530),),
    "hebrew": ((0x590, 0x600),),
    "arabic": ((0x600, 0x700),),
    "thai": ((0xE00, 0xE60),),
}
_DIGEST_BYTES: Final = 32


@dataclass(frozen=True)
class Letters:
    """Costs of letters.

    Args:
        scripts: Languages of each script.
        alphabets: Letters of each script, in the order of its costs, from index 1; index 0 is any other character.
        pairs: For each script, the costs of a letter (last axis) after another, dtype uint8, of shape
            (languages, letters + 1, letters + 1).
        ideographs: For each East Asian language, the cost of each character.
    """

    scripts: Mapping[str, Sequence[str]]
    alphabets: Mapping[str, str]
    pairs: Mapping[str, npt.NDArray[np.uint8]]
    ideographs: Mapping[str, Mapping[str, int]]


def script_of(character: str) -> str | None:
    """Return the script of a letter, or None if no legacy single-byte encoding covers it.

    >>> script_of("é"), script_of("ж"), script_of("語")
    ('latin', 'cyrillic', None)
    """
    code = ord(character)
    return next((name for name, ranges in _RANGES.items() if any(a <= code < b for a, b in ranges)), None)


def lower(character: str) -> str:
    """Return *character* in lower case, as one character; the Romanian comma below becomes a cedilla.

    >>> [lower(character) for character in "ÉİȘ"]
    ['é', 'i', 'ş']
    """
    return {"ș": "ş", "ț": "ţ"}.get(first := character.lower()[:1], first)


def packed(letters: Letters, *, about: Mapping[str, str]) -> bytes:
    """Serialize *letters*; *about* describes the texts they were counted in."""
    head = {
        "format": FORMAT,
        "units": UNITS,
        "about": dict(about),
        "scripts": {name: list(languages) for name, languages in letters.scripts.items()},
        "alphabets": dict(letters.alphabets),
        "ideographs": {name: "".join(costs) for name, costs in letters.ideographs.items()},
    }
    arrays = [letters.pairs[script].tobytes() for script in letters.scripts]
    arrays += [bytes(costs.values()) for costs in letters.ideographs.values()]
    line = json.dumps(head, ensure_ascii=False, separators=(",", ":"))
    content = line.encode() + b"\n" + lzma.compress(b"".join(arrays), preset=9)
    return content + sha256(content).digest()


def unpacked(data: bytes) -> Letters:
    """Parse the output of `packed`.

    Raises:
        DamagedFileError: *data* is damaged or of another format version.
    """
    content = data[:-_DIGEST_BYTES]
    if sha256(content).digest() != data[-_DIGEST_BYTES:]:
        raise DamagedFileError("the letter statistics are damaged", file=FILE, hint="install corpusmill again")
    line, _, compressed = content.partition(b"\n")
    head = json.loads(line)
    if (head["format"], head["units"]) != (FORMAT, UNITS):
        raise DamagedFileError(
            "the letter statistics have another format version", file=FILE, hint="install corpusmill again"
        )
    costs = np.frombuffer(lzma.decompress(compressed), np.uint8)
    pairs, start = {}, 0
    for script, languages in head["scripts"].items():
        shape = (len(languages), len(head["alphabets"][script]) + 1, len(head["alphabets"][script]) + 1)
        end = start + int(np.prod(shape))
        pairs[script], start = costs[start:end].reshape(shape), end
    ideographs = {}
    for language, characters in head["ideographs"].items():
        end = start + len(characters)
        ideographs[language] = dict(zip(characters, costs[start:end].tolist(), strict=True))
        start = end
    return Letters(head["scripts"], head["alphabets"], pairs, ideographs)


@cache
def shipped() -> Letters:
    """Return the statistics that corpusmill ships; the file is read once per process."""
    return unpacked(files(__package__).joinpath(FILE).read_bytes())

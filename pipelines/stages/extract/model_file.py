"""The file of the reader's model: a line of JSON that describes it, then its arrays, compressed.

    {"format": 1, "name": "main-text-1", "features": […], "parts": [["names", 10240], …], "stages": [[6, -1200], …], …}
    zlib(names, words, chances, then features, borders and leaves of each stage)
    SHA-256 of everything before it

All numbers are little-endian. The file lists the names of the features, so that a reader with other features rejects
it.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final, TypeAlias

from corpusmill.pipelines.stages.extract import _reader
from corpusmill.schemas.errors import DamagedFileError

FORMAT: Final = 1
FILE: Final = "main_text.model"
UNITS: Final = 10_000
"""A score is log odds in units of one part in this many."""
_DIGEST_BYTES: Final = 32
_AGAIN: Final = "install corpusmill again: pip install -c constraints.txt -e . rebuilds the reader"
CHANCES: Final = 4_096
"""Number of entries of the table from scores to probabilities, from `-SCORE_BOUND` to `SCORE_BOUND`."""
SCORE_BOUND: Final = 80_000

Stage: TypeAlias = tuple[int, int, bytes, bytes, bytes]
"""Depth of its trees, bias; columns (int32), borders (float32) and leaves (int32) of the trees."""


@dataclass(frozen=True)
class Learned:
    """The parts of a model.

    Args:
        names: Words of class and id with their log odds in hundredths: uint32 hashes followed by int16 values.
        words: Words of short texts, in the same form.
        chances: uint16 table of `CHANCES` entries: the probability for a score, with 65,535 for certainty.
        about: Human-readable description of the training data.
    """

    names: bytes
    words: bytes
    stages: tuple[Stage, ...]
    chances: bytes
    about: Mapping[str, Any] = field(default_factory=dict)

    def reader(self) -> _reader.Model:
        """Return the model for `_reader.read`."""
        return _reader.Model(names=self.names, words=self.words, stages=self.stages, chances=self.chances)


def packed(model: Learned) -> bytes:
    """Serialize *model* as a file."""
    arrays = [model.names, model.words, model.chances, *(part for stage in model.stages for part in stage[2:])]
    head = {
        "format": FORMAT,
        "about": dict(model.about),
        "stages": [list(stage[:2]) for stage in model.stages],
        "sizes": [len(part) for part in arrays],
        "features": list(_reader.FEATURES),
    }
    line = json.dumps(head, ensure_ascii=False, separators=(",", ":"))
    content = line.encode() + b"\n" + zlib.compress(b"".join(arrays), 9)
    return content + sha256(content).digest()


def unpacked(data: bytes) -> Learned:
    """Parse a file written by `packed`.

    Raises:
        ValueError: The file has another format, was made for other features, or is damaged.
    """
    content, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if sha256(content).digest() != digest:
        raise ValueError("the model is damaged: its hash does not match")
    line, _, body = content.partition(b"\n")
    head = json.loads(line)
    if head["format"] != FORMAT or head["features"] != list(_reader.FEATURES):
        raise ValueError("the model was made for another version of the reader: train it again")
    if sys.byteorder != "little":
        raise ValueError("the model is written for little-endian machines")
    arrays = _cut(zlib.decompress(body), head["sizes"])
    names, words, chances = arrays[:3]
    stages = tuple(
        (depth, bias, *arrays[3 + 3 * index : 6 + 3 * index]) for index, (depth, bias) in enumerate(head["stages"])
    )
    return Learned(names=names, words=words, stages=stages, chances=chances, about=head["about"])


def _cut(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    if sum(sizes) != len(data):
        raise ValueError("the model is damaged: its parts have the wrong sizes")
    parts, start = [], 0
    for size in sizes:
        parts.append(data[start : start + size])
        start += size
    return parts


@cache
def shipped() -> _reader.Model:
    """Load the model of this version of corpusmill, once per process.

    Raises:
        DamagedFileError: The file is damaged, or was made for another reader.
    """
    file = files(__package__).joinpath(FILE)
    try:
        return unpacked(file.read_bytes()).reader()
    except (ValueError, OSError, TypeError, LookupError, OverflowError, zlib.error) as error:
        raise DamagedFileError(f"{file}: {error}", hint=_AGAIN) from error


def check_reader(version: int) -> None:
    """Refuse a reader that was built from other sources than this version of corpusmill has.

    Raises:
        DamagedFileError: Its version is not *version*.
    """
    if version != _reader.VERSION:
        raise DamagedFileError(f"the C reader is of version {_reader.VERSION}, not {version}", hint=_AGAIN)

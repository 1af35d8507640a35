from typing import Any, Final, TypeAlias

import numpy.typing as npt
import pyarrow as pa

Buffer: TypeAlias = bytes | bytearray | pa.Buffer | npt.NDArray[Any]

WORDS: Final[int]
SHINGLES: Final[int]
SETS: Final[int]

def special_rows(data: Buffer, offsets: Buffer, lower: Buffer, classes: Buffer, /) -> list[int]:
    """Return the rows of a column whose lower case depends on more than single characters."""

def hashes(
    data: Buffer, offsets: Buffer, lower: Buffer, classes: Buffer, ngram: int, form: int, /
) -> tuple[bytes, bytes]:
    """Return uint64 values and their number (int64) for each text: `WORDS`, `SHINGLES`, or sorted `SETS` of them."""

def sign(
    data: Buffer,
    offsets: Buffer,
    lower: Buffer,
    classes: Buffer,
    ngram: int,
    permutations: Buffer,
    bands: int,
    rows: int,
    minima: Buffer,
    keys: Buffer,
    sets: Buffer,
    /,
) -> tuple[bytes, bytes]:
    """Fill, for each text, *minima* (uint32, the signature), *keys* (int64, one per band) and *sets* (three int64).

    *sets* receives the number of distinct shingles and 128 bits of hash of their set. If *minima* has room for one
    signature only, all are written there.

    Returns:
        The bitmap of each set (uint64 words), and the number of its words (int64).
    """

def similarities(one: Buffer, values: Buffer, counts: Buffer, /) -> bytes:
    """Return the Jaccard similarity (float64) of one set and each of several sets."""

def decide(
    fates: Buffer, rank: Buffer, kind: Buffer, other: Buffer, value: Buffer, kept: Buffer, similarity: Buffer, /
) -> int:
    """Decide vertices by the rows about them; see `rounds.Decide`. Return the number of vertices.

    Args:
        fates: One byte per rank, which is read and updated.
        kept: Receives int64 per vertex: the rank of the kept vertex, or -1.
        similarity: Receives float64 per vertex.
    """

class Buckets:
    """Chooses the pairs of each bucket that need an exact comparison.

    Args:
        memory_bytes: Bound on the memory for members that are certainly duplicates of an earlier one.
    """

    def __new__(cls, threshold: float, memory_bytes: int) -> Buckets: ...
    def pairs(
        self,
        bucket: Buffer,
        rank: Buffer,
        place: Buffer,
        size: Buffer,
        state: Buffer,
        is_late: Buffer,
        bitmaps: Buffer,
        offsets: Buffer,
        /,
    ) -> tuple[bytes, bytes]:
        """Process the next members, sorted by bucket and rank. Two late members are not compared with each other.

        Returns:
            Pairs (rank, place, rank and place of an earlier member), and members (rank, place) that were not compared
            with all earlier ones; all int64.
        """
    def links(
        self,
        bucket: Buffer,
        component: Buffer,
        place: Buffer,
        size: Buffer,
        bitmaps: Buffer,
        offsets: Buffer,
        is_thorough: bool,
        /,
    ) -> bytes:
        """Process the next members, sorted by bucket, component and place. One instance runs either this or `pairs`.

        Returns:
            Pairs of places (int64) of members of different components that may be similar: all of them if
            *is_thorough*, or only each member with the nearest of some earlier ones.
        """

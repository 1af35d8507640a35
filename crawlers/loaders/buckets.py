"""Records that belong together but are far apart in a file, grouped with temporary files in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

BUCKET_BYTES: Final = 64_000_000
"""Size of the parts of a file that are held in memory to join the records of a group."""
_MAX_BUCKETS: Final = 4096
_MAX_OPEN: Final = 64


class Member(NamedTuple):
    """A record of a group; the numbers are those of the data set."""

    id: int
    group: int
    native: bytes
    offset: int


class Buckets:
    """Records in temporary files, by group. Of a file above the limit, a part of the groups is read at a time."""

    def __init__(self, folder: Path) -> None:
        self._files: list[BinaryIO] = [(folder / f"{index}").open("w+b") for index in range(_MAX_OPEN)]

    def add(self, member: Member) -> None:
        """Write *member* to the file of its group."""
        self._files[member.group % _MAX_OPEN].write(_packed(member))

    def __iter__(self) -> Iterator[list[Member]]:
        """Yield lists of records, in the order of the file; all records of a group are in one list."""
        for file in self._files:
            size = file.tell()
            parts = min(_MAX_BUCKETS, max(1, -(-size // BUCKET_BYTES)))
            for part in range(parts):
                file.seek(0)
                yield [member for member in _unpacked(file) if member.group // _MAX_OPEN % parts == part]
            file.close()

    def close(self) -> None:
        """Close the temporary files, also those that were not read."""
        for file in self._files:
            file.close()


def _packed(member: Member) -> bytes:
    return b"%d %d %d %d\n%b" % (member.id, member.group, member.offset, len(member.native), member.native)


def _unpacked(file: BinaryIO) -> Iterator[Member]:
    while line := file.readline():
        id, group, offset, size = map(int, line.split())
        yield Member(id, group, file.read(size), offset)

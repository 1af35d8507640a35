"""Tar archives: an index of their members, and streams of them. Compressed ones are decompressed once, to a copy."""

from __future__ import annotations

import io
import json
import os
import struct
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from corpusmill.crawlers.archives.entries import MAX_RATIO, MIN_JUDGED_BYTES, Entry, cleaned, judged
from corpusmill.schemas.errors import DataError

_BLOCK: Final = 512
_COPY_BYTES: Final = 1 << 20
_FOOTER: Final = struct.Struct(">Q8s")
_MARK: Final = b"corpmill"


class Tar:
    """A tar archive in *file*, which is seekable and not compressed.

    Raises:
        DataError: The file does not begin as a tar archive.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size, problem = _unpacked_size(file)
        self.entries = judged(_entries(file, self._size, problem))

    def open(self, entry: Entry) -> io.BufferedIOBase:
        """Return a stream of *entry*."""
        assert entry.offset is not None, "entries of a tar have an offset"
        return io.BufferedReader(_Window(self._file, entry.offset, entry.size, archive=self), 1 << 18)

    def __del__(self) -> None:
        """Close the file, when no member is being read."""
        self._file.close()


def _entries(file: BinaryIO, size: int, problem: tuple[str, str] | None) -> Iterator[Entry]:
    """Yield the members, and, if the archive breaks off or is damaged, an entry without a name that says so."""
    file.seek(0)
    regular: dict[str, Entry] = {}
    try:
        archive = tarfile.open(fileobj=_Window(file, 0, size), mode="r:")  # noqa: SIM115, the file stays open
        for info in archive:
            if info.isdir():
                continue
            entry = _entry(info, size, regular)
            if entry.kind is None:
                regular.setdefault(entry.name, entry)
            yield entry
        end = archive.offset
    except (tarfile.TarError, ValueError, OverflowError) as error:
        kind = "truncated" if "unexpected end" in str(error) else "damaged"
        kind, message = problem or (kind, f"the tar archive is damaged: {error}")
        yield Entry("", 0, kind=kind, message=message)
        return
    file.seek(end)
    rest = file.read(min(_BLOCK, max(size - end, 0)))
    if problem is not None:
        yield Entry("", 0, kind=problem[0], message=problem[1])
    elif rest.strip(b"\0") or (end > size):
        yield Entry("", 0, kind="damaged", message=f"the tar archive cannot be read from byte {end:,} on")


def _entry(info: tarfile.TarInfo, size: int, regular: dict[str, Entry]) -> Entry:
    name = cleaned(info.name.encode(errors="surrogateescape").decode(errors="replace"))
    entry = Entry(name, info.size, offset=info.offset_data)
    if info.islnk():
        target = regular.get(cleaned(info.linkname))
        if target is not None:
            return Entry(name, target.size, offset=target.offset)
    if not info.isreg() or info.issparse():
        return entry.refused("not_regular", "a link or a special file")
    if info.offset_data + info.size > size:
        return entry.refused("truncated", "the archive ends within the member")
    return entry


class _Window(io.RawIOBase):
    """The bytes ``[start, start + size)`` of *file*; several windows can share a file within a thread."""

    def __init__(self, file: BinaryIO, start: int, size: int, *, archive: Tar | None = None) -> None:
        self._file = file
        self._archive = archive  # it must stay open
        self._start = start
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), max(self._size - self._at, 0))
        self._file.seek(self._start + self._at)
        data = self._file.read(length)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def unpack(stream: io.BufferedReader, packed: int, draft: Path) -> None:
    """Write the decompressed tar *stream* to *draft*, with a footer that says whether it is complete.

    Args:
        packed: Bytes of the compressed archive, which bound those of the copy.
    """
    bound = max(MIN_JUDGED_BYTES, MAX_RATIO * packed)
    written = 0
    problem: tuple[str, str] | None = None
    with draft.open("wb") as copy:
        try:
            while piece := stream.read1(_COPY_BYTES):
                written += len(piece)
                if written > bound:
                    written -= len(piece)
                    reason = f"the archive of {packed:,} bytes expands to more than {bound:,} bytes, as a bomb does"
                    problem = ("too_large", reason)
                    break
                copy.write(piece)
        except DataError as error:
            problem = (error.kind, error.message)
        footer = json.dumps(problem).encode()
        copy.write(footer + _FOOTER.pack(len(footer), _MARK))


def _unpacked_size(file: BinaryIO) -> tuple[int, tuple[str, str] | None]:
    """Return the size of the tar in *file* without its footer, and the problem that the footer states."""
    size = file.seek(0, os.SEEK_END)
    if size >= _FOOTER.size:
        file.seek(size - _FOOTER.size)
        length, mark = _FOOTER.unpack(file.read(_FOOTER.size))
        if mark == _MARK and length < size:
            file.seek(size - _FOOTER.size - length)
            problem = json.loads(file.read(length))
            return size - _FOOTER.size - length, problem and tuple(problem)
    return size, None

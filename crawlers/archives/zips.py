"""Zip archives: their members, and streams of them."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import IO, Any, BinaryIO, Final

from corpusmill.crawlers.archives.entries import MAX_RATIO, Entry, cleaned, expands_too_far, judged
from corpusmill.crawlers.loaders.streams import BrokenStreamError
from corpusmill.schemas.decoding.texts import codec_of_text
from corpusmill.schemas.errors import DataError

_UTF8_FLAG: Final = 0x800
_ENCRYPTED_FLAG: Final = 0x1
_MIN_HEADER_BYTES: Final = 30
"""Of the header before the bytes of a member, without its name."""
_METHODS: Final = frozenset((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
_DAMAGE: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)


class Zip:
    """A zip archive in *file*, which is seekable.

    Raises:
        DataError: The central directory cannot be read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        try:
            self._zip = zipfile.ZipFile(file)
        except _DAMAGE as error:
            file.close()
            raise DataError(f"the directory of the zip archive cannot be read: {error}", kind="damaged") from error
        self.entries = judged(_entries(self._zip, file.seek(0, io.SEEK_END)))

    def open(self, entry: Entry) -> io.BufferedIOBase:
        """Return a stream of *entry*."""
        try:
            return io.BufferedReader(_Checked(self._zip.open(entry.key), self), 1 << 18)
        except _DAMAGE as error:
            raise BrokenStreamError(f"the member cannot be read: {error}", kind="damaged") from error

    def __del__(self) -> None:
        """Close the file, when no member is being read."""
        self._file.close()


def _entries(archive: zipfile.ZipFile, packed: int) -> Iterator[Entry]:
    """Yield the members of *archive*, a file of *packed* bytes."""
    infos = archive.infolist()
    overlapping = _overlapping(infos)
    is_bomb = expands_too_far(sum(info.file_size for info in infos), packed)
    codec = _codec_of_names(infos)
    for info in infos:
        if info.is_dir():
            continue
        entry = Entry(cleaned(_name(info, codec)), info.file_size, key=info)
        mode = info.external_attr >> 16
        if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
            yield entry.refused("not_regular", "a link or a special file")
        elif info.flag_bits & _ENCRYPTED_FLAG:
            yield entry.refused("encrypted", "the member is encrypted")
        elif info.compress_type not in _METHODS:
            yield entry.refused(
                "unreadable", f"compressed with the method {info.compress_type}, which is not supported"
            )
        elif info.header_offset in overlapping:
            yield entry.refused("too_large", "its bytes are also those of another member, as in a bomb")
        elif expands_too_far(info.file_size, info.compress_size) or (
            is_bomb and info.file_size > MAX_RATIO * info.compress_size
        ):
            yield entry.refused(
                "too_large", f"{info.compress_size:,} bytes would expand to {info.file_size:,} bytes, as in a bomb"
            )
        else:
            yield entry


def _overlapping(infos: list[zipfile.ZipInfo]) -> set[int]:
    """Return where the members begin whose bytes reach into the next member, or are those of several."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    return {
        info.header_offset
        for info, following in pairwise(ordered)
        if info.header_offset + _MIN_HEADER_BYTES + info.compress_size > following.header_offset
    }


def _codec_of_names(infos: list[zipfile.ZipInfo]) -> str:
    """Return the codec of the names that do not have the flag of UTF-8: the likeliest for all of them, else cp437.

    They are often UTF-8 nevertheless, and Windows writes the encoding of the country.
    """
    names = sorted({_raw_name(info) for info in infos if not info.flag_bits & _UTF8_FLAG})
    joined = b"\n".join(names)
    try:
        codec = codec_of_text(joined)
        joined.decode(codec)
    except (DataError, UnicodeDecodeError):
        return "cp437"
    return codec


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    return info.orig_filename.encode("cp437", "replace")


def _name(info: zipfile.ZipInfo, codec: str) -> str:
    if info.flag_bits & _UTF8_FLAG:
        return info.filename
    return _raw_name(info).partition(b"\0")[0].decode(codec, "replace")


class _Checked(io.RawIOBase):
    """A member whose damage is a `BrokenStreamError`."""

    def __init__(self, stream: IO[bytes], archive: Zip) -> None:
        self._stream = stream
        self._archive = archive  # it must stay open

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._stream.seek(offset, whence)
        except _DAMAGE as error:
            raise BrokenStreamError(f"the member is damaged: {error}", kind="damaged") from error

    def tell(self) -> int:
        return self._stream.tell()

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except _DAMAGE as error:
            raise BrokenStreamError(f"the member is damaged: {error}", kind="damaged") from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()

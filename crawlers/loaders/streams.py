"""Reading of plain and compressed files. A truncated stream raises an error after its readable part."""

from __future__ import annotations

import bz2
import contextlib
import errno
import hashlib
import io
import lzma
import os
import re
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, cast

import zstandard

from corpusmill.schemas.archive_paths import is_member
from corpusmill.schemas.errors import DamagedFileError, DataError, SourceError, UnfinishedError
from corpusmill.schemas.storage import is_url, located

if TYPE_CHECKING:
    import pyarrow as pa

GZIP_MAGIC: Final = b"\x1f\x8b"
XZ_MAGIC: Final = b"\xfd7zXZ\x00"
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
MAGIC_BYTES: Final = 10
"""Number of bytes that `compression` needs from the start of a file."""
MAX_WINDOW_BYTES: Final = 2**31
"""Largest window of a zstd frame: ``zstd --long=31``, which is used for large public dumps."""
_MAX_XZ_BYTES: Final = 1 << 28
"""Memory limit for decompressing xz; its largest preset, ``xz -9``, needs 65 MiB."""
_BZIP2: Final = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
_PIECE_BYTES: Final = 1 << 14
_OUTPUT_BYTES: Final = 1 << 20
_ZSTD_PIECE_BYTES: Final = 1 << 10
"""A block of four bytes can expand to 128 KiB (RFC 8878 §3.1.1.2), so a piece of this size gives at most 32 MiB."""
_BUFFER_BYTES: Final = 1 << 18
_RANGE_BYTES: Final = 1 << 21
"""Size of a request to a store: a request takes about as long as the transfer of a few hundred kilobytes."""
_HEAD_BYTES: Final = 1 << 20
"""Part of a file that is read to estimate its decompressed size."""
_MAX_SAMPLED_BYTES: Final = 1 << 26
"""Upper bound of the decompressed part, because few bytes can expand to very many."""
_HINTS: Final = {
    0: "check the path and its disk",
    errno.EACCES: "let this user read the file (`chmod +r`), or remove it from the recipe's `path`",
    errno.EISDIR: "name the files in this folder, such as `FOLDER/*.jsonl`",
    errno.ENOENT: "restore the file, or run `corpusmill load RECIPE` to register the current files",
}


class BrokenStreamError(DataError):
    """A compressed stream ends too early or is damaged."""

    def __init__(self, message: str, *, kind: str = "truncated", **details: Any) -> None:
        super().__init__(message, kind=kind, **details)


class _SourceFile(io.FileIO):
    """A raw file whose read errors name the file and can be retried."""

    def readinto(self, buffer: Any, /) -> int | None:
        try:
            return super().readinto(buffer)
        except OSError as error:
            raise UnfinishedError(
                f"reading stopped: {error.strerror}",
                file=str(self.name),
                hint="check the disk or mount of the file, then run the same command",
            ) from error


def open_file(path: str) -> io.BufferedReader:
    """Open the file at *path* for reading, which can be a URL or a member of an archive.

    Raises:
        DataError: A member of an archive cannot be read.
        SourceError: The file is missing, a folder, or unreadable.
        UnfinishedError: A store does not respond.
    """
    if is_member(path):
        from corpusmill.crawlers.archives.members import open_member  # it imports this module

        return cast("io.BufferedReader", open_member(path))
    try:
        if is_url(path):
            store, key = located(path)
            return io.BufferedReader(store.reader(key), _RANGE_BYTES)
        return io.BufferedReader(_SourceFile(path), _BUFFER_BYTES)
    except OSError as error:
        raise unreadable(path, error) from error


def random_access(path: str) -> str | pa.NativeFile:
    """Return the file at *path* as pyarrow reads it: a local path, or an open file for a URL or a member.

    Raises:
        DataError, SourceError, UnfinishedError: As `open_file`.
    """
    if is_member(path):
        import pyarrow as pa

        return pa.PythonFile(open_file(path), mode="r")
    if is_url(path):
        store, key = located(path)
        return store.open(key)
    return path


def file_size(path: str) -> int:
    """Return the size in bytes of the file at *path*, which can be a URL or a member of an archive.

    Raises:
        DataError: A member of an archive cannot be read.
        SourceError: The file is missing, or a parent folder cannot be searched.
        UnfinishedError: A store does not respond.
    """
    if is_member(path):
        from corpusmill.crawlers.archives.members import member_size  # it imports this module

        return member_size(path)
    try:
        if is_url(path):
            store, key = located(path)
            return store.size(key)
        return Path(path).stat().st_size
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: str, error: OSError) -> SourceError:
    """Return the error for a file at *path* that cannot be opened."""
    number = errno.ENOENT if isinstance(error, FileNotFoundError) else error.errno or 0
    reason = error.strerror or (os.strerror(number) if number else str(error))
    return SourceError(f"cannot be read: {reason}", file=path, hint=_HINTS.get(number, _HINTS[0]))


def refuse_shorter(path: str, end: int) -> None:
    """Check that the file at *path* has at least *end* bytes, the end of a slice.

    Raises:
        DamagedFileError: The file has become shorter since it was loaded, so records would be missing.
    """
    if (size := file_size(path)) < end:
        raise DamagedFileError(
            f"the file has {size:,} bytes, but had {end:,} or more when it was loaded",
            file=path,
            hint="run `corpusmill load RECIPE` when no program writes to the file anymore, then the same command",
        )


def packed(*suffixes: str) -> tuple[str, ...]:
    """Return *suffixes*, each also with the suffixes of compressed files.

    >>> packed(".md")
    ('.md', '.md.gz', '.md.bz2', '.md.xz', '.md.zst')
    """
    return tuple(suffix + packing for suffix in suffixes for packing in ("", ".gz", ".bz2", ".xz", ".zst"))


def open_decompressed(path: str, *, start: int = 0) -> BinaryIO:
    """Open the file at *path* from byte *start*; gzip, bzip2, xz and zstd are decompressed, with all members or frames.

    Reading raises `BrokenStreamError` if the compressed stream breaks off, after returning everything before that.
    """
    file = open_file(path)
    file.seek(start)
    decode = _DECODERS.get(compression(file.peek(MAGIC_BYTES)) or "")
    return file if decode is None else io.BufferedReader(_Pieces(file, decode), _BUFFER_BYTES)


def is_blank(path: str) -> bool:
    """Return whether the file at *path* has no bytes but white space, when decompressed; what cannot be read is not."""
    try:
        with open_decompressed(path) as stream:
            return all(piece.isspace() for piece in pieces(stream))
    except DataError:
        return False


def is_compressed(path: str) -> bool:
    """Return whether the file at *path* is compressed with gzip, bzip2, xz or zstd."""
    with open_file(path) as file:
        return compression(file.peek(MAGIC_BYTES)) is not None


def decompressed_bytes(path: str) -> int:
    """Estimate the decompressed size of the file at *path* in bytes, from the compression ratio of its first MiB.

    Raises:
        SourceError: The file is missing, a folder, or unreadable.
    """
    with open_file(path) as file:
        head = file.read(_HEAD_BYTES)
    decode = _DECODERS.get(compression(head) or "")
    size = file_size(path)
    if decode is None:
        return size
    stream, unpacked = io.BytesIO(head), 0
    with contextlib.suppress(BrokenStreamError):
        for piece in decode(stream):
            unpacked += len(piece)
            if unpacked >= _MAX_SAMPLED_BYTES:
                break
    return unpacked * size // stream.tell()


def compression(head: bytes) -> str | None:
    """Return the compression of a stream that begins with *head*: ``gzip``, ``bzip2``, ``xz``, ``zstd`` or None.

    A zstd stream can begin with a skippable frame (RFC 8878 §3.1.2), such as the dictionary of a WARC file.

    >>> compression(b"BZh91AY&SY"), compression(b"BZh is a text")
    ('bzip2', None)
    """
    if head.startswith(GZIP_MAGIC):
        return "gzip"
    if head.startswith(XZ_MAGIC):
        return "xz"
    if _BZIP2.match(head):
        return "bzip2"
    if head.startswith(ZSTD_MAGIC) or (head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5):
        return "zstd"
    return None


def sha256_of(path: str, *, start: int = 0, end: int | None = None) -> str:
    """Return the SHA-256 of the bytes ``[start, end)`` of the file at *path*, without decompressing them."""
    digest = hashlib.sha256()
    with open_file(path) as file:
        file.seek(start)
        for piece in pieces(file, length=None if end is None else end - start):
            digest.update(piece)
    return digest.hexdigest()


def available(stream: Any, size: int) -> bytes:
    """Return at most *size* bytes of *stream*, empty at its end.

    `read` waits until it has *size* bytes, and loses them if a compressed file breaks off first. This function returns
    what was decompressed before the break; the next call raises the error.
    """
    data: bytes = getattr(stream, "read1", stream.read)(size)
    return data


def pieces(stream: IO[bytes], *, length: int | None = None) -> Iterator[bytes]:
    """Yield the bytes of *stream*, at most *length* of them, in pieces of at most 1 MiB."""
    while (length is None or length > 0) and (piece := stream.read(min(_OUTPUT_BYTES, length or _OUTPUT_BYTES))):
        yield piece
        length = None if length is None else length - len(piece)


class _Pieces(io.RawIOBase):
    """A stream over the pieces that *decode* yields for *file*."""

    def __init__(self, file: BinaryIO, decode: Callable[[BinaryIO], Iterator[bytes]]) -> None:
        self._file = file
        self._pieces = decode(file)
        self._rest = memoryview(b"")
        self._position = 0
        self._error: DataError | None = None

    def tell(self) -> int:
        return self._position

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            if self._error is not None:
                raise self._error  # the decoder has ended with it, which must not look like the end of the file
            try:
                piece = next(self._pieces, None)
            except DataError as error:
                self._error = error
                raise
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        self._position += size
        return size

    def close(self) -> None:
        self._file.close()
        super().close()


def _gunzip(file: BinaryIO) -> Iterator[bytes]:
    """Decompress gzip with any number of members; zeros after the last one are padding of tapes and block stores."""
    data = file.read(_PIECE_BYTES)
    while data:
        decoder, output = zlib.decompressobj(wbits=31), b""
        while not decoder.eof:
            holds_more = len(output) == _OUTPUT_BYTES
            if not data and not holds_more and not (data := file.read(_PIECE_BYTES)):
                raise BrokenStreamError("the gzip stream ends in the middle")
            try:
                output = decoder.decompress(data, _OUTPUT_BYTES)
            except zlib.error as error:
                raise BrokenStreamError(f"the gzip stream is damaged: {error}") from error
            data = decoder.unconsumed_tail
            if output:
                yield output
        data = _past_zeros(decoder.unused_data, file)


def _unbzip2(file: BinaryIO) -> Iterator[bytes]:
    """Decompress bzip2 with any number of streams, as parallel tools write them."""
    return _decompress(file, "bzip2", bz2.BZ2Decompressor)


def _unxz(file: BinaryIO) -> Iterator[bytes]:
    """Decompress xz with any number of streams, with zeros between and after them (xz file format §2.2)."""
    return _decompress(file, "xz", partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, memlimit=_MAX_XZ_BYTES))


def _decompress(
    file: BinaryIO, name: str, start: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]
) -> Iterator[bytes]:
    data = file.read(_PIECE_BYTES)
    while data:
        decoder = start()
        while not decoder.eof:
            if decoder.needs_input and not data and not (data := file.read(_PIECE_BYTES)):
                raise BrokenStreamError(f"the {name} stream ends in the middle")
            try:
                output = decoder.decompress(data, _OUTPUT_BYTES)
            except (OSError, EOFError, lzma.LZMAError) as error:
                raise BrokenStreamError(f"the {name} stream is damaged: {error}") from error
            data = b""
            if output:
                yield output
        data = _past_zeros(decoder.unused_data, file)


def _past_zeros(data: bytes, file: BinaryIO) -> bytes:
    """Skip zeros at the beginning of *data*, and of *file* after it; return the next bytes, empty at the end."""
    while not (rest := data.lstrip(b"\0")):
        if not (data := file.read(_PIECE_BYTES)):
            return b""
    return rest


def _unzstd(file: BinaryIO) -> Iterator[bytes]:
    """Decompress zstd, frame after frame, with windows up to `MAX_WINDOW_BYTES`."""
    data = file.read(_ZSTD_PIECE_BYTES)
    while data:
        decoder = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).decompressobj()
        while not decoder.eof:
            if not data and not (data := file.read(_ZSTD_PIECE_BYTES)):
                raise BrokenStreamError("the zstd stream ends in the middle")
            try:
                output = decoder.decompress(data)
            except zstandard.ZstdError as error:
                raise BrokenStreamError(f"the zstd stream is damaged: {error}") from error
            data = b""
            if output:
                yield output
        data = decoder.unused_data or file.read(_ZSTD_PIECE_BYTES)


_DECODERS: Final[dict[str, Callable[[BinaryIO], Iterator[bytes]]]] = {
    "gzip": _gunzip,
    "bzip2": _unbzip2,
    "xz": _unxz,
    "zstd": _unzstd,
}

"""Look into zip and tar archives: a sample of each kind of member, by which `init --from` recognizes its format."""

from __future__ import annotations

import itertools
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final

import zstandard

MAX_MEMBERS: Final = 2_000
"""Members of an archive that are looked at."""
MAX_BYTES: Final = 64_000_000
"""Bytes of a tar that are read, and of a member that is a sample."""
MAX_KINDS: Final = 12
_MAX_NAME_BYTES: Final = 200
_PACKED: Final = frozenset((".gz", ".bz2", ".xz", ".zst"))


def samples_of(archive: Path) -> dict[str, tuple[str, bytes]]:
    """Return the name and the content of the first member for each end of names, such as ``.csv.gz``.

    Hidden members, those in hidden folders, and those that are large or have a long name are left out.

    Raises:
        OSError, ValueError, EOFError, zipfile.BadZipFile, tarfile.TarError, zstandard.ZstdError: The archive is
            damaged or encrypted.
    """
    members = _of_zip(archive) if archive.suffix.lower() == ".zip" else _of_tar(archive)
    samples: dict[str, tuple[str, bytes]] = {}
    for name, size, stream in itertools.islice(members, MAX_MEMBERS):
        parts = PurePosixPath(name).parts
        is_hidden = any(part.startswith(".") for part in parts)
        if size > MAX_BYTES or not parts or is_hidden or len(parts[-1].encode()) > _MAX_NAME_BYTES:
            continue
        ending = ending_of(parts[-1])
        if ending not in samples and len(samples) < MAX_KINDS:
            samples[ending] = (parts[-1], stream.read(MAX_BYTES))
    return samples


def ending_of(name: str) -> str:
    """Return the suffix of *name*, with the one before that of a compression; the whole name if it has none.

    >>> ending_of("a.b.csv.gz"), ending_of("part.TXT"), ending_of("README")
    ('.csv.gz', '.TXT', 'README')
    """
    path = PurePosixPath(name)
    inner = PurePosixPath(path.stem).suffix if path.suffix.lower() in _PACKED else ""
    return inner + path.suffix or name


def _of_zip(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if not member.is_dir():
                    with archive.open(member) as stream:
                        yield member.filename, member.file_size, stream
    except (RuntimeError, NotImplementedError) as error:  # a password, or a method that zipfile does not know
        raise ValueError(str(error)) from None


def _of_tar(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with path.open("rb") as file:
        is_zstd = path.suffix.lower() == ".zst"
        raw = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) if is_zstd else file
        with tarfile.open(fileobj=raw, mode="r|" if is_zstd else "r|*") as archive:
            for member in archive:
                if member.offset > MAX_BYTES:
                    return
                if member.isfile() and (stream := archive.extractfile(member)) is not None:
                    yield member.name, member.size, stream

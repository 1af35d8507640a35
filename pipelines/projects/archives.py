"""The first members of an archive, from which `init --from` detects what it contains."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, Final

import zstandard

_MAX_MEMBERS: Final = 50
_MAX_BYTES: Final = 4_000_000
"""Of each member."""
_DAMAGE: Final = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, zstandard.ZstdError),
    *(EOFError, OSError, RuntimeError, ValueError, NotImplementedError),
)


def write_first_members(archive: Path, folder: Path) -> None:
    """Write the beginnings of the first members of *archive* into *folder*, each into a folder of its own.

    Hidden members, links, encrypted and damaged ones are skipped. Only the last part of a member's path is used.
    """
    with suppress(*_DAMAGE):
        members = _of_zip(archive) if archive.suffix.lower() in {".zip", ".jar"} else _of_tar(archive)
        for number, (name, data) in zip(range(_MAX_MEMBERS), members, strict=False):
            place = folder / str(number)
            place.mkdir()
            (place / name).write_bytes(data)


def _of_zip(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir() and (name := _shown(info.filename)):
                with suppress(*_DAMAGE), archive.open(info) as stream:
                    yield name, stream.read(_MAX_BYTES)


def _of_tar(path: Path) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as file:
        stream: IO[bytes] = file
        if path.name.lower().endswith((".zst", ".tzst")):
            stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        with tarfile.open(fileobj=stream, mode="r|*") as archive:
            for info in archive:
                content = archive.extractfile(info) if info.isreg() and _shown(info.name) else None
                if content is not None:
                    yield _shown(info.name), content.read(_MAX_BYTES)


def _shown(name: str) -> str:
    """Return the last part of the path *name*; empty if a part is hidden.

    >>> _shown("a/b.txt"), _shown("__MACOSX/._b.txt"), _shown("../b.txt")
    ('b.txt', '', '')
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return "" if not parts or any(part.startswith(".") or "\0" in part for part in parts) else parts[-1][-200:]

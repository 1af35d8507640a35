"""The files that `path` of a `load` source names: local files, objects of a store, and members of archives."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from corpusmill.crawlers.archives.entries import Entry
from corpusmill.crawlers.archives.members import entries_of
from corpusmill.crawlers.patterns import expanded, fits, matching_files
from corpusmill.schemas.archive_paths import ARCHIVE_SUFFIXES, MAX_NESTING, SEPARATOR, is_member, split_archive
from corpusmill.schemas.errors import DataError, SourceError
from corpusmill.schemas.storage import is_url, located, open_store

_RULES: Final = "error."


@dataclass(frozen=True)
class Input:
    """A file of a source.

    Args:
        address: Its path or URL; for a member, that of the archive, ``!/`` and the path in there.
        name: POSIX path from the fixed part of the pattern; for a member, the path in the archive.
        rule: Why it cannot be read; None if it can.
        message: The reason in words.
    """

    address: str
    name: str
    rule: str | None = None
    message: str | None = None


def matching_inputs(pattern: str, *, base: Path, suffixes: tuple[str, ...]) -> list[Input]:
    """Return the files that match *pattern*, sorted by name.

    Args:
        base: The folder at which relative paths start.
        suffixes: Suffixes of the files that are used if *pattern* is a folder, or a folder of an archive.

    Raises:
        RecipeError: An environment variable of *pattern* is not set.
        SourceError: No file matches, or an archive or a store cannot be read.
    """
    place = expanded(pattern)
    if not is_member(place):
        return _files(place, pattern, base=base, suffixes=suffixes)
    outer, inner = split_archive(place)
    archives = _files(outer, pattern, base=base, suffixes=ARCHIVE_SUFFIXES)
    is_one = len(archives) == 1 and archives[0].address.endswith(outer.rpartition("/")[2])
    found = [
        found
        for archive in archives
        for found in _members(archive, inner, prefix="" if is_one else f"{archive.name}{SEPARATOR}", suffixes=suffixes)
    ]
    if not found:
        raise _nothing_in([archive.address for archive in archives], inner, pattern, suffixes)
    return sorted(found, key=lambda each: each.name.encode(errors="surrogateescape"))


def _files(place: str, pattern: str, *, base: Path, suffixes: tuple[str, ...]) -> list[Input]:
    if is_url(place):
        return _objects(place, pattern, suffixes)
    matches = matching_files(place, base=base, suffixes=suffixes)
    return [Input(str(match.path), match.name) for match in matches]


def _objects(url: str, pattern: str, suffixes: tuple[str, ...]) -> list[Input]:
    """Return the objects that match *url*: an object, a folder, or a glob pattern."""
    protocol, _, place = url.rstrip("/").partition("://")
    parts = place.split("/")
    fixed = next((index for index, part in enumerate(parts) if index and _is_magic(part)), len(parts))
    if fixed == len(parts):
        store, key = located(f"{protocol}://{place}")
        if len(parts) > 1 and store.exists(key):
            return [Input(f"{protocol}://{place}", key)]
    folder = open_store(f"{protocol}://{'/'.join(parts[:fixed])}")
    keys = [entry.key for entry in folder.files()]
    rest = tuple(parts[fixed:])
    lower = tuple(suffix.lower() for suffix in suffixes)
    chosen = [key for key in keys if (fits(tuple(key.split("/")), rest) if rest else key.lower().endswith(lower))]
    if not chosen:
        shown = ", ".join(keys[:5])
        hint = f"there are {shown}{', …' if keys[5:] else ''}" if keys else "check the bucket and the folder"
        raise SourceError(f"no object matches {pattern}", file=folder.url, field="path", value=pattern, hint=hint)
    return [Input(folder.address(key), key) for key in sorted(chosen)]


def _is_magic(part: str) -> bool:
    return any(character in part for character in "*[")


def _members(archive: Input, pattern: str, *, prefix: str, suffixes: tuple[str, ...]) -> Iterator[Input]:
    """Yield the members of *archive* that match *pattern*, which may lead into archives in it."""
    head, rest = split_archive(pattern) if is_member(pattern) else (pattern, None)
    try:
        entries = entries_of(archive.address)
    except DataError as error:
        yield Input(archive.address, archive.name, error.rule, error.message)
        return
    repeated: dict[str, int] = {}
    for entry in entries:
        if not _is_chosen(entry, head, suffixes if rest is None else ARCHIVE_SUFFIXES):
            continue
        address, name = f"{archive.address}{SEPARATOR}{entry.name}", f"{prefix}{entry.name}"
        if entry.kind is not None:
            place = f"{Path(archive.name).name}{SEPARATOR}{entry.name}" if entry.name else archive.name
            repeated[place] = repeated.get(place, 0) + 1
            number = f" ({repeated[place]})" if repeated[place] > 1 else ""
            yield Input(address, f"{place}{number}", f"{_RULES}{entry.kind}", entry.message)
        elif rest is None:
            yield Input(address, name)
        elif address.count(SEPARATOR) >= MAX_NESTING:
            yield Input(address, name, f"{_RULES}unreadable", "an archive in an archive in an archive")
        else:
            yield from _members(Input(address, name), rest, prefix=f"{name}{SEPARATOR}", suffixes=suffixes)


def _is_chosen(entry: Entry, pattern: str, suffixes: tuple[str, ...]) -> bool:
    """Return whether *pattern*, a path, a folder or a glob in the archive, means *entry*.

    An entry without a name stands for the damaged rest of the archive. An unsafe path is compared without ``..``.
    """
    if not entry.name or entry.name == pattern:
        return True
    names = tuple(part for part in entry.name.split("/") if part not in {"", ".", ".."})
    folder = pattern.rstrip("/")
    if not glob.has_magic(pattern):
        is_below = not folder or "/".join(names).startswith(f"{folder}/")
        visible = not any(name.startswith(".") for name in names)
        return is_below and visible and entry.name.lower().endswith(tuple(map(str.lower, suffixes)))
    return fits(names, tuple(pattern.split("/")))


def _nothing_in(archives: list[str], inner: str, pattern: str, suffixes: tuple[str, ...]) -> SourceError:
    names = [entry.name for entry in entries_of(archives[0])]
    expected = inner if inner and not inner.endswith("/") else f"{inner}**/*{suffixes[0] if suffixes else ''}"
    shown = ", ".join(os.fspath(name) for name in names[:5])
    return SourceError(
        f"no member of the archive matches {expected}",
        file=archives[0],
        field="path",
        value=pattern,
        hint=f"it has {shown}{', …' if names[5:] else ''}" if names else "the archive is empty",
    )

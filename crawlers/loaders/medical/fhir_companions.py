"""The files of a bulk export that describe the people of its notes, beside the files with the notes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Final

from corpusmill.crawlers.loaders.medical.fhir_people import PEOPLE, People
from corpusmill.crawlers.loaders.streams import open_decompressed
from corpusmill.crawlers.readers.fhir.stream import Resource, lines_with, ndjson_head, resources
from corpusmill.schemas.archive_paths import is_member
from corpusmill.schemas.errors import DataError
from corpusmill.schemas.storage import is_url

_TYPES: Final = (
    "Patient|Person|RelatedPerson|Practitioner|PractitionerRole|Organization|Location|Coverage|Account|Device|Consent"
)
_NAME: Final = re.compile(rf"(?:.*[._-]|[A-Z][a-z0-9]+)?(?:{_TYPES}|(?i:(?<![A-Za-z])(?:{_TYPES})))(?:[._-].*|\d*)")
"""Names without suffix: `Patient`, `patient-1`, `export_3.Patient.000`, `MimicPatient`."""
_SUFFIX: Final = re.compile(r"\.(?:ndjson|jsonl)(?:\.(?:gz|bz2|xz|zst))?$", re.IGNORECASE)
_RESOURCE: Final = re.compile(r"[A-Z][A-Za-z]{3,40}")


def companions_of(path: str, patterns: Sequence[str] | None) -> tuple[str, ...]:
    """Return the local files with the people and consents of the notes in the file at *path*, sorted.

    Args:
        patterns: Relative to the folder of the file. None: files of NDJSON that are named by a type of resource, such
            as ``Patient.000.ndjson.gz``, in the same folder; and, if the folder is named by a type, such as
            ``DocumentReference/part-0.ndjson``, those in the folders beside it that are named by these types.
    """
    if is_url(path) or is_member(path):
        return ()
    file = Path(path)
    found = _beside(file) if patterns is None else (one for pattern in patterns for one in _matches(file, pattern))
    files = {os.path.normpath(one) for one in found if one.is_file()}
    return tuple(sorted(files - {os.path.normpath(file)}))


def read_people(paths: Iterable[str], people: People) -> int:
    """Add the people and consents in the files at *paths* to *people*; return the number of unreadable records.

    Raises:
        DataError: A file breaks off, or there are too many people. The message names the file.
    """
    unreadable = 0
    for path in paths:
        try:
            unreadable += sum(not added for added in people_in(path, people))
        except DataError as error:
            message = f"the people of the notes are not known: {Path(path).name}: {error.message}"
            raise DataError(message, kind=error.kind) from error
    return unreadable


def people_in(path: str, people: People) -> Iterator[bool]:
    """Add the people in the file at *path*; yield for some resources at least whether they could be read.

    Of NDJSON, only the lines with people are parsed, because each slice needs the people of the whole file.

    Raises:
        DataError: The file breaks off, or there are too many people.
    """
    with open_decompressed(path) as stream:
        has_lines = bool(ndjson_head(stream))
    with open_decompressed(path) as stream:
        if not has_lines:
            yield from _added(resources(stream), people)
            return
        for line in lines_with(stream, PEOPLE):
            try:
                yield from _added(resources(BytesIO(line)), people)
            except DataError as error:
                if error.kind == "too_large":
                    raise
                yield False


def _added(found: Iterable[Resource], people: People) -> Iterator[bool]:
    """Add the people in *found*; yield for each resource whether it could be read.

    Raises:
        DataError: ``too_large``: there are too many people.
    """
    for resource in found:
        if resource.problem is not None:
            yield False
            continue
        if not PEOPLE.search(resource.data):
            continue
        try:
            value = resource.value
        except DataError:
            yield False
            continue
        people.add(value, resource.full_url)
        yield True


def _beside(file: Path) -> Iterator[Path]:
    if _NAME.fullmatch(_stem(file.name)):
        return  # it has people, not notes
    folder = file.parent
    yield from (one for one in _listed(folder) if _NAME.fullmatch(_stem(one.name)))
    if _RESOURCE.fullmatch(folder.name) and not re.fullmatch(_TYPES, folder.name):
        for kind in _TYPES.split("|"):
            if (other := folder.with_name(kind)).is_dir():
                yield from _listed(other)


def _matches(file: Path, pattern: str) -> Iterator[Path]:
    """Yield the files that match *pattern*, which may begin with ``..``, or be absolute."""
    folder, _, name = pattern.rpartition("/")
    base = file.parent / folder if folder or not pattern.startswith("/") else Path("/")
    if any(sign in folder for sign in "*?["):
        first = re.split(r"[*?\[]", folder, maxsplit=1)[0].rpartition("/")[0]
        yield from (file.parent / first).glob(pattern[len(first) :].lstrip("/"))
    else:
        yield from base.glob(name)


def _listed(folder: Path) -> tuple[Path, ...]:
    try:
        return _ndjson_in(folder, folder.stat().st_mtime_ns)
    except OSError:
        return ()


@lru_cache(maxsize=64)  # a folder of many files is listed once, unless it changes
def _ndjson_in(folder: Path, modified_ns: int) -> tuple[Path, ...]:  # noqa: ARG001
    return tuple(sorted(one for one in folder.iterdir() if _SUFFIX.search(one.name)))


def _stem(name: str) -> str:
    match = _SUFFIX.search(name)
    return name[: match.start()] if match else name

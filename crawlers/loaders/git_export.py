"""The export of a Git repository: JSON Lines in zstd frames, the same bytes for the same commit.

The first line of each file describes the revision: the commit, where it came from, and the files that say something
about others (licenses, attributes). Each further line is a file, with its bytes as characters from U+0000 to U+00FF.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import zstandard

from corpusmill.crawlers.loaders.media import MAX_CONTENT_BYTES
from corpusmill.crawlers.readers.code.licenses import MAX_LEGAL_BYTES, is_legal
from corpusmill.crawlers.readers.code.repository import Blobs, Entry, Repository
from corpusmill.schemas.decoding.binary import is_binary
from corpusmill.schemas.identity import canonical_json

PART_BYTES: Final = 32 * 2**20
"""Content of one file of an export; tasks read the files in parallel."""
_FRAME_BYTES: Final = 1 << 20
_LINK, _SUBMODULE = "120000", "160000"


def exported(repository: Repository, revision: str, *, prefix: str) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield the name and the bytes of each file of the export of *repository* at *revision*.

    Args:
        prefix: What stands before the path of a file in its id.

    Raises:
        SourceError: The repository has no such revision, or cannot be read.
    """
    commit = repository.commit(revision)
    entries = repository.entries(commit)
    files = [entry for entry in entries if entry.mode not in {_LINK, _SUBMODULE}]
    counts = Counter(
        "links" if entry.mode == _LINK else "submodules" for entry in entries if entry.mode in {_LINK, _SUBMODULE}
    )
    with repository.blobs() as blobs:
        texts = _texts(files, blobs)
        head = {
            "blobs": {blob: text for _, blob, text in texts},
            "commit": commit.id,
            "date": None if commit.date is None else commit.date.isoformat(),
            "prefix": prefix,
            "repository": repository.origin(),
            "texts": {path: blob for path, blob, _ in texts},
        }
        for number, part in enumerate(_parts(files)):
            own = counts if number == 0 else {}
            name = f"{prefix or 'repository/'}{commit.id[:12]}-{number:05}"
            yield name, _packed(_lines(head | {"counts": dict(own)}, part, blobs))


def lines_of_problem(message: str, *, prefix: str) -> Iterator[bytes]:
    """Yield the bytes of an export that says why a repository cannot be read."""
    return _packed(iter([canonical_json({"kind": "unreadable", "message": message, "prefix": prefix})]))


def content_of(line: dict[str, Any]) -> bytes | None:
    """Return the bytes of the file in a *line* of an export; None if they are not in it."""
    data = line.get("data")
    return data.encode("latin-1") if isinstance(data, str) else None


def _texts(files: list[Entry], blobs: Blobs) -> list[tuple[str, str, str]]:
    """Return path, blob and text of each file that says something about others. Copies have the same blob."""
    found: list[tuple[str, str, str]] = []
    for entry in files:
        says = is_legal(entry.path) or entry.path.rpartition("/")[2] == ".gitattributes"
        if says and entry.size <= MAX_LEGAL_BYTES:
            content = blobs.read(entry.blob, max_bytes=MAX_LEGAL_BYTES)
            if content is not None:
                found.append((entry.path, entry.blob, content[0].decode(errors="replace")))
    return found


def _parts(files: list[Entry]) -> Iterator[list[Entry]]:
    """Divide *files* by size; a repository without files has one part."""
    part: list[Entry] = []
    size = 0
    for entry in files:
        if part and size + entry.size > PART_BYTES:
            yield part
            part, size = [], 0
        part.append(entry)
        size += min(entry.size, MAX_CONTENT_BYTES)
    yield part


def _lines(head: dict[str, Any], part: list[Entry], blobs: Blobs) -> Iterator[bytes]:
    yield canonical_json(head)
    for entry in part:
        line: dict[str, Any] = {"blob": entry.blob, "path": entry.path, "size": entry.size}
        found = blobs.read(entry.blob, max_bytes=MAX_CONTENT_BYTES)
        if found is None:
            line["kind"], line["message"] = "unreadable", "the content is missing from the repository, or damaged"
        elif is_binary(found[0]):
            line["is_binary"] = True
        elif found[1] > MAX_CONTENT_BYTES:
            line["kind"], line["message"] = "too_large", f"the file has {found[1]:,} bytes"
        else:
            line["data"] = found[0].decode("latin-1")
        yield json.dumps(line, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _packed(lines: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zstandard.ZstdCompressor(level=3)
    held: list[bytes] = []
    size = 0
    for line in lines:
        held.append(line + b"\n")
        size += len(line)
        if size >= _FRAME_BYTES:
            yield compressor.compress(b"".join(held))
            held, size = [], 0
    if held:
        yield compressor.compress(b"".join(held))

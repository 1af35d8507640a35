"""Read files with a URL per line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from corpusmill.crawlers.loaders.streams import BrokenStreamError, open_decompressed, packed
from corpusmill.crawlers.patterns import Match, matching_files
from corpusmill.crawlers.references import resolved_url
from corpusmill.schemas.errors import RecipeError, SourceError
from corpusmill.schemas.urls import MAX_URL_CHARACTERS, canonical_url

SUFFIXES: Final = packed(".txt", ".urls", ".list")
"""Suffixes of the files that are read of a folder."""
_MAX_LINE_BYTES: Final = 4 * MAX_URL_CHARACTERS
_SHOWN: Final = 200


@dataclass(frozen=True)
class ListedUrl:
    """A line of a file.

    Args:
        key: The canonical URL; None if the line is not a web address.
        url: The address to fetch, or the line as written, shortened.
        problem: File, line and reason if it is not a web address.
    """

    key: str | None
    url: str
    problem: str | None = None


def listed_urls(patterns: tuple[str, ...], *, base: Path) -> Iterator[ListedUrl]:
    """Yield the lines of the files that match *patterns*, which are relative to the folder *base*.

    Empty lines, and lines that begin with ``#``, are left out. A file may be compressed.

    Raises:
        RecipeError: No file matches a pattern.
        SourceError: A file cannot be read.
    """
    for pattern in patterns:
        for match in _matches(pattern, base=base):
            yield from _lines(match.path, match.name)


def _matches(pattern: str, *, base: Path) -> list[Match]:
    try:
        return matching_files(pattern, base=base, suffixes=SUFFIXES)
    except (RecipeError, SourceError) as error:
        raise RecipeError(f"field `urls`: {error.message}", field="urls", value=pattern, hint=error.hint) from error


def _lines(path: Path, name: str) -> Iterator[ListedUrl]:
    with open_decompressed(str(path)) as file:
        number = 0
        try:
            while line := file.readline(_MAX_LINE_BYTES):
                number += 1
                is_cut = not line.endswith(b"\n") and len(line) == _MAX_LINE_BYTES
                while is_cut and (rest := file.readline(_MAX_LINE_BYTES)):
                    is_cut = not rest.endswith(b"\n")
                _refuse_binary(line, path, number)
                text = line.decode("utf-8", "replace").removeprefix("\ufeff" if number == 1 else "").strip()
                if text and not text.startswith("#"):
                    yield _listed(text, f"{name}, line {number}")
        except BrokenStreamError as error:
            hint = "compress the file again, or copy it again from its origin"
            raise SourceError(error.message, file=str(path), field="urls", value=number, hint=hint) from error


def _refuse_binary(line: bytes, path: Path, number: int) -> None:
    if b"\0" in line:
        hint = "name a text file in UTF-8 with a URL per line"
        raise SourceError(f"line {number}: not text: it has a null character", file=str(path), field="urls", hint=hint)


def _listed(text: str, place: str) -> ListedUrl:
    try:
        key = canonical_url(text)
        return ListedUrl(key, resolved_url(text, base=key))
    except ValueError as error:
        return ListedUrl(None, text[:_SHOWN], f"{place}: {str(error)[:_SHOWN]}")

"""The base of loaders whose records do not lie in files: `load` exports them to compressed JSON Lines.

A database may change between two tasks, and a killed run must find the same records when it resumes. Tasks therefore
read the export, which is part of the workspace.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import zstandard

from corpusmill.crawlers.loaders.arrow_values import json_value
from corpusmill.crawlers.loaders.base import Loader
from corpusmill.crawlers.loaders.jsonl import JsonLines
from corpusmill.crawlers.loaders.rows import without_nulls
from corpusmill.schemas.errors import SourceError
from corpusmill.schemas.identity import canonical_json

EXPORT_SUFFIX: Final = ".jsonl.zst"
_FRAME_BYTES: Final = 1 << 20


class Exporting(Loader):
    """A loader of what does not lie in files: `load` writes files that it can read."""

    export_suffix: ClassVar[str] = EXPORT_SUFFIX

    @property
    def is_exporting(self) -> bool:
        """Whether `load` writes files; otherwise it registers the files that `path` names."""
        return True

    @abstractmethod
    def exports_of(self, addresses: Sequence[str], *, base: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield the name and the bytes of each file to write for *addresses*, the items of `path`.

        Args:
            base: The recipe's folder, to which other paths are relative.

        Raises:
            SourceError: A place cannot be reached.
            MissingExtraError: A library is not installed.
        """


class Exported(Exporting, JsonLines):
    """A loader whose records `load` exports to JSON Lines."""

    suffixes: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def tables(self, address: str) -> Iterator[tuple[str, Iterator[Mapping[str, Any]]]]:
        """Yield the name and the rows of each table at *address*, an item of `path`.

        Raises:
            SourceError: The place cannot be reached, or has no such table.
            MissingExtraError: The library is not installed.
        """

    def exports_of(self, addresses: Sequence[str], *, base: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield the name and the rows of each table."""
        for address in addresses:
            for name, rows in self.tables(address):
                yield name, packed_lines(_with_text(rows, self.text_names, address))


def _with_text(rows: Iterator[Mapping[str, Any]], names: Sequence[str], address: str) -> Iterator[Mapping[str, Any]]:
    """Yield *rows*, whose fields *names* must not have bytes: as base64, they would pass for text.

    Raises:
        SourceError: They do.
    """
    for row in rows:
        for name in names:
            if isinstance(row.get(name), bytes):
                raise SourceError(
                    f"column `{name}` has bytes, not text",
                    file=address.rpartition("@")[2],
                    field="text_field",
                    value=name,
                    hint="name a column with text, or decode it in the query: `convert_from(column, 'UTF8')`",
                )
        yield row


def packed_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Yield *rows* as JSON Lines in zstd frames of about 1 MiB, so that tasks can read parts of the file."""
    compressor = zstandard.ZstdCompressor(level=3)
    lines: list[bytes] = []
    size = 0
    for row in rows:
        line = canonical_json(without_nulls({name: json_value(value) for name, value in row.items()}))
        lines.append(line)
        size += len(line)
        if size >= _FRAME_BYTES:
            yield compressor.compress(b"\n".join(lines) + b"\n")
            lines, size = [], 0
    if lines:
        yield compressor.compress(b"\n".join(lines) + b"\n")
